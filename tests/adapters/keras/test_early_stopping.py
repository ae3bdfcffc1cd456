"""`EarlyStopping`: Keras's decisions, and those of any rule."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import pytest
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.adapters.keras.driven import curves, drive, modes, nan
from tests.support.keras_runs import Model

KerasEarlyStopping = keras.callbacks.EarlyStopping
KerasModelCheckpoint = keras.callbacks.ModelCheckpoint


@given(
    curve=curves,
    patience=st.integers(0, 9),
    mode=modes,
    min_delta=st.sampled_from([0, 1 / 64, 0.1, 0.2, -0.1, 1e-4]),
    start=st.integers(0, 4),
    first=st.integers(0, 3),
    restore=st.booleans(),
)
def test_it_stops_and_restores_where_keras_does(
    curve: list[float],
    patience: int,
    mode: str,
    min_delta: float,
    start: int,
    first: int,
    restore: bool,
) -> None:
    # The first epoch that counts must be a number that is finite.
    if start > first and not math.isfinite(curve[min(start - first, len(curve) - 1)]):
        return
    arguments = ("m", min_delta, patience, 0, mode, None, restore, start)
    ours, theirs = EarlyStopping(*arguments), KerasEarlyStopping(*arguments)
    stop, model = drive(ours, list(curve), first=first)
    expected, other = drive(theirs, list(curve), first=first)
    assert stop == expected
    assert model.epoch == other.epoch
    assert ours.stopped_epoch == theirs.stopped_epoch
    assert ours.wait == theirs.wait
    assert (ours.best, ours.best_epoch) == (theirs.best, theirs.best_epoch)
    assert bool(ours.stopped_reason) == (stop >= 0)


@given(curve=curves, patience=st.integers(0, 9), mode=modes, gain=st.integers(1, 64))
def test_with_a_baseline_that_the_first_epoch_beats_it_stops_where_keras_does(
    curve: list[float], patience: int, mode: str, gain: int
) -> None:
    baseline = curve[0] + gain / 8 * (1 if mode == "min" else -1)
    arguments = ("m", 0, patience, 0, mode, baseline, True)
    stop, model = drive(EarlyStopping(*arguments), list(curve))
    expected, other = drive(KerasEarlyStopping(*arguments), list(curve))
    assert (stop, model.epoch) == (expected, other.epoch)


class Compiled(keras.src.trainers.compile_utils.MetricsList):
    """Metrics as `compile` puts them together."""

    def __init__(self, metric: Any) -> None:
        super().__init__([metric])


@pytest.mark.parametrize(
    ("monitor", "metric"),
    [
        ("loss", None),
        ("val_loss", None),
        ("val_auc", keras.metrics.AUC(name="auc")),
        ("val_topology", keras.metrics.CategoricalAccuracy(name="topology")),
        ("r", keras.metrics.MeanSquaredError(name="r")),
        ("score", keras.metrics.R2Score(name="score")),
    ],
)
def test_a_compiled_metric_knows_its_direction(monitor: str, metric: Any) -> None:
    results = []
    for kind in (EarlyStopping, KerasEarlyStopping):
        model = Model()
        model.metrics = () if metric is None else (Compiled(metric),)
        callback = kind(monitor, patience=1)
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, value in enumerate([1.0, 2.0]):
            callback.on_epoch_end(epoch, {monitor: value})
        results.append(model.stop_training)
    assert results[0] == results[1]


def test_any_rule_stops_and_any_rule_saves(tmp_path: Path) -> None:
    callback = EarlyStopping(
        stop=es.Patience("val_loss", 9) | es.NonFinite("loss"),
        save=es.Best("val_acc"),
        restore_best_weights=True,
    )
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, (loss, accuracy) in enumerate([(1.0, 0.5), (0.9, 0.7), (nan, 0.6)]):
        model.epoch = epoch
        callback.on_epoch_end(epoch, {"loss": loss, "val_loss": loss, "val_accuracy": accuracy})
    callback.on_train_end()
    assert (callback.stopped_epoch, callback.stopped_reason) == (2, "loss is nan")
    assert (callback.best, callback.best_epoch, model.epoch) == (0.7, 1, 1)
    saved = drive(ModelCheckpoint(tmp_path / "m.keras", save=es.Every(2)), [1.0] * 5)[1].saved
    assert saved == [1, 3]
    assert drive(EarlyStopping(stop=es.TimeLimit(1e-9)), [1.0])[0] == 0


@pytest.mark.parametrize("checkpoint_first", [True, False])
def test_a_shared_stopper_decides_once_for_both_callbacks(
    checkpoint_first: bool, tmp_path: Path
) -> None:
    stopper = es.Stopper(es.Patience("m", 2, mode="min"), save=es.Best("m", mode="min"))
    early = EarlyStopping(stop=stopper, restore_best_weights=True)
    checkpoint = ModelCheckpoint(tmp_path / "m.keras", save=stopper)
    both = [checkpoint, early] if checkpoint_first else [early, checkpoint]
    for _ in range(2):  # two fits
        model = Model()
        callbacks = keras.callbacks.CallbackList(both)
        callbacks.set_model(model)
        callbacks.on_train_begin()
        for epoch, value in enumerate([3.0, 1.0, 2.0, 2.0]):
            model.epoch = epoch
            callbacks.on_epoch_begin(epoch)
            callbacks.on_epoch_end(epoch, {"m": value})
        callbacks.on_train_end()
        assert model.stop_training
        assert (stopper.epoch, early.stopped_epoch, model.saved, model.epoch) == (4, 3, [0, 1], 1)


def test_epochs_without_validation_do_not_count_if_others_have_it() -> None:
    curve = [None, 1.0, None, 2.0, None, 2.0]
    with pytest.warns(UserWarning, match="no metric 'val_loss': available metrics: loss"):
        assert drive(EarlyStopping("val_loss", patience=2), curve, "val_loss", loss=1.0)[0] == 5
    with (
        pytest.warns(UserWarning, match="this is an error at the end"),
        pytest.raises(es.MissingMetricError, match="no epoch reported the metric 'val_loss'"),
    ):
        drive(EarlyStopping("val_loss"), [None, None], loss=1.0)
    with pytest.raises(es.MissingMetricError, match="no metric 'val_loss'"):
        drive(EarlyStopping("val_loss", on_missing="raise"), curve, "val_loss", loss=1.0)
    callback = EarlyStopping("val_loss", on_missing="skip")
    assert drive(callback, [None, None], loss=1.0)[0] == -1
    stopper = es.EarlyStopping("val_loss")
    with pytest.raises(es.MissingMetricError, match="on_missing"):
        drive(EarlyStopping(stop=stopper), curve, "val_loss", loss=1.0)
