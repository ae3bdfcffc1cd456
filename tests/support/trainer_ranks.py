"""One rank of a distributed training in Lightning or the Hugging Face Trainer; writes results.

Run as `python trainer_ranks.py FRAMEWORK RANK WORLD PORT FOLDER`; writes FOLDER/RANK.json. The
ranks see different metrics: those of rank 0 have their best in epoch 2, as Lightning and the
Trainer each count, those of the others always fall.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

FRAMEWORK, RANK, WORLD, PORT, FOLDER = sys.argv[1:]
FOLDER_ = Path(FOLDER)
os.environ.update(
    {
        **{"RANK": RANK, "LOCAL_RANK": RANK, "WORLD_SIZE": WORLD, "LOCAL_WORLD_SIZE": WORLD},
        **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": PORT, "GROUP_RANK": "0"},
        **{"TORCHELASTIC_RUN_ID": "ranks"},
    }
)

import earlystop as es  # noqa: E402

es.__path__.append(str(Path(__file__).parents[2]))

TURNING = [abs(n // 4 - 2) / 10 + 0.5 for n in range(400)]
FALLING = [1 - n / 400 for n in range(400)]
CURVE = TURNING if RANK == "0" else FALLING


def told(callback: Any, steps: int) -> Any:
    stopper = callback.stopper
    return [steps, stopper.checks, stopper.best_epoch, callback.stopped_reason]


def lightning() -> Any:
    from earlystop.adapters.lightning import EarlyStopping
    from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

    from tests.adapters.lightning.fits import Curve, fit, trainer_for

    ranks = {"devices": int(WORLD), "strategy": "ddp", "use_distributed_sampler": False}
    seen: dict[str, Any] = {}
    first = EarlyStopping("val_loss", patience=2, best_path=FOLDER_ / "best.ckpt")
    trainer = trainer_for(FOLDER_, first, **ranks)
    fit(trainer, Curve(CURVE))
    seen["first decides"] = told(first, trainer.global_step)
    again = EarlyStopping("val_loss", patience=2)
    trainer = trainer_for(FOLDER_, again, **ranks)
    fit(trainer, Curve(CURVE), ckpt_path=FOLDER_ / "best.ckpt")
    seen["resumed"] = told(again, trainer.global_step)
    for cls in (EarlyStopping, LightningEarlyStopping):  # the mean turns in epoch 2, too
        trainer = trainer_for(FOLDER_, cls("val_loss", patience=2), **ranks)
        fit(trainer, Curve(CURVE, sync_dist=True))
        seen.setdefault("mean decides", []).append(trainer.global_step)
    try:
        fit(trainer_for(FOLDER_, EarlyStopping("los", mode="min"), **ranks), Curve(CURVE))
    except es.MissingMetricError as error:
        seen["missing"] = str(error)
    return seen


def transformers() -> Any:
    from earlystop.adapters.transformers import EarlyStoppingCallback

    from tests.adapters.transformers.trainings import trainer_for

    how: Any = {"ddp_backend": "gloo", "per_device_train_batch_size": 1}
    how |= {"save_strategy": "no", "load_best_model_at_end": False}
    seen = {}
    for name, arguments in {
        "first decides": {"early_stopping_patience": 2},
        "rules": {"stop": es.Patience("eval_loss", 2), "save": es.Best("eval_loss")},
    }.items():
        callback = EarlyStoppingCallback(**arguments)
        trainer = trainer_for(FOLDER_ / name, CURVE, callback, **how)
        trainer.train()
        seen[name] = told(callback, trainer.state.global_step)
    callback = EarlyStoppingCallback(**arguments)
    trainer = trainer_for(FOLDER_ / "rules", CURVE, callback, **how)
    trainer.train(resume_from_checkpoint=str(FOLDER_ / "rules" / "checkpoint-8"))
    seen["resumed"] = told(callback, trainer.state.global_step)
    try:
        stop = es.Patience("eval_lss", 2, mode="min")
        trainer_for(FOLDER_, CURVE, EarlyStoppingCallback(stop=stop), **how).train()
    except es.MissingMetricError as error:
        seen["missing"] = str(error)
    return seen


if __name__ == "__main__":
    results = {"lightning": lightning, "transformers": transformers}[FRAMEWORK]()
    (FOLDER_ / f"{RANK}.json").write_text(json.dumps(results))
