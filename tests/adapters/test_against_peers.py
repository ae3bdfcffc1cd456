"""The real classes of other frameworks and ours, on the same curves.

Each peer is driven as its framework drives it. Where the rule is the same, decisions must agree on
every curve; where ours differs on purpose, a test of its own says how.
"""

from __future__ import annotations

import logging
import math
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine
from ignite.handlers import EarlyStopping as IgniteEarlyStopping
from keras.callbacks import EarlyStopping as KerasEarlyStopping
from keras.callbacks import ModelCheckpoint as KerasModelCheckpoint
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping
from transformers import EarlyStoppingCallback, TrainerControl, TrainerState

import earlystop as es
from tests.support.lightning_trainer import lightning_trainer

nan, inf = math.nan, math.inf

# Multiples of 1/64: float32, float64 and every form of the comparison agree on them exactly, so
# that ties and gains of exactly min_delta come up all the time.
grid = st.integers(-200, 200).map(lambda n: n / 64)
any_float = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6)
modes = st.sampled_from(["min", "max"])


def curves(values: st.SearchStrategy[float] = grid) -> st.SearchStrategy[list[float]]:
    """Curves up to 40 long: noise, and falling ones that turn."""
    falling = st.tuples(st.integers(1, 30), st.lists(grid, min_size=1, max_size=30)).map(
        lambda made: [3.0 - i / 64 + noise / 32 for i, noise in enumerate(made[1] * 2)]
    )
    return st.lists(values, min_size=1, max_size=40) | falling


def ours(rule: es.Rule, curve: list[float], save: es.Rule | None = None) -> tuple[int, list[int]]:
    """The epoch of the stop (-1: none), and the epochs saved."""
    stopper = es.Stopper(rule, save)
    saves = []
    for value in curve:
        decision = stopper.step({"loss": value})
        if decision.save:
            saves.append(decision.epoch)
        if decision.stop:
            return decision.epoch, saves
    return -1, saves


def patience(n: int, mode: str = "min", **settings: Any) -> es.Patience:
    return es.Patience("loss", n, mode=mode, **settings)


# Keras ------------------------------------------------------------------------------------------


class KerasModel:
    """What a callback asks of a model."""

    stop_training = False

    def __init__(self) -> None:
        self.epoch = -1
        self.saved: list[int] = []

    def get_weights(self) -> int:
        return self.epoch

    def set_weights(self, weights: int) -> None:
        self.epoch = weights

    def save(self, *_: Any, **__: Any) -> None:
        self.saved.append(self.epoch)


def keras(callback: Any, curve: list[float | None]) -> tuple[int, KerasModel]:
    model = KerasModel()
    callback.set_model(model)
    callback.on_train_begin()
    stop = -1
    for epoch, value in enumerate(curve):
        model.epoch = epoch
        callback.on_epoch_end(epoch, {"acc": 0.5} if value is None else {"loss": value, "acc": 0.5})
        if model.stop_training:
            stop = epoch
            break
    callback.on_train_end()
    return stop, model


@given(
    curve=curves(),
    n=st.integers(0, 12),
    mode=modes,
    min_delta=st.sampled_from([0.0, 1 / 64, 0.125, 1.0]),
    start=st.integers(0, 5),
)
def test_patience_stops_where_keras_stops(
    curve: list[float], n: int, mode: str, min_delta: float, start: int
) -> None:
    callback = KerasEarlyStopping(
        "loss", min_delta=min_delta, patience=n, mode=mode, start_from_epoch=start
    )
    rule = patience(n, mode, min_delta=min_delta, start_from_epoch=start)
    assert ours(rule, curve)[0] == keras(callback, curve)[0]


@given(curve=curves(), n=st.integers(0, 12), mode=modes)
def test_best_is_the_epoch_that_keras_restores(curve: list[float], n: int, mode: str) -> None:
    callback = KerasEarlyStopping("loss", patience=n, mode=mode, restore_best_weights=True)
    stop, model = keras(callback, curve)
    stopper = es.EarlyStopping("loss", patience=n, mode=mode)
    for value in curve:
        if stopper.step({"loss": value}).stop:
            break
    assert stopper.best_epoch == model.epoch == callback.best_epoch
    assert stopper.epoch - 1 == (stop if stop >= 0 else len(curve) - 1)


