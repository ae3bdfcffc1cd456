"""Logs of real trainings, with rows between the validations: replayed in true epochs and steps.

The frameworks train for real, on a loss that is written down, with their own early stopping; what
it did is what a replay of the log must say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import earlystop as es
from earlystop.cli.app import main

VAL_LOSSES = [0.9, 0.7, 0.6, 0.55, 0.56, 0.57, 0.58, 0.5, 0.6, 0.61, 0.62, 0.63]
BATCHES = 12
BEST, LAST = 3, 6  # epochs of the best and of the end, by patience 3


def lightning_log(folder: Path, stop: bool) -> tuple[Path, Any]:
    """A training with Lightning, which logs a row every few steps and one after each validation."""
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import EarlyStopping
    from lightning.pytorch.loggers import CSVLogger

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch: Any, number: int) -> Any:
            loss = self.layer(batch).square().mean()
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch: Any, number: int) -> None:
            self.log("val_loss", VAL_LOSSES[self.current_epoch])

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    callback = EarlyStopping("val_loss", patience=3)
    loader = torch.utils.data.DataLoader(torch.ones(BATCHES, 1), batch_size=1)
    trainer = Trainer(
        max_epochs=len(VAL_LOSSES),
        logger=CSVLogger(folder, flush_logs_every_n_steps=1),
        callbacks=[callback] if stop else [],
        log_every_n_steps=2,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(Module(), loader, loader)
    return Path(trainer.logger.log_dir) / "metrics.csv", callback


def transformers_log(folder: Path, stop: bool) -> tuple[Path, Any]:
    """A training with the Trainer of transformers, which evaluates twice an epoch."""
    from transformers import EarlyStoppingCallback, Trainer, TrainingArguments

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def forward(self, x: Any) -> Any:
            return {"loss": self.layer(x).square().mean()}

    evaluations = iter(VAL_LOSSES)

    class Scripted(Trainer):
        def evaluate(self, *_: Any, **__: Any) -> Any:
            metrics = {"eval_loss": next(evaluations)}
            self.log(metrics)
            self.control = self.callback_handler.on_evaluate(
                self.args, self.state, self.control, metrics
            )
            return metrics

    steps = BATCHES // 2
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=len(VAL_LOSSES) / 2,
        per_device_train_batch_size=1,
        eval_strategy="steps",
        eval_steps=steps,
        save_strategy="steps",
        save_steps=steps,
        logging_steps=2,
        load_best_model_at_end=stop,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    data = [{"x": torch.ones(1)} for _ in range(BATCHES)]
    callbacks = [EarlyStoppingCallback(3)] if stop else []
    trainer = Scripted(
        Model(), arguments, train_dataset=data, eval_dataset=data, callbacks=callbacks
    )
    trainer.train()
    path = folder / "trainer_state.json"
    trainer.state.save_to_json(str(path))
    return path, trainer.state


def replayed(path: Path, monitor: str) -> es.Replay:
    return es.replay(es.EarlyStopping(monitor, patience=3), es.read_history(path))


def told(path: Path, monitor: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the command line says of the same replay."""
    arguments = ["replay", str(path), "--monitor", monitor, "--patience", "3", "--json"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_a_sparse_log_of_lightning_is_replayed_as_its_own_callback_stopped(tmp_path: Path) -> None:
    whole, _ = lightning_log(tmp_path / "whole", stop=False)
    stopped, callback = lightning_log(tmp_path / "stopped", stop=True)
    result = replayed(whole, "val_loss")
    assert callback.stopped_epoch == LAST
    assert (result.epochs.tolist(), result.saved_epoch.tolist()) == ([LAST + 1], [BEST])
    assert result.best.tolist() == [pytest.approx(float(callback.best_score))]
    assert result.steps.tolist() == [BATCHES * (LAST + 1) - 1]
    last = es.read_history(stopped).coordinates["step"].max()
    assert result.steps.tolist() == [last]
    reason = result.decisions(0)[-1].reason
    assert reason == (
        f"val_loss has not improved on 0.55 (epoch {BEST}, step {BATCHES * (BEST + 1) - 1}) "
        "by more than 0 for 3 epochs"
    )
    limited = es.replay(es.MaxEpochs(5), es.read_history(whole), save=es.Best("val_loss"))
    assert (limited.epochs.tolist(), limited.best.tolist()) == ([5], [pytest.approx(0.55)])


def test_a_log_of_transformers_is_replayed_as_its_own_callback_stopped(tmp_path: Path) -> None:
    whole, _ = transformers_log(tmp_path / "whole", stop=False)
    _, state = transformers_log(tmp_path / "stopped", stop=True)
    result = replayed(whole, "eval_loss")
    assert result.steps.tolist() == [state.global_step] == [BATCHES // 2 * (LAST + 1)]
    assert result.best_at("step").tolist() == [state.best_global_step]
    assert result.epochs.tolist() == [pytest.approx(state.epoch)] == [(LAST + 1) / 2]
    assert result.best.tolist() == [state.best_metric]
    reason = result.decisions(0)[-1].reason
    assert reason == (
        "eval_loss has not improved on 0.55 (epoch 2, step 24) by more than 0 for 3 checks"
    )


@pytest.mark.parametrize("tool", ["lightning", "transformers"])
def test_the_command_line_tells_what_python_tells(
    tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, monitor = {
        "lightning": (lightning_log, "val_loss"),
        "transformers": (transformers_log, "eval_loss"),
    }[tool]
    path, _ = make(tmp_path, stop=False)
    capsys.readouterr()
    summary, answer = replayed(path, monitor).summary(), told(path, monitor, capsys)
    (said,) = answer.get("rules", [answer])
    for name in ("epochs", "checks", "unit", "used", "logged", "share_saved"):
        assert said[name] == summary[name], name
