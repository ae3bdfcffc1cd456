"""Does `early_stopping` decide as Ultralytics's own class, and in real trainings?

    python -m benchmarks.agreement.ultralytics_trainings

Drawn fitness curves are given to both classes; then a detector is trained with each, on drawn
curves in place of its own fitness, and once interrupted and resumed. Exits with 1 if a decision,
the epoch in best.pt or the end of the resumed training differs.

Ultralytics needs torchvision only for what is not done here, but asks which release there is. Where
that cannot be imported (the wheels for Linux need CUDA), an empty module takes its place:

    pip install --no-deps ultralytics==8.4.190 ultralytics-thop opencv-python-headless
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from earlystop.adapters.ultralytics import early_stopping

import earlystop as es

RELEASE = "0.28.0"
MODEL = """nc: 1
backbone: [[-1, 1, Conv, [8, 3, 2]], [-1, 1, Conv, [16, 3, 2]], [-1, 1, Conv, [16, 3, 2]]]
head: [[[0, 1, 2], 1, Detect, [nc]]]
"""


def imported(folder: Path) -> tuple[Any, Any]:
    """Ultralytics's trainer of detectors and its class for early stopping."""
    os.environ |= {"YOLO_CONFIG_DIR": str(folder), "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false"}
    os.environ["YOLO_AUTOINSTALL"] = "false"
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, OSError):  # it is not there, or made for another PyTorch
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        about = folder / f"torchvision-{RELEASE}.dist-info" / "METADATA"
        about.parent.mkdir()
        about.write_text(f"Metadata-Version: 2.1\nName: torchvision\nVersion: {RELEASE}\n")
        (folder / "torchvision.py").write_text(f"__version__ = {RELEASE!r}\n")
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
    detect = importlib.import_module("ultralytics.models.yolo.detect")
    return detect.DetectionTrainer, importlib.import_module(
        "ultralytics.utils.torch_utils"
    ).EarlyStopping


def write_data(folder: Path) -> dict[str, Any]:
    """Four images with a square each, and a small model: what the trainer is to be given."""
    import cv2

    for name in ("images", "labels"):
        (folder / name).mkdir()
    for number in range(4):
        image = np.full((32, 32, 3), 60 * number, np.uint8)
        image[8:24, 8:24] = (0, 0, 255)
        cv2.imwrite(str(folder / "images" / f"{number}.png"), image)
        (folder / "labels" / f"{number}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (folder / "data.yaml").write_text(f"path: {folder}\ntrain: images\nval: images\nnames: [a]\n")
    (folder / "tiny.yaml").write_text(MODEL)
    given = {"model": str(folder / "tiny.yaml"), "data": str(folder / "data.yaml")}
    shown: dict[str, Any] = {"plots": False, "verbose": False, "amp": False, "exist_ok": True}
    return {
        **{**given, **shown, "project": str(folder), "imgsz": 32, "batch": 4, "device": "cpu"},
        **{"workers": 0, "epochs": 12},
    }


def trainer_on(kind: Any, curve: list[float], **settings: Any) -> Any:
    """A trainer whose fitness is that of a curve; where it ends it validates for real."""

    class Drawn(kind):  # type: ignore[misc]  # without types
        best_fitness: Any

        def validate(self) -> tuple[dict[str, float], float]:
            fitness = curve[self.epoch]
            if self.best_fitness is None or self.best_fitness < fitness:
                self.best_fitness = fitness
            return {"val/box_loss": 1 - fitness}, fitness

        def final_eval(self) -> None:
            """Its validation says nothing about the curve."""

    return Drawn(overrides=settings)


def ended(trainer: Any) -> tuple[int, int]:
    """The last epoch, and that in best.pt."""
    best = torch.load(trainer.best, map_location="cpu", weights_only=False)
    return trainer.epoch, best["epoch"]


def curves_differ(theirs_class: Any, draws: int, rng: random.Random) -> int:
    """On how many drawn curves the two classes do not stop at the same epoch."""
    wrong = 0
    for _ in range(draws):
        patience = rng.randint(0, 4)
        curve = [rng.choice([0.0, 0.0, 0.25, 0.5, 0.75]) for _ in range(15)]
        theirs = theirs_class(patience)
        ours = es.peers.ultralytics.early_stopping(patience)
        for epoch, fitness in enumerate(curve, 1):
            stops = theirs(epoch, fitness)
            wrong += stops != ours.step({"fitness": fitness}).stop
            if stops:
                break
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--curves", type=int, default=300)
    parser.add_argument("--trainings", type=int, default=3)
    arguments = parser.parse_args()
    rng = random.Random(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        trainer_class, theirs_class = imported(folder)
        wrong = curves_differ(theirs_class, arguments.curves, rng)
        print(f"curves: {arguments.curves}, of which {wrong} with other decisions", flush=True)
        given = write_data(folder)
        for number in range(arguments.trainings):
            curve = [rng.choice([0.0, 0.2, 0.4, 0.6]) for _ in range(12)]
            patience = 2 + number % 3
            theirs = trainer_on(trainer_class, curve, name="theirs", patience=patience, **given)
            theirs.train()
            ours = trainer_on(trainer_class, curve, name="ours", patience=0, **given)
            stopper = early_stopping(ours, patience)
            ours.train()
            wrong += ended(ours) != ended(theirs)
            print(patience, curve, ended(theirs), ended(ours), stopper.stopped_reason, flush=True)
        wrong += resumed_differs(trainer_class, given)
    sys.exit(wrong > 0)


def resumed_differs(trainer_class: Any, given: dict[str, Any]) -> bool:
    """Whether a training that was interrupted ends otherwise than one that was not."""
    curve = [0.1, 0.5, 0.4, 0.6, 0.5, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2, 0.2]
    rule, best = (
        es.Patience("val/box_loss", 3, min_delta=0.15),
        es.Best("val/box_loss", min_delta=0.15),
    )

    def interrupt(trainer: Any) -> None:
        if trainer.epoch == 3:
            raise KeyboardInterrupt

    ends = []
    for name in ("whole", "cut"):
        trainer = trainer_on(trainer_class, curve, name=name, **given)
        stopper = early_stopping(trainer, stop=rule, save=best)
        if name == "cut":
            trainer.add_callback("on_model_save", interrupt)
        try:
            trainer.train()
        except KeyboardInterrupt:
            trainer = trainer_on(trainer_class, curve, resume=str(trainer.last))
            stopper = early_stopping(trainer, stop=rule, save=best)
            trainer.train()
        ends.append((*ended(trainer), stopper.stopped_reason))
    print(*ends, sep="\n")
    return ends[0] != ends[1]


if __name__ == "__main__":
    main()