@given(curve=curves(), mode=modes)
def test_best_saves_where_keras_saves(curve: list[float], mode: str) -> None:
    callback = KerasModelCheckpoint(
        "unused.keras", monitor="loss", mode=mode, save_best_only=True, verbose=0
    )
    _, model = keras(callback, list(curve))
    saves = ours(es.Never(), curve, es.Best("loss", mode=mode))[1]
    assert saves == model.saved


def test_differs_from_keras_a_nan_first_does_not_stick() -> None:
    curve = [nan, 5.0, 4.0, 3.0, 2.0]
    stop, model = keras(
        KerasEarlyStopping("loss", patience=3, mode="min", restore_best_weights=True), list(curve)
    )
    assert (stop, model.epoch) == (3, 0)  # stops while improving, restores the epoch of the NaN
    assert ours(patience(3), curve, es.Best("loss")) == (-1, [1, 2, 3, 4])


def test_differs_from_keras_an_infinity_first_is_no_improvement() -> None:
    curve = [inf, inf, 1.0]
    assert keras(KerasEarlyStopping("loss", patience=2, mode="min"), list(curve))[0] == -1
    assert ours(patience(2), curve)[0] == 1


def test_differs_from_keras_creeping_below_a_baseline_stops() -> None:
    curve = [5.0 - epoch / 64 for epoch in range(60)]
    callback = KerasEarlyStopping("loss", patience=3, mode="min", baseline=1.0)
    assert keras(callback, list(curve))[0] == -1
    assert ours(patience(3, baseline=1.0), curve)[0] == 2


def test_differs_from_keras_gains_that_float32_cannot_see_count() -> None:
    curve = [1.0 - 1e-9 * epoch for epoch in range(6)]
    assert keras(KerasEarlyStopping("loss", patience=2, mode="min"), list(curve))[0] == 2
    assert ours(patience(2), curve)[0] == -1


def test_differs_from_keras_the_best_of_the_first_epochs_is_kept() -> None:
    curve = [1.0, 3.0, 2.0, 4.0, 4.0]
    callback = KerasEarlyStopping(
        "loss", patience=2, mode="min", start_from_epoch=1, restore_best_weights=True
    )
    stop, model = keras(callback, list(curve))
    assert (stop, model.epoch) == (4, 2)
    stop_epoch, saves = ours(patience(2, start_from_epoch=1), curve, es.Best("loss"))
    assert (stop_epoch, saves) == (4, [0])


