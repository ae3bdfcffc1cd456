"""Is this tree slower than another one? The same work in both, in turns.

    python -m benchmarks.speed.compare ../old-tree [--pairs 9] [--only step,replay]

Each tree runs in a process of its own, with the same interpreter, and only one works at a time: the
old one, the new one, the new one, the old one, and so on. A case is timed a few times at each turn,
of which the fastest counts; the ratio of a pair is new over old, and the median of the pairs is
printed with the quartiles around it. Work is done through the public interface, which both have.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
Case = Callable[[], object]


# The work, run in a process of its own ------------------------------------------------------------


def decision_cases() -> dict[str, Case]:
    """Stepping, replaying and sweeping."""
    import numpy as np

    import earlystop as es

    rng = np.random.default_rng(1)
    epochs = np.arange(1.0, 501)
    curves = 0.3 + np.exp(-epochs / 50) + 1 / epochs + 0.05 * rng.standard_normal((4000, 500))
    history = es.History({"val_loss": curves})
    small = es.History({"val_loss": curves[:20]})
    improving = es.History({"val_loss": -np.cumsum(rng.random((4000, 500)), axis=1)})
    checks = [{"loss": 1.0, "accuracy": 0.5, "val_loss": float(x)} for x in curves[0]] * 4
    composed = (
        es.Patience("val_loss", 20, min_delta=0.001)
        | es.Threshold("val_loss", 0.01)
        | (es.NonFinite("val_loss") & es.Warmup(es.MaxEpochs(400), 5))
    )

    def step(stopper: Any) -> None:
        stopper.reset()
        for metrics in checks:
            stopper.step(metrics)

    patience, best = es.Patience("val_loss", 10**6), es.Best("val_loss")
    diverging = es.History({"val_loss": np.cumsum(rng.random((4000, 1000)), axis=1)})
    overfit = es.GeneralizationLoss("val_loss")
    return {
        "step: EarlyStopping": functools.partial(step, es.EarlyStopping(patience=10**6)),
        "step: composed rule": functools.partial(step, es.Stopper(~es.Always() & composed, best)),
        "replay: 4,000 x 500": functools.partial(es.replay, patience, history, save=best),
        "replay: improving throughout": functools.partial(
            es.replay, patience, improving, save=best
        ),
        "replay: stops early": functools.partial(es.replay, es.EarlyStopping(patience=20), history),
        "replay: composed rule": functools.partial(es.replay, composed, history, save=best),
        "replay: 20 runs": functools.partial(es.replay, patience, small, save=best),
        "sweep: 1,000 patience": functools.partial(
            es.sweep, es.Patience("val_loss"), history, patience=range(1, 1001)
        ),
        "sweep: 1,000 patience x 10 min_delta": functools.partial(
            es.sweep,
            es.Patience("val_loss"),
            history,
            patience=range(1, 1001),
            min_delta=[0.001 * n for n in range(10)],
        ),
        "sweep: 5 alphas": functools.partial(es.sweep, overfit, history, alpha=[1, 2, 5, 10, 50]),
        "sweep: 32 alphas, runs that stop at once": functools.partial(
            es.sweep, overfit, diverging, alpha=[n / 4 for n in range(32)]
        ),
    }


def reading_cases(folder: Path) -> dict[str, Case]:
    """Reading logs: tables and JSON lines."""
    import numpy as np

    import earlystop as es

    values = np.random.default_rng(1).random((300, 5))
    for run in range(20):
        with open(folder / f"{run}.csv", "w", encoding="utf-8") as file:
            file.write("epoch,loss,accuracy,val_loss,val_accuracy,lr\n")
            for epoch, row in enumerate(values.tolist()):
                file.write(f"{epoch},{','.join(map(repr, row))}\n")
    with open(folder / "log.jsonl", "w", encoding="utf-8") as file:
        for epoch, row in enumerate(values.tolist()):
            file.write(json.dumps({"epoch": epoch, "loss": row[0], "val_loss": row[1]}) + "\n")
    return {
        "reading: 20 CSV files": functools.partial(es.read_history, str(folder / "*.csv")),
        "reading: JSON lines": functools.partial(es.read_history, str(folder / "log.jsonl")),
    }


def adapter_cases(folder: Path) -> dict[str, Case]:
    """An epoch of each adapter, a few hundred times."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras
    import torch
    from earlystop.adapters.keras import EarlyStopping
    from earlystop.adapters.loop import EpochLoop
    from earlystop.adapters.torch import Training

    import earlystop as es

    losses = [1 / (epoch + 1) if epoch % 10 == 0 else 2.0 for epoch in range(300)]

    def loop() -> None:
        epochs = EpochLoop(es.EarlyStopping(patience=10**6), max_epochs=len(losses))
        for epoch, loss in zip(epochs, losses, strict=True):
            epochs.report(loss=loss, val_loss=loss + epoch * 0.0)

    def training(**options: Any) -> None:
        model = torch.nn.Linear(4, 4)
        run = Training(es.EarlyStopping(patience=10**6), model, **options)
        for loss, _ in zip(losses, run.epochs(len(losses)), strict=True):
            run.step(loss=loss, val_loss=loss)

    def on_disk() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as top:
            training(folder=Path(top))

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")

    def fit() -> None:
        callback = EarlyStopping("val_loss", patience=10**6)
        callback.set_model(model)
        callback.set_params({"epochs": len(losses)})
        callback.on_train_begin()
        for epoch, loss in enumerate(losses):
            callback.on_epoch_begin(epoch)
            callback.on_epoch_end(epoch, {"loss": loss, "val_loss": loss})
        callback.on_train_end()

    return {
        "adapters: EpochLoop, 300 epochs": loop,
        "adapters: Training in memory, 300 epochs": training,
        "adapters: Training on disk, 300 epochs": on_disk,
        "adapters: Keras EarlyStopping, 300 epochs": fit,
    }


