"""Where the callbacks differ from Keras's on purpose: each has a test, and is documented."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint

import earlystop as es
from tests.adapters.keras.driven import drive, inf, nan
from tests.support.keras_runs import Model

KerasEarlyStopping = keras.callbacks.EarlyStopping
KerasModelCheckpoint = keras.callbacks.ModelCheckpoint


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


def test_differs_a_missing_metric_is_an_error_that_lists_the_logged_ones(tmp_path: Path) -> None:
    for callback in (
        EarlyStopping("val_los", mode="min"),
        EarlyStopping(stop=es.Patience("val_los", 3, mode="min")),
        ModelCheckpoint(tmp_path / "m.keras", "val_los", save_best_only=True, mode="min"),
        ModelCheckpoint(tmp_path / "{epoch}.keras", "val_los", save_top_k=2, mode="min"),
    ):
        with pytest.raises(
            es.MissingMetricError, match="no metric 'val_los': available metrics: loss, val_lo"
        ):
            drive(callback, [1.0], "val_loss", loss=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = drive(
            KerasModelCheckpoint(tmp_path / "m.keras", "nope", save_best_only=True, mode="min"),
            [1.0, 2.0],
        )[1].saved
    assert saved == [0, 1]
    with pytest.raises(es.MissingMetricError, match=r"available metrics: .*epoch, loss"):
        drive(ModelCheckpoint(tmp_path / "{epoch}-{acc}.keras"), [1.0], "loss")
    with pytest.raises(es.MetricError, match="'m' must be one real number, got an array"):
        drive(ModelCheckpoint(tmp_path / "m.keras", "m", save_best_only=True, mode="min"),
              [np.ones(2)])  # fmt: skip


def test_differs_unknown_modes_and_invalid_numbers_are_errors(tmp_path: Path) -> None:
    for call, text in (
        (lambda: EarlyStopping(mode="lowest"), r"`EarlyStopping\(mode=...\)` must be \"auto\""),
        (lambda: EarlyStopping(patience=-1), r"`EarlyStopping\(patience=...\)` must be a whole"),
        (lambda: EarlyStopping(patience=1.5), r"`EarlyStopping\(patience=...\)` must be a whole"),
        (lambda: EarlyStopping(start_from_epoch=-1), r"start_from_epoch=...\)` must be a whole"),
        (lambda: ModelCheckpoint("m.keras", save_best_only=True, mode="x"), r"mode=...\)` must be"),
        (lambda: ModelCheckpoint("m.keras", initial_value_threshold=nan), "must be a finite numbe"),
        (lambda: ModelCheckpoint("m.h5", save_weights_only=True), r"must end in \.weights\.h5"),
        (lambda: ModelCheckpoint("m.pt"), r"must end in \.keras or \.h5 or \.hdf5"),
        (lambda: ModelCheckpoint("gs://b/m.keras"), "path of this machine"),
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


def test_differs_a_metric_unknown_to_keras_takes_its_direction_from_its_name() -> None:
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


def test_differs_the_best_of_one_model_says_nothing_about_another(tmp_path: Path) -> None:
    saved = []
    for kind in (ModelCheckpoint, KerasModelCheckpoint):
        callback = kind(tmp_path / "{epoch}.keras", "m", save_best_only=True, mode="min")
        saved.append([drive(callback, curve)[1].saved for curve in ([2.0, 1.0], [4.0, 3.0])])
    assert saved == [[[0, 1], [0, 1]], [[0, 1], []]]


def test_differs_a_name_says_none_for_an_epoch_without_validation(tmp_path: Path) -> None:
    path = tmp_path / "{epoch}-{val_loss:.2f}.keras"
    assert drive(ModelCheckpoint(path), [None, 1.0], "val_loss", loss=1.0)[1].saved == [0, 1]
    assert (tmp_path / "1-none.keras").exists()
    with pytest.raises(KeyError, match="val_loss"):
        drive(KerasModelCheckpoint(path), [None, 1.0], "val_loss", loss=1.0)


def test_the_docstrings_list_every_difference() -> None:
    text = Path(__file__).read_text()
    tests = re.findall(r"^def test_differs_", text, re.M)
    docs = [kind.__doc__ or "" for kind in (EarlyStopping, ModelCheckpoint)]
    listed = [re.findall(r"^    - ", doc, re.M) for doc in docs]
    assert len(tests) >= 9
    assert [len(each) for each in listed] == [6, 7]
