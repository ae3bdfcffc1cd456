"""Keras's EarlyStopping and ModelCheckpoint, and ours, on the same curves."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras.callbacks import EarlyStopping as KerasEarlyStopping
from keras.callbacks import ModelCheckpoint as KerasModelCheckpoint

import earlystop as es
from tests.adapters.peers.curves import any_float, curves, inf, modes, nan, ours, patience


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


@given(
    curve=curves(any_float),
    n=st.integers(0, 12),
    mode=modes,
    min_delta=st.sampled_from([0.0, 0.1, 1e-4, 1e-9]),
    start=st.integers(0, 5),
)
def test_patience_in_float32_stops_where_keras_stops_on_any_curve(
    curve: list[float], n: int, mode: str, min_delta: float, start: int
) -> None:
    callback = KerasEarlyStopping(
        "loss", min_delta=min_delta, patience=n, mode=mode, start_from_epoch=start
    )
    rule = patience(n, mode, min_delta=min_delta, start_from_epoch=start, dtype="float32")
    assert ours(rule, curve)[0] == keras(callback, curve)[0]


@given(curve=curves(any_float), mode=modes, baseline=st.none() | any_float)
def test_best_in_float32_saves_where_keras_saves_on_any_curve(
    curve: list[float], mode: str, baseline: float | None
) -> None:
    callback = KerasModelCheckpoint(
        "unused.keras",
        monitor="loss",
        mode=mode,
        save_best_only=True,
        initial_value_threshold=baseline,
    )
    _, model = keras(callback, list(curve))
    best = es.Best("loss", mode=mode, baseline=baseline, dtype="float32")
    assert ours(es.Never(), curve, best)[1] == model.saved


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
    assert ours(patience(2, dtype="float32"), curve)[0] == 2


def test_differs_from_keras_the_best_of_the_first_epochs_is_kept() -> None:
    curve = [1.0, 3.0, 2.0, 4.0, 4.0]
    callback = KerasEarlyStopping(
        "loss", patience=2, mode="min", start_from_epoch=1, restore_best_weights=True
    )
    stop, model = keras(callback, list(curve))
    assert (stop, model.epoch) == (4, 2)
    stop_epoch, saves = ours(patience(2, start_from_epoch=1), curve, es.Best("loss"))
    assert (stop_epoch, saves) == (4, [0])


def test_differs_from_keras_a_missing_metric_is_an_error_unless_on_missing_is_skip() -> None:
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
