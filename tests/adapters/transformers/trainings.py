"""Real trainings of a tiny model, whose evaluations are a curve that the test gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import EvalLoopOutput

__all__ = ["STEPS", "CurveTrainer", "trainer_for"]

STEPS = 4  # in an epoch


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: Any = None, labels: Any = None) -> dict[str, Any]:
        return {"loss": (self.weight * x).square().mean(), "logits": self.weight * x}


class Data(torch.utils.data.Dataset[Any]):
    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"x": torch.ones(1), "labels": torch.ones(1)}


class CurveTrainer(Trainer):
    """Evaluates to the n-th value of a curve after step n."""

    curve: Any
    more: Any = {}  # noqa: RUF012  # further metrics, of each evaluation

    def evaluation_loop(self, dataloader: Any, description: str, *rest: Any, **kw: Any) -> Any:
        prefix = kw.get("metric_key_prefix", "eval")
        loss = float(self.curve[self.state.global_step])
        metrics = {f"{prefix}_loss": loss, **{f"{prefix}_{n}": x for n, x in self.more.items()}}
        return EvalLoopOutput(None, None, metrics, 1)


def trainer_for(folder: Path, curve: Any, *callbacks: Any, **settings: Any) -> CurveTrainer:
    evaluated, made = settings.pop("eval_dataset", Data(2)), settings.pop("made", CurveTrainer)
    settings = {
        **{"per_device_train_batch_size": 2, "num_train_epochs": 20, "report_to": "none"},
        **{"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True},
        **{"metric_for_best_model": "loss", "disable_tqdm": True, "use_cpu": True},
        **{"logging_strategy": "no", "save_only_model": False},
        **settings,
    }
    trainer: CurveTrainer = made(
        Net(),
        TrainingArguments(str(folder), **settings),
        train_dataset=Data(2 * STEPS),
        eval_dataset=evaluated,
        callbacks=list(callbacks),
    )
    trainer.curve = curve
    trainer.pop_callback(_printer())
    return trainer


def _printer() -> Any:
    from transformers import PrinterCallback

    return PrinterCallback