def work() -> None:
    """Time the cases that are asked for on the standard input, one line each."""
    with tempfile.TemporaryDirectory() as folder:
        cases = decision_cases() | reading_cases(Path(folder)) | adapter_cases(Path(folder))
        print(json.dumps(list(cases)), flush=True)
        for line in sys.stdin:
            run, fastest = cases[line.rstrip("\n")], float("inf")
            for _ in range(3):
                began = time.perf_counter()
                run()
                fastest = min(fastest, time.perf_counter() - began)
            print(fastest, flush=True)


# The comparison -----------------------------------------------------------------------------------


class Worker:
    """A process that does the work in one tree."""

    def __init__(self, tree: Path) -> None:
        # The package is put together as an installation has it: `adapters` inside of it.
        start = (
            f"import sys; sys.path[:0] = [{str(tree)!r}, {str(ROOT)!r}]; import earlystop; "
            f"earlystop.__path__.append({str(tree)!r}); "
            f"assert earlystop.__file__.startswith({str(tree)!r}), earlystop.__file__; "
            "import runpy; runpy.run_path(sys.argv[1], run_name='worker')"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", start, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tree,
        )
        self.cases: list[str] = json.loads(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit("a worker has ended early: see above")
        return line

    def seconds(self, case: str) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{case}\n")
        self._process.stdin.flush()
        return float(self._answer())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("old", type=Path, help="the root of the other tree")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--only", default="", help="beginnings of the names of cases: step,replay")
    arguments = parser.parse_args()
    old, new = Worker(arguments.old.resolve()), Worker(ROOT)
    table = Table(title="This tree over the other", box=SIMPLE_HEAD, title_justify="left")
    for heading in ("case", "old, ms", "new, ms", "median of new / old", "quartiles"):
        table.add_column(heading, justify="left" if heading == "case" else "right")
    beginnings = tuple(arguments.only.split(","))
    for case in new.cases:
        if not case.startswith(beginnings):
            continue
        for worker in (old, new):
            worker.seconds(case)  # a warm-up
        pairs = []
        for number in range(arguments.pairs):
            turns = (old, new) if number % 2 else (new, old)
            seconds = {worker: worker.seconds(case) for worker in turns}
            pairs.append((seconds[old], seconds[new]))
        ratios = [b / a for a, b in pairs]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        olds, news = (statistics.median(times) * 1000 for times in zip(*pairs, strict=True))
        table.add_row(
            case, f"{olds:.2f}", f"{news:.2f}", f"{middle:.2f}", f"{low:.2f} to {high:.2f}"
        )
    Console(width=110, highlight=False).print(table)


if __name__ == "worker":
    work()
elif __name__ == "__main__":
    main()