def test_differs_from_keras_a_missing_metric_is_an_error_unless_skipping_is_asked_for() -> None:
    curve = [1.0, None, 2.0, None, 2.0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert keras(KerasEarlyStopping("loss", patience=2, mode="min"), curve)[0] == 4
    epochs = [{"acc": 0.5} if value is None else {"loss": value} for value in curve]
    raising = es.Stopper(patience(2))
    raising.step(epochs[0])
    with pytest.raises(es.MissingMetricError):
        raising.step(epochs[1])
    skipping = es.Stopper(patience(2), on_missing="skip")
    assert [skipping.step(metrics).stop for metrics in epochs] == [False] * 4 + [True]


def test_differs_from_keras_epoch_0_may_be_the_last() -> None:
    callback = KerasEarlyStopping("loss", patience=1, mode="min", baseline=1.0)
    assert keras(callback, [2.0, 3.0])[0] == 1
    assert ours(patience(1, baseline=1.0), [2.0, 3.0])[0] == 0
    assert ours(patience(0), [nan, 3.0])[0] == 0


def test_differs_from_keras_a_negative_min_delta_is_an_error() -> None:
    curve = [1.0, 0.95, 0.9]
    stop = keras(KerasEarlyStopping("loss", patience=2, mode="min", min_delta=-0.5), list(curve))[0]
    assert stop == ours(patience(2, min_delta=0.5), curve)[0] == 2
    with pytest.raises(es.RuleError, match=r"of at least 0, got -0\.5"):
        patience(2, min_delta=-0.5)


def test_differs_from_keras_an_unknown_mode_is_an_error() -> None:
    with pytest.warns(UserWarning, match="unknown"):
        KerasEarlyStopping("loss", mode="lowest")
    with pytest.raises(es.RuleError, match="mode"):
        patience(1, "lowest")


def test_differs_from_keras_checkpoints_go_on_after_a_nan() -> None:
    curve = [nan, 2.0, 1.0]
    callback = KerasModelCheckpoint(
        "unused.keras", monitor="loss", mode="min", save_best_only=True, verbose=0
    )
    assert keras(callback, list(curve))[1].saved == [0]
    assert ours(es.Never(), curve, es.Best("loss"))[1] == [1, 2]


# Lightning --------------------------------------------------------------------------------------


def lightning(callback: LightningEarlyStopping, curve: list[float]) -> int:
    trainer = lightning_trainer()
    callback.setup(trainer, None, "fit")
    for epoch, value in enumerate(curve):
        trainer.current_epoch = epoch
        trainer.callback_metrics = {"loss": torch.tensor(value, dtype=torch.float64)}
        callback.on_train_epoch_end(trainer, None)
        if trainer.should_stop:
            return epoch
    return -1


# Arithmetic with a 0-d float64 tensor is float64's, so any float will do here.
with_non_finite = st.one_of(any_float, grid, st.sampled_from([nan, inf, -inf]))


@given(
    curve=curves(with_non_finite),
    n=st.integers(0, 12),
    mode=modes,
    min_delta=st.sampled_from([0.0, 0.1, 1e-4, 0.125]),
)
def test_patience_stops_where_lightning_stops_without_its_finite_check(
    curve: list[float], n: int, mode: str, min_delta: float
) -> None:
    callback = LightningEarlyStopping(
        "loss", min_delta=min_delta, patience=n, mode=mode, check_finite=False
    )
    assert ours(patience(n, mode, min_delta=min_delta), curve)[0] == lightning(callback, curve)


@given(curve=curves(with_non_finite), n=st.integers(0, 12), mode=modes)
def test_lightning_with_its_finite_check_is_patience_or_non_finite(
    curve: list[float], n: int, mode: str
) -> None:
    callback = LightningEarlyStopping("loss", patience=n, mode=mode)
    assert ours(patience(n, mode) | es.NonFinite("loss"), curve)[0] == lightning(callback, curve)


@given(curve=curves(any_float), n=st.integers(1, 12), bound=any_float)
def test_lightning_s_divergence_threshold_is_diverged(
    curve: list[float], n: int, bound: float
) -> None:
    callback = LightningEarlyStopping("loss", patience=n, divergence_threshold=bound)
    assert ours(patience(n) | es.Diverged("loss", bound), curve)[0] == lightning(callback, curve)


def test_differs_from_lightning_a_target_that_is_just_reached_is_reached() -> None:
    curve = [2.0, 1.0, 0.5]
    callback = LightningEarlyStopping("loss", patience=9, stopping_threshold=1.0)
    assert lightning(callback, curve) == 2
    assert ours(es.Threshold("loss", 1.0), curve)[0] == 1


# Ignite -----------------------------------------------------------------------------------------


def ignite(curve: list[float], n: int, mode: str, **settings: Any) -> int:
    trainer = Engine(lambda engine, batch: None)
    scores = iter(curve)
    handler = IgniteEarlyStopping(
        patience=n, score_function=lambda _: next(scores), trainer=trainer, mode=mode, **settings
    )
    handler.logger.setLevel(logging.ERROR)
    stop = -1
    for epoch in range(len(curve)):
        trainer.should_terminate = False
        handler(trainer)
        if trainer.should_terminate:
            stop = epoch
            break
    return stop


@given(
    curve=curves(),
    n=st.integers(1, 12),
    mode=modes,
    min_delta=st.sampled_from([0.0, 1 / 64, 0.125]),
)
def test_patience_stops_where_cumulative_ignite_stops(
    curve: list[float], n: int, mode: str, min_delta: float
) -> None:
    expected = ignite(curve, n, mode, threshold=min_delta, cumulative=True)
    assert ours(patience(n, mode, min_delta=min_delta), curve)[0] == expected


def test_differs_from_ignite_creeping_is_not_forgiven_by_moving_the_reference() -> None:
    curve = [1.0 - 0.0625 * epoch for epoch in range(12)]
    assert ignite(curve, 3, "min", threshold=0.125) == 3
    assert ours(patience(3, min_delta=0.125), curve)[0] == -1


def test_differs_from_ignite_a_nan_is_no_improvement() -> None:
    curve = [1.0, nan, nan, nan, nan]
    assert ignite(curve, 3, "min") == -1
    assert ours(patience(3), curve)[0] == 3


def test_differs_from_ignite_patience_0_is_taken_for_1() -> None:
    with pytest.raises(ValueError, match="patience"):
        ignite([1.0], 0, "min")
    assert ours(patience(0), [1.0, 1.0])[0] == 1


# Transformers -----------------------------------------------------------------------------------


def transformers(curve: list[float], n: int, mode: str, threshold: float = 0.0) -> int:
    callback = EarlyStoppingCallback(n, threshold)
    arguments: Any = SimpleNamespace(
        metric_for_best_model="loss", greater_is_better=mode == "max", load_best_model_at_end=True
    )
    state, control = TrainerState(), TrainerControl()
    is_better = np.greater if mode == "max" else np.less
    for epoch, value in enumerate(curve):
        callback.on_evaluate(arguments, state, control, metrics={"eval_loss": value})
        if control.should_training_stop:
            return epoch
        # The Trainer moves the best after its callbacks.
        if state.best_metric is None or is_better(value, state.best_metric):
            state.best_metric = value
    return -1


@given(curve=curves(any_float), n=st.integers(1, 12), mode=modes)
def test_patience_stops_where_transformers_stops(curve: list[float], n: int, mode: str) -> None:
    assert ours(patience(n, mode), curve)[0] == transformers(curve, n, mode)


def test_differs_from_transformers_patience_0_waits_for_an_epoch_without_improvement() -> None:
    curve = [3.0, 2.0, 1.0, 1.0]
    assert transformers(curve, 0, "min") == 0
    assert ours(patience(0), curve)[0] == 3


def test_differs_from_transformers_creeping_is_not_forgiven_by_moving_the_reference() -> None:
    curve = [1.0 - 0.0625 * epoch for epoch in range(12)]
    assert transformers(curve, 3, "min", threshold=0.125) == 3
    assert ours(patience(3, min_delta=0.125), curve)[0] == -1


# PyTorch ----------------------------------------------------------------------------------------


def reduce_on_plateau(curve: list[float], **settings: Any) -> int:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings)
    for epoch, value in enumerate(curve):
        scheduler.step(value)
        if optimizer.param_groups[0]["lr"] < 1.0:
            return epoch
    return -1


@given(curve=curves(any_float), n=st.integers(0, 12), mode=modes)
def test_pytorch_s_plateau_scheduler_waits_one_epoch_longer_for_the_same_patience(
    curve: list[float], n: int, mode: str
) -> None:
    expected = reduce_on_plateau(curve, patience=n, mode=mode, threshold=0.0)
    assert ours(patience(n + 1, mode), curve)[0] == expected


def test_differs_from_pytorch_a_relative_gain_below_zero_is_still_a_gain() -> None:
    curve = [-1.0, -0.95, -0.95, -0.95, -0.95]  # worse and worse, within 10 % of the best
    assert reduce_on_plateau(curve, patience=1, threshold=0.1, threshold_mode="rel") == -1
    assert ours(patience(2, min_delta=0.1, relative=True), curve)[0] == 2
