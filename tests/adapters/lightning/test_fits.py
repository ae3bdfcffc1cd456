"""Facts of Lightning that the callback has to know, each in a real fit."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from earlystop.adapters.lightning import EarlyStopping
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

import earlystop as es
from tests.adapters.lightning.fits import BATCHES, Curve, data, fit, trainer_for

FALLING = [1 - i / 400 for i in range(400)]
# One value an epoch: the best is that of epoch 2.
TURNING = [abs(i // BATCHES - 2) / 10 + 0.5 for i in range(400)]


def test_neither_the_sanity_check_nor_validate_is_a_check(tmp_path: Path) -> None:
    callback = EarlyStopping("val_loss", patience=2, check_on_train_epoch_end=False)
    trainer = trainer_for(tmp_path, callback, num_sanity_val_steps=2, max_epochs=3)
    fit(trainer, Curve(FALLING))
    trainer.validate(Curve(FALLING), data(1), verbose=False)
    assert callback.stopper.checks == 3
    assert float(callback.best_score) == pytest.approx(FALLING[3 * BATCHES - 1])


def test_min_epochs_trains_on_after_the_stop_and_changes_nothing(tmp_path: Path) -> None:
    callback = EarlyStopping("val_loss", patience=1)
    trainer = trainer_for(tmp_path, callback, min_epochs=9)
    fit(trainer, Curve(TURNING))
    assert trainer.current_epoch == 9
    assert (callback.stopped_epoch, callback.stopper.checks) == (3, 4)


@pytest.mark.parametrize(
    ("how", "checks", "epoch"),
    [
        ({"val_check_interval": 0.25}, 12, 3),
        ({"check_val_every_n_epoch": 2}, 1, 1),
        ({"check_val_every_n_epoch": None, "val_check_interval": 3}, 4, 3),
        ({}, 3, 2),
    ],
)
def test_checks_are_counted_not_epochs_and_say_where_they_stand(
    how: Any, checks: int, epoch: float, tmp_path: Path
) -> None:
    callback = EarlyStopping("val_loss", patience=99)
    fit(trainer_for(tmp_path, callback, max_epochs=3, **how), Curve(FALLING))
    stopper = callback.stopper
    assert (stopper.checks, stopper.best_epoch) == (checks, epoch)
    assert stopper.best_step == (2 if "check_val_every_n_epoch" in how and checks == 1 else 3) * 4


def test_two_callbacks_on_one_monitor_each_decide_and_two_of_the_same_are_refused(
    tmp_path: Path,
) -> None:
    short, long = EarlyStopping("val_loss", patience=1), EarlyStopping("val_loss", patience=9)
    assert short.state_key != long.state_key
    fit(trainer_for(tmp_path, long, short), Curve(TURNING))
    assert (short.stopped_epoch, long.stopped_reason, long.stopper.checks) == (3, "", 4)
    with pytest.raises(RuntimeError, match="more than one stateful callback"):
        trainer_for(tmp_path, EarlyStopping("val_loss"), EarlyStopping("val_loss"))


def test_a_missing_metric_is_an_error_that_names_those_there_are_unless_not_strict(
    tmp_path: Path,
) -> None:
    with pytest.raises(
        es.MissingMetricError, match=r"no metric 'val_los'.*did you mean 'val_loss'"
    ):
        fit(trainer_for(tmp_path, EarlyStopping("val_los")), Curve(FALLING))
    callback = EarlyStopping("val_los", strict=False)
    fit(trainer_for(tmp_path, callback, max_epochs=4), Curve(FALLING))
    assert callback.stopper.checks == 0  # a check without the metric is none


def test_a_metric_of_the_train_epoch_is_there_at_the_end_of_it(tmp_path: Path) -> None:
    class Logs(Curve):
        def on_train_epoch_end(self) -> None:
            self.log("late", float(self.trainer.current_epoch))

    for cls in (EarlyStopping, LightningEarlyStopping):
        callback = cls("late", patience=2)
        fit(trainer_for(tmp_path, callback), Logs(FALLING))
        assert callback.stopped_epoch == 2


def test_metrics_that_nobody_asked_about_may_be_anything(tmp_path: Path) -> None:
    class Logs(Curve):
        def on_validation_epoch_end(self) -> None:
            super().on_validation_epoch_end()
            self.log("epoch", 0.0)  # no position
            self.log("step", 7.0)

    callback = EarlyStopping(stop=es.MaxSteps(8), save=es.Best("val_loss"))
    trainer = trainer_for(tmp_path, callback)
    fit(trainer, Logs(FALLING))
    assert trainer.global_step == 8
    assert "8" in callback.stopped_reason


def test_a_fit_in_which_no_step_is_taken_is_no_error(tmp_path: Path) -> None:
    class Manual(Curve):
        automatic_optimization = False

        def training_step(self, batch: Any, index: int) -> None:
            if self.trainer.current_epoch == 1:
                self.optimizers().step()

    callback = EarlyStopping("val_loss", patience=2, check_on_train_epoch_end=False)
    fit(trainer_for(tmp_path, callback, val_check_interval=0.5), Manual(TURNING))
    assert callback.stopper.checks > 4


def test_float64_metrics_are_compared_in_float64(tmp_path: Path) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        tiny = [1 - 1e-12 * i for i in range(400)]
        callback = EarlyStopping("val_loss", patience=1)
        fit(trainer_for(tmp_path, callback, max_epochs=4), Curve(tiny, torch.float64))
        assert callback.stopped_reason == ""
        assert callback.best_score.dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_fit_from_the_beginning_begins_anew_and_one_that_continues_does_not(
    tmp_path: Path,
) -> None:
    callback = EarlyStopping("val_loss", patience=9)
    trainer = trainer_for(tmp_path, callback, max_epochs=2)
    model = Curve(TURNING)
    fit(trainer, model)
    trainer.fit_loop.max_epochs = 4
    fit(trainer, model)
    assert callback.stopper.checks == 4
    fit(trainer_for(tmp_path, callback, max_epochs=3), Curve(TURNING))
    assert callback.stopper.checks == 3


def test_a_shared_stopper_decides_once_and_begins_anew_with_each_fit(tmp_path: Path) -> None:
    stopper = es.EarlyStopping("val_loss", patience=2)
    callback = EarlyStopping(stop=stopper)
    for _ in range(2):
        fit(trainer_for(tmp_path, callback), Curve(TURNING))
        assert (stopper.checks, stopper.best_epoch, callback.stopped_epoch) == (5, 2, 4)


def test_the_best_is_saved_where_best_path_says(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    callback = EarlyStopping("val_loss", patience=2, best_path=path)
    fit(trainer_for(tmp_path, callback), Curve(TURNING))
    saved = torch.load(path, weights_only=True)
    assert saved["epoch"] == callback.stopper.best_epoch == 2
    state = saved["callbacks"][callback.state_key]
    assert state["session"]["stopper"]["best_check"] == 2


def test_a_best_that_cannot_be_saved_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = EarlyStopping("val_loss", best_path=tmp_path / "best.ckpt")
    trainer = trainer_for(tmp_path, callback)

    def fails(path: Any, *arguments: Any, **settings: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(trainer, "save_checkpoint", fails)
    with pytest.raises(OSError, match="disk full"):
        fit(trainer, Curve(TURNING))
    assert callback.stopper.best_check is None
    assert callback.stopper.checks == 0


def test_beside_a_model_checkpoint_both_find_the_same_best(tmp_path: Path) -> None:
    saved = pl.callbacks.ModelCheckpoint(tmp_path, monitor="val_loss", filename="{epoch}")
    callback = EarlyStopping("val_loss", patience=2)
    fit(trainer_for(tmp_path, saved, callback, enable_checkpointing=True), Curve(TURNING))
    assert Path(saved.best_model_path).name == f"epoch={callback.stopper.best_epoch}.ckpt"


def test_verbose_tells_by_lightning_s_logger_and_rank_zero_only_is_heeded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = {}
    for verbose in (False, True):
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="lightning.pytorch.callbacks.early_stopping"):
            callback = EarlyStopping("val_loss", patience=1, verbose=verbose)
            fit(trainer_for(tmp_path, callback), Curve(TURNING))
        said[verbose] = [m for m in caplog.messages if "EarlyStopping" in m]
    assert said[False] == []
    assert said[True] == [
        "EarlyStopping: new best at epoch 0, step 4: val_loss 0.7",
        "EarlyStopping: new best at epoch 1, step 8: val_loss 0.6",
        "EarlyStopping: new best at epoch 2, step 12: val_loss 0.5",
        f"EarlyStopping: epoch 3, step 16: stop: {callback.stopped_reason}",
    ]
    assert callback.stopping_reason_message == callback.stopped_reason != ""


def test_the_trainer_of_either_package_takes_it_for_its_own(tmp_path: Path) -> None:
    import pytorch_lightning

    callback = EarlyStopping("val_loss", patience=1, stopping_threshold=0.55)
    for module in (pl, pytorch_lightning):
        trainer = trainer_for(tmp_path, callback, cls=module.Trainer)
        assert trainer.early_stopping_callback is callback
        callback.setup(trainer, None, "fit")
        reason = module.callbacks.early_stopping.EarlyStoppingReason
        assert callback.stopping_reason is reason.NOT_STOPPED


def test_pytorch_lightning_fits_with_it(tmp_path: Path) -> None:
    import pytorch_lightning

    class Model(pytorch_lightning.LightningModule):
        training_step, validation_step = Curve.training_step, Curve.validation_step
        on_validation_epoch_end = Curve.on_validation_epoch_end
        configure_optimizers = Curve.configure_optimizers

        def __init__(self, curve: Any) -> None:
            super().__init__()
            self.layer, self.curve = torch.nn.Linear(1, 1), curve
            self.dtype_, self.logged = torch.float32, {}

    callback = EarlyStopping("val_loss", patience=1, stopping_threshold=0.55)
    fit(trainer_for(tmp_path, callback, cls=pytorch_lightning.Trainer), Model(TURNING))
    assert callback.stopped_epoch == 2
    assert callback.stopped_reason == "val_loss is 0.5, better than 0.55"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"`EarlyStopping\(monitor=...\)` is missing: name the metric"),
        ({"monitor": "loss", "stop": es.MaxEpochs(3)}, "takes the place of.*leave out monitor"),
        ({"monitor": "loss", "save": es.Best("loss")}, "goes with `stop="),
        ({"monitor": 3}, r"`EarlyStopping\(monitor=...\)` must be"),
        ({"monitor": "loss", "patience": -1}, r"`EarlyStopping\(patience=...\)` is below 0"),
        ({"monitor": "loss", "patience": "3"}, r"`EarlyStopping\(patience=...\)` must be"),
        ({"monitor": "loss", "patience": 2.5}, r"`EarlyStopping\(patience=...\)` must be"),
        ({"monitor": "loss", "mode": "down"}, r"`EarlyStopping\(mode=...\)` .*'min', 'max'"),
        ({"monitor": "loss", "min_delta": "0"}, r"`EarlyStopping\(min_delta=...\)` must be"),
        ({"monitor": "x", "stopping_threshold": "1"}, r"`EarlyStopping\(stopping_threshold=...\)`"),
        ({"monitor": "x", "divergence_threshold": "1"}, r"\(divergence_threshold=...\)` must be"),
        ({"stop": es.MaxEpochs(3), "best_path": "best.ckpt"}, "which is the best"),
        ({"monitor": "val_loss", "best_path": "run/"}, "such as 'run/best.ckpt'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_at_once(arguments: Any, message: str) -> None:
    with pytest.raises(es.RuleError, match=message):
        EarlyStopping(**arguments)
