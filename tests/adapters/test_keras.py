"""The Keras adapter: Keras's decisions, file names and messages, what differs, and what is more."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from earlystop.adapters.keras import EarlyStopping, KerasBest, KerasPatience, ModelCheckpoint
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.checkpoints import read_ledger

nan, inf = math.nan, math.inf
KerasEarlyStopping = keras.callbacks.EarlyStopping
KerasModelCheckpoint = keras.callbacks.ModelCheckpoint

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:You are saving your model"
)


# Callbacks driven by hand -------------------------------------------------------------------------


class Model:
    """What a callback asks of a model; its weights are the number of the epoch."""

    stop_training = False
    metrics: tuple[Any, ...] = ()

    def __init__(self) -> None:
        self.epoch = -1
        self.saved: list[int] = []

    def get_weights(self) -> list[Any]:
        return [np.array(float(self.epoch))]

    def set_weights(self, weights: list[Any]) -> None:
        self.epoch = int(weights[0])

    def save(self, path: str, **_: Any) -> None:
        self.saved.append(self.epoch)
        Path(path).write_text(str(self.epoch))

    save_weights = save


def drive(
    callback: Any, curve: list[float | None], name: str = "m", first: int = 0, **more: float
) -> tuple[int, Model]:
    """Goes through the epochs as `fit` does; gives the one that was the last (-1: none was)."""
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    stop = -1
    for epoch, value in enumerate(curve, first):
        model.epoch = epoch
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {**({} if value is None else {name: value}), **more})
        if model.stop_training:
            stop = epoch
            break
    callback.on_train_end()
    return stop, model


small = st.integers(-200, 200).map(lambda n: n / 64)
decimal = st.integers(-50, 50).map(lambda n: n / 10)  # ties at a min_delta of 0.1 up to rounding
any_float = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6)
value = small | decimal | any_float
curves = st.lists(value, min_size=1, max_size=40) | st.tuples(
    value, st.lists(value | st.sampled_from([nan, inf, -inf]), max_size=30)
).map(lambda made: [made[0], *made[1]])
modes = st.sampled_from(["min", "max"])


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


@given(
    curve=curves,
    mode=modes,
    best_only=st.booleans(),
    threshold=st.none() | small | st.sampled_from([inf, -inf]),
    template=st.sampled_from(["m", "{epoch:03d}", "{epoch}-{m:.2f}", "run{epoch}/x{m:.1e}"]),
    weights=st.booleans(),
)
def test_it_saves_what_keras_saves(
    curve: list[float],
    mode: str,
    best_only: bool,
    threshold: float | None,
    template: str,
    weights: bool,
) -> None:
    found = []
    for kind in (ModelCheckpoint, KerasModelCheckpoint):
        with tempfile.TemporaryDirectory() as folder:
            ending = ".weights.h5" if weights else ".keras"
            callback = kind(
                f"{folder}/{template}{ending}", "m", 0, best_only, weights, mode, "epoch", threshold
            )
            _, model = drive(callback, list(curve))
            files = {
                str(path.relative_to(folder)): path.read_text()
                for path in Path(folder).rglob("*")
                if path.is_file()
            }
            found.append((model.saved, callback.best, files))
    assert found[0] == found[1]


@pytest.mark.parametrize("save_freq", [1, 3, 4, 7])
@pytest.mark.parametrize("per_execution", [1, 3])
def test_it_saves_after_as_many_batches_as_keras(
    save_freq: int, per_execution: int, tmp_path: Path
) -> None:
    saved = []
    for kind in (ModelCheckpoint, KerasModelCheckpoint):
        callback = kind(tmp_path / "{epoch}-{batch}.keras", save_freq=save_freq)
        model = Model()
        callback.set_model(model)
        callback.on_train_begin()
        for epoch in range(3):
            callback.on_epoch_begin(epoch)
            for batch in range(per_execution - 1, 10, per_execution):
                model.epoch = 100 * epoch + batch
                callback.on_train_batch_end(batch, {"loss": 1.0})
            callback.on_epoch_end(epoch, {"loss": 1.0})
        saved.append((model.saved, sorted(path.name for path in tmp_path.iterdir())))
    assert saved[0] == saved[1]


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
def test_a_compiled_metric_says_its_direction(monitor: str, metric: Any) -> None:
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


# What differs from Keras on purpose ---------------------------------------------------------------


@pytest.mark.parametrize("first", [nan, inf])
def test_differs_a_nan_or_infinity_first_is_not_the_best(first: float, tmp_path: Path) -> None:
    curve = [first, 5.0, first, 4.0, 3.0]
    ours, theirs = (
        drive(kind("m", patience=2, mode="min", restore_best_weights=True), list(curve))
        for kind in (EarlyStopping, KerasEarlyStopping)
    )
    assert (ours[0], ours[1].epoch) == (-1, 4)
    assert (theirs[0], theirs[1].epoch) == ((2, 0) if first != first else (-1, 4))
    saved = [
        drive(kind(tmp_path / "m.keras", "m", save_best_only=True, mode="min"), list(curve))[1]
        for kind in (ModelCheckpoint, KerasModelCheckpoint)
    ]
    assert saved[0].saved == [1, 3, 4]
    assert saved[1].saved == ([0] if first != first else [0, 1, 3, 4])


def test_differs_creeping_below_a_baseline_ends_the_run() -> None:
    curve: list[float | None] = [5.0 - epoch / 64 for epoch in range(60)]
    arguments: Any = {"patience": 3, "mode": "min", "baseline": 1.0}
    assert drive(EarlyStopping("m", **arguments), curve)[0] == 2
    assert drive(KerasEarlyStopping("m", **arguments), curve)[0] == -1
    arguments["patience"] = 0
    assert drive(EarlyStopping("m", **arguments), curve)[0] == 0


def test_differs_a_missing_metric_is_an_error_that_lists_those_there_are(tmp_path: Path) -> None:
    for callback in (
        EarlyStopping("val_los", mode="min"),
        EarlyStopping(stop=es.Patience("val_los", 3, mode="min")),
        ModelCheckpoint(tmp_path / "m.keras", "val_los", save_best_only=True, mode="min"),
        ModelCheckpoint(tmp_path / "{epoch}.keras", "val_los", save_top_k=2, mode="min"),
    ):
        with pytest.raises(
            es.MissingMetricError, match="no metric 'val_los': the metrics there are: loss, val_lo"
        ):
            drive(callback, [1.0], "val_loss", loss=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = drive(
            KerasModelCheckpoint(tmp_path / "m.keras", "nope", save_best_only=True, mode="min"),
            [1.0, 2.0],
        )[1].saved
    assert saved == [0, 1]
    with pytest.raises(es.MissingMetricError, match=r"the metrics there are: .*epoch, loss"):
        drive(ModelCheckpoint(tmp_path / "{epoch}-{acc}.keras"), [1.0], "loss")
    with pytest.raises(es.MetricError, match="'m' must be one real number, got an array"):
        drive(ModelCheckpoint(tmp_path / "m.keras", "m", save_best_only=True, mode="min"),
              [np.ones(2)])  # fmt: skip


def test_differs_unknown_modes_and_senseless_numbers_are_errors(tmp_path: Path) -> None:
    for call, text in (
        (lambda: EarlyStopping(mode="lowest"), r"`EarlyStopping\(mode=...\)` must be \"auto\""),
        (lambda: EarlyStopping(patience=-1), r"`EarlyStopping\(patience=...\)` must be a whole"),
        (lambda: EarlyStopping(patience=1.5), r"`EarlyStopping\(patience=...\)` must be a whole"),
        (lambda: EarlyStopping(start_from_epoch=-1), r"start_from_epoch=...\)` must be a whole"),
        (lambda: ModelCheckpoint("m.keras", save_best_only=True, mode="x"), r"mode=...\)` must be"),
        (lambda: ModelCheckpoint("m.keras", initial_value_threshold=nan), "must be a finite numbe"),
        (lambda: ModelCheckpoint("m.h5", save_weights_only=True), r"must end in \.weights\.h5"),
        (lambda: ModelCheckpoint("m.pt"), r"must end in \.keras or \.h5 or \.hdf5"),
        (lambda: ModelCheckpoint("gs://b/m.keras"), "of a local file"),
        (lambda: ModelCheckpoint("m.keras", save_freq="batch"), r"save_freq=...\)` must be a whol"),
        (lambda: ModelCheckpoint("m.keras", save_freq=0), r"save_freq=...\)` must be a whole"),
        (lambda: ModelCheckpoint("m.keras", save=es.Every(2), save_best_only=True), "one of them"),
        (lambda: ModelCheckpoint("m.keras", save="best"), "must be a rule or a Stopper"),
        (lambda: ModelCheckpoint("{epoch}.keras", save_top_k=2, save_freq=3), "whole epochs"),
        (lambda: EarlyStopping(stop=es.MaxEpochs(3), patience=3), "takes the place of monitor"),
        (lambda: EarlyStopping(save=es.Best("loss")), r"goes with `stop=...`"),
        (lambda: EarlyStopping(stop=es.Stopper(es.Never()), save=es.Best("loss")), "its own save"),
        (lambda: EarlyStopping(stop=es.Never(), restore_best_weights=True), "pass save=Best"),
        (lambda: EarlyStopping(on_missing="warn"), r'on_missing=...\)` must be "auto"'),
    ):
        with pytest.raises(es.RuleError, match=text):
            call()


def test_differs_a_metric_that_keras_cannot_tell_goes_by_its_name() -> None:
    with pytest.raises(ValueError, match="isn't able to"):
        drive(KerasEarlyStopping("val_out1_loss"), [1.0], "val_out1_loss")
    assert drive(EarlyStopping("val_out1_loss"), [1.0, 2.0], "val_out1_loss")[0] == 1
    with pytest.raises(es.RuleError, match="pass mode="):
        drive(EarlyStopping("val_mystery"), [1.0], "val_mystery")


def test_differs_nothing_is_restored_where_nothing_was_the_best() -> None:
    arguments: Any = {"patience": 3, "mode": "min", "restore_best_weights": True}
    assert drive(EarlyStopping("m", **arguments), [nan] * 5)[1].epoch == 2
    assert drive(KerasEarlyStopping("m", **arguments), [nan] * 5)[1].epoch == 0


def test_differs_the_first_epoch_of_saving_by_batches_is_like_the_others(tmp_path: Path) -> None:
    callback = ModelCheckpoint(tmp_path / "m.keras", "loss", save_best_only=True, save_freq=1)
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    for batch, loss in enumerate([3.0, 4.0, 2.0]):
        model.epoch = batch
        callback.on_train_batch_end(batch, {"loss": loss})
    assert model.saved == [0, 2]


# Messages -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def printed() -> Iterator[io.StringIO]:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        yield output


@pytest.mark.parametrize("best_only", [True, False])
def test_it_says_what_keras_says_and_why(best_only: bool, tmp_path: Path) -> None:
    curve = [0.684, 0.575, 0.6, 0.49886, 0.5, 0.51, 0.52]
    texts = []
    for early, checkpoint in (
        (EarlyStopping, ModelCheckpoint),
        (KerasEarlyStopping, KerasModelCheckpoint),
    ):
        with printed() as output:
            drive(checkpoint(tmp_path / "m.keras", "m", 1, best_only, mode="min"), list(curve))
            drive(early("m", 0, 2, 1, "min", None, True), list(curve))
        texts.append(output.getvalue())
    why = ": m has not improved on 0.49886 (epoch 4) by more than 0 for 2 epochs"
    assert why in texts[0]
    assert texts[0].replace(why, "") == texts[1]


def test_values_are_printed_in_digits_that_tell_them_apart(tmp_path: Path) -> None:
    with printed() as output:
        drive(ModelCheckpoint(tmp_path / "m.keras", "m", 1, True, mode="min"), [0.37, 0.369999])
    assert "m improved from 0.37 to 0.369999, saving" in output.getvalue()


def test_where_keras_logs_instead_of_printing_so_do_these(caplog: pytest.LogCaptureFixture) -> None:
    keras.config.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", logger="absl"), printed() as output:
            drive(EarlyStopping("m", verbose=1, mode="min"), [1.0, 1.0])
    finally:
        keras.config.enable_interactive_logging()
    assert output.getvalue() == ""
    assert "Epoch 2: early stopping" in caplog.text


# More than Keras ----------------------------------------------------------------------------------


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
def test_a_stopper_that_is_shared_decides_once_for_both(
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


def test_the_best_few_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "{epoch:02d}-{m:.1f}.keras"
    with printed() as output:
        _, model = drive(
            ModelCheckpoint(path, "m", 1, mode="min", save_top_k=2), [3.0, 2.0, nan, 2.5, 9.0, 1.0]
        )
    assert model.saved == [0, 1, 3, 5]
    assert {path.name for path in tmp_path.glob("*.keras")} == {"02-2.0.keras", "06-1.0.keras"}
    assert [entry.epoch for entry in read_ledger(tmp_path)] == [1, 5]
    assert "Epoch 4: m 2.5 is among the best 2, saved to" in output.getvalue()
    assert "Epoch 5: m 9.0 is not among the best 2, not saved" in output.getvalue()
    with pytest.raises(es.CheckpointError, match="pass resume=True"):
        drive(ModelCheckpoint(path, "m", mode="min", save_top_k=2), [1.0])
    with pytest.raises(es.CheckpointError, match="holds a run of 6 epochs, and this fit begins w"):
        drive(ModelCheckpoint(path, "m", mode="min", save_top_k=2, resume=True), [1.0])
    callback = ModelCheckpoint(path, "m", mode="min", save_top_k=2, resume=True)
    drive(callback, [1.5, 0.5], first=6)
    assert {path.name for path in tmp_path.glob("*.keras")} == {"06-1.0.keras", "08-0.5.keras"}


def test_accuracy_goes_by_its_old_name_and_the_new_one(tmp_path: Path) -> None:
    for logged, asked in (("val_accuracy", "val_acc"), ("val_acc", "val_accuracy")):
        path = tmp_path / f"{{epoch:02d}}-{{{asked}:.4f}}.keras"
        callback = ModelCheckpoint(path, asked, save_best_only=True)
        drive(callback, [0.5, 0.75], logged)
        assert (tmp_path / "02-0.7500.keras").exists()
        assert drive(EarlyStopping(asked, patience=2), [0.5, 0.6, 0.5, 0.5], logged)[0] == 3


def test_the_old_ending_of_the_tutorials_works(tmp_path: Path) -> None:
    path = tmp_path / "model" / "{epoch:04d}-{val_loss:.4f}.hdf5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = network()
        fit(
            model, ModelCheckpoint(filepath=path, monitor="val_loss", save_best_only=True), epochs=2
        )
    newest = max((tmp_path / "model").iterdir())
    assert same_weights(keras.models.load_model(newest, compile=False), model)


def test_names_from_templates_stay_in_the_folder(tmp_path: Path) -> None:
    for template in ("{epoch:/>9}.keras", "a/{epoch:.>3}/x.keras", "{epoch.__class__}.keras"):
        with pytest.raises((es.RuleError, es.MissingMetricError)):
            drive(ModelCheckpoint(tmp_path / "in" / template), [1.0])
    assert not list(tmp_path.rglob("*.keras"))
    drive(ModelCheckpoint(tmp_path / "in" / ".." / "{{out}}{epoch}.keras"), [1.0])
    assert (tmp_path / "{out}1.keras").exists()


def test_a_save_that_fails_leaves_the_file_there_was(tmp_path: Path) -> None:
    class Full(Model):
        def save(self, path: str, **_: Any) -> None:
            super().save(path)
            if self.epoch == 1:
                raise OSError(28, "No space left on device")

    callback = ModelCheckpoint(tmp_path / "m.keras", "m", save_best_only=True, mode="min")
    model = Full()
    callback.set_model(model)
    callback.on_train_begin()
    model.epoch = 0
    callback.on_epoch_end(0, {"m": 2.0})
    model.epoch = 1
    with pytest.raises(es.CheckpointError, match=r"m\.keras' cannot be written: No space left"):
        callback.on_epoch_end(1, {"m": 1.0})
    assert os.listdir(tmp_path) == ["m.keras"]
    assert (tmp_path / "m.keras").read_text() == "0"
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(es.CheckpointError, match="cannot be written: Is a directory"):
        drive(ModelCheckpoint(tmp_path / "folder.keras"), [1.0])


def test_epochs_without_validation_do_not_count_if_others_have_it() -> None:
    curve = [None, 1.0, None, 2.0, None, 2.0]
    with pytest.warns(UserWarning, match="no metric 'val_loss': the metrics there are: loss"):
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


# Real fits ----------------------------------------------------------------------------------------

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4)).astype("float32")
Y = (X[:, :1] + 0.5 * X[:, 1:2] * X[:, 2:3] + 0.3 * rng.normal(size=(60, 1))).astype("float32")


def network(**settings: Any) -> Any:
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.03), "mse", metrics=["mae"], **settings)
    return model


def fit(model: Any, *callbacks: Any, epochs: int = 40, **settings: Any) -> Any:
    arguments = {"validation_data": (X[40:], Y[40:]), "batch_size": 20, "verbose": 0, **settings}
    data = arguments.pop("data", (X[:40], Y[:40]))
    return model.fit(*data, epochs=epochs, callbacks=list(callbacks), **arguments)


def same_weights(one: Any, other: Any) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def generated() -> Iterator[Any]:
    while True:
        yield X[:20], Y[:20]
        yield X[20:40], Y[20:40]


@pytest.mark.parametrize(
    ("compiling", "fitting"),
    [
        ({}, {}),
        ({"jit_compile": True}, {}),
        ({"steps_per_execution": 2}, {}),
        ({}, {"validation_freq": 2}),
        ({}, {"data": "generator", "steps_per_epoch": 2, "batch_size": None}),
    ],
    ids=["plain", "jit_compile", "steps_per_execution", "validation_freq", "generator"],
)
@pytest.mark.filterwarnings("ignore:.*metric.*val_loss", "ignore:Can save best model only")
def test_in_a_real_fit_all_is_as_with_keras_s_own(
    compiling: Any, fitting: Any, tmp_path: Path
) -> None:
    if keras.backend.backend() == "torch":  # needs a compiler of C++ for one, refuses the other
        compiling = {}
    results = []
    for name, early, checkpoint in (
        ("ours", EarlyStopping, ModelCheckpoint),
        ("theirs", KerasEarlyStopping, KerasModelCheckpoint),
    ):
        settings = dict(fitting)
        if settings.get("data") == "generator":
            settings["data"] = (generated(),)
        model = network(**compiling)
        path = str(tmp_path / name / "{epoch:02d}.keras")
        if "validation_freq" in fitting:
            path = path.replace(".keras", "-{loss:.3f}.keras")
        callbacks = [early(patience=3, restore_best_weights=True)]
        if "validation_freq" not in fitting or name == "ours":  # Keras saves what is not validated
            callbacks.append(checkpoint(path, save_best_only=True))
        history = fit(model, *callbacks, epochs=150, **settings)
        results.append((history.history, callbacks[0], model, tmp_path / name))
    (ours, callback, model, folder), (theirs, keras_s, other, keras_folder) = results
    assert ours == theirs
    assert callback.stopped_epoch == keras_s.stopped_epoch > 3
    assert callback.best == keras_s.best
    assert same_weights(model, other)
    files = sorted(path.name for path in folder.iterdir())
    if "validation_freq" not in fitting:
        assert files == sorted(path.name for path in keras_folder.iterdir())
    assert same_weights(keras.models.load_model(folder / files[-1]), model)


def test_several_outputs_have_a_loss_each(tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    outputs = {name: keras.layers.Dense(1, name=name)(inputs) for name in ("out1", "out2")}
    model = keras.Model(inputs, outputs)
    model.compile("adam", {"out1": "mse", "out2": "mse"})
    history = fit(
        model,
        EarlyStopping("val_out1_loss", patience=1),
        ModelCheckpoint(tmp_path / "{epoch}-{val_out1_loss:.1f}.keras", "out2_loss", save_top_k=1),
        data=(X[:40], {"out1": Y[:40], "out2": -Y[:40]}),
        validation_data=(X[40:], {"out1": Y[40:], "out2": -Y[40:]}),
        epochs=3,
    )
    assert "val_out1_loss" in history.history
    assert len(list(tmp_path.glob("*.keras"))) == 1


def test_callbacks_are_used_again_as_keras_s_are(tmp_path: Path) -> None:
    results = []
    for name, early, checkpoint in (
        ("ours", EarlyStopping, ModelCheckpoint),
        ("theirs", KerasEarlyStopping, KerasModelCheckpoint),
    ):
        path = tmp_path / f"{name}.keras"
        callbacks = (
            early(patience=2, restore_best_weights=True),
            checkpoint(path, save_best_only=True),
        )
        model = network()
        lengths = [len(fit(model, *callbacks, epochs=30).epoch) for _ in range(3)]
        results.append((lengths, callbacks[0].best, callbacks[1].best))
    assert results[0] == results[1]


class Interrupt(keras.callbacks.Callback):
    def __init__(self, epoch: int, at_end: bool) -> None:
        super().__init__()
        self.epoch, self.at_end = epoch, at_end

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.epoch and not self.at_end:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.epoch and self.at_end:
            raise KeyboardInterrupt


@pytest.mark.parametrize("ranked", [True, False])
@pytest.mark.parametrize("between", [True, False])
def test_a_fit_that_is_resumed_goes_on_as_if_never_interrupted(
    between: bool, ranked: bool, tmp_path: Path
) -> None:
    """Interrupted again and again: between epochs, or after ours and before Keras's backup."""

    def callbacks(folder: Path) -> list[Any]:
        early = EarlyStopping(patience=2, restore_best_weights=True, backup_dir=folder / "state")
        if ranked:
            path = folder / "models" / "{epoch}.keras"
            return [early, ModelCheckpoint(path, save_top_k=2, resume=True)]
        path = folder / "best.keras"
        return [early, ModelCheckpoint(path, save_best_only=True, backup_dir=folder / "state")]

    whole, model = callbacks(tmp_path / "whole"), network()
    history = fit(model, *whole, shuffle=False)
    assert whole[0].stopped_epoch > 7

    for interrupted in (2, 3, 7, None):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "keras")
        parts, other = callbacks(tmp_path / "parts"), network()
        stop = [] if interrupted is None else [Interrupt(interrupted, at_end=not between)]
        with contextlib.suppress(KeyboardInterrupt):
            fit(other, *parts, *stop, backup, shuffle=False)
        for callback in parts:
            callback._close()  # as the end of the process does
    assert parts[0].stopped_epoch == len(history.epoch) - 1
    assert (parts[0].best, parts[0].best_epoch) == (whole[0].best, whole[0].best_epoch)
    assert parts[0].stopped_reason == whole[0].stopped_reason
    assert same_weights(model, other)
    assert parts[1].best == whole[1].best
    kept = [sorted(p.name for p in (tmp_path / x).rglob("*.keras")) for x in ("whole", "parts")]
    assert kept[0] == kept[1]
    for name in kept[0]:
        one, two = (next((tmp_path / x).rglob(name)) for x in ("whole", "parts"))
        assert same_weights(keras.models.load_model(one), keras.models.load_model(two))
    del callback, parts, whole
    gc.collect()
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.parametrize("ranked", [True, False])
@pytest.mark.parametrize("epochs", [40, 7])
def test_a_fit_that_is_killed_once_ours_have_ended_still_has_its_best(
    epochs: int, ranked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BackupAndRestore, which comes last, resumes it: there is its backup, there must be ours."""
    import earlystop.adapters.keras as adapter

    def fitted() -> tuple[Any, ...]:
        early = EarlyStopping(patience=2, restore_best_weights=True, backup_dir=tmp_path / "state")
        settings: Any = {"save_best_only": True, "backup_dir": tmp_path / "state"}
        if ranked:
            settings = {"save_top_k": 1, "resume": True}
        checkpoint = ModelCheckpoint(tmp_path / "{epoch}.keras", **settings)
        backup = keras.callbacks.BackupAndRestore(tmp_path / "keras", delete_checkpoint=False)
        model = network()
        fit(model, early, checkpoint, backup, shuffle=False, epochs=epochs)
        return early, model, sorted(path.name for path in tmp_path.glob("*.keras"))

    early, model, files = fitted()
    monkeypatch.setattr(adapter, "_HERE", "another process")
    again, other, files_again = fitted()
    assert files_again == files
    assert same_weights(other, model)
    assert (again.best, again.best_epoch) == (early.best, early.best_epoch)
    assert (again.stopped_epoch, again.stopped_reason) == (
        early.stopped_epoch,
        early.stopped_reason,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_fit_that_is_killed_again_and_again_ends_as_if_left_alone() -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "KERAS_BACKEND": "torch"}
    command = [sys.executable, str(root / "benchmarks" / "kill.py"), "--what", "keras"]
    done = subprocess.run(
        [*command, "--kills", "8"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "     8 kills\n" in done.stdout
    assert "runs that ended as if left alone" in done.stdout
    assert "nothing was lost" in done.stdout


def test_a_resumed_fit_that_cannot_know_the_best_warns_before_it_writes_over_it(
    tmp_path: Path,
) -> None:
    def saved(first: int, **settings: Any) -> list[int]:
        callback = ModelCheckpoint(
            tmp_path / "best.keras", "m", save_best_only=True, mode="min", **settings
        )
        return drive(callback, [2.0, 1.0], first=first)[1].saved

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert saved(3) == [3, 4]  # there is no such file yet
        assert saved(0) == [0, 1]
        assert saved(2, initial_value_threshold=0.5) == []
        assert saved(2, backup_dir=tmp_path / "state") == [2, 3]
    with pytest.warns(UserWarning, match="begins with epoch 3, and how good the model in"):
        assert saved(2) == [2, 3]


def test_once_a_fit_has_ended_another_begins_anew(tmp_path: Path) -> None:
    for first in (0, 3, 0):  # after three epochs, from the first again, and with others
        callback = EarlyStopping("m", patience=2, mode="min", backup_dir=tmp_path)
        assert drive(callback, [1.0, 2.0, 3.0], first=first)[0] == first + 2
        assert callback.best_epoch == first


def test_a_state_of_another_run_is_refused(tmp_path: Path) -> None:
    def callback(patience: int = 9) -> EarlyStopping:
        return EarlyStopping("m", patience=patience, mode="min", backup_dir=tmp_path)

    def interrupted(epochs: int, first: int = 0, patience: int = 9) -> None:
        begun = callback(patience)
        begun.set_model(Model())
        begun.on_train_begin()
        for epoch in range(first, first + epochs):
            begun.on_epoch_end(epoch, {"m": 1.0})
        begun._close()

    interrupted(3)
    with pytest.raises(
        es.CheckpointError, match="holds a run of 3 epochs, and this fit begins wit"
    ):
        interrupted(1)
    with pytest.raises(es.CheckpointError, match="list this callback before BackupAndRestore"):
        interrupted(1, first=5)
    with pytest.raises(es.StateError, match="saved by other rules"):
        interrupted(1, first=3, patience=4)
    interrupted(2, first=3)
    (ledger,) = tmp_path.rglob("checkpoints.json")
    text = ledger.read_text()
    ledger.write_text(text.replace('"offset"', '"other"'))
    with pytest.raises(es.StateError, match="is not of a callback: no 'offset'"):
        interrupted(1, first=5)
    assert json.loads(text)["checkpoints"][-1]["state"]["stopper"]["epoch"] == 5


def test_a_run_that_was_killed_when_it_had_stopped_stays_stopped(tmp_path: Path) -> None:
    def run(first: int, curve: list[float]) -> tuple[EarlyStopping, Model]:
        callback = EarlyStopping(
            "m", patience=1, mode="min", restore_best_weights=True, backup_dir=tmp_path
        )
        model = Model()
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, value in enumerate(curve, first):
            model.epoch = epoch
            callback.on_epoch_end(epoch, {"m": value})
        return callback, model

    killed, _ = run(0, [2.0, 1.0, 3.0])
    killed._close()
    callback, model = run(3, [0.5])
    assert model.stop_training
    callback.on_train_end()
    assert (callback.stopped_epoch, callback.best_epoch, model.epoch) == (2, 1, 1)


def test_weights_of_any_type_are_kept_exactly(tmp_path: Path) -> None:
    from earlystop.adapters.keras import _read_weights, _write_weights

    for dtype in ("float32", "bfloat16", "float16", "float64"):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype=dtype)])
        _write_weights(tmp_path / "w.npz", model)
        pairs = zip(_read_weights(tmp_path / "w.npz", model), model.get_weights(), strict=True)
        for read, kept in pairs:
            assert read.dtype == np.asarray(kept).dtype
            assert np.array_equal(read, np.asarray(kept))


# The rules ----------------------------------------------------------------------------------------


@given(
    curve=curves,
    mode=modes,
    patience=st.integers(0, 5),
    min_delta=st.sampled_from([0.0, 0.1]),
    single=st.booleans(),
)
def test_the_rules_replay_as_they_step(
    curve: list[float], mode: Any, patience: int, min_delta: float, single: bool
) -> None:
    stopper = es.Stopper(
        KerasPatience("m", patience, min_delta=min_delta, mode=mode, float32=single),
        save=KerasBest("m", mode=mode, min_delta=min_delta, threshold=1.0, float32=single),
    )
    history = es.History.from_runs([{"m": curve}] * 30)
    with np.errstate(over="ignore"):
        replayed = es.replay(stopper, history)
        decisions = []
        for value in curve:
            decisions.append(stopper.step({"m": value}))
            if decisions[-1].stop:
                break
        assert replayed.decisions(29) == decisions


def test_the_docstrings_list_every_difference() -> None:
    text = Path(__file__).read_text()
    tests = re.findall(r"^def test_differs_", text, re.M)
    docs = [kind.__doc__ or "" for kind in (EarlyStopping, ModelCheckpoint)]
    listed = [re.findall(r"^    - ", doc, re.M) for doc in docs]
    assert len(tests) >= 7
    assert [len(each) for each in listed] == [6, 5]
