"""What stands in Keras's logs: numbers in any form, metrics of some epochs only, and notes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint

import earlystop as es
from tests.adapters.keras.driven import drive
from tests.adapters.keras.fits import X, Y, fit, network
from tests.support.keras_runs import train

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.keras"))


@pytest.mark.parametrize("number", [np.float32, lambda x: np.array([x]), lambda x: np.array([[x]])])
def test_a_metric_of_one_element_is_a_number(number: Any, tmp_path: Path) -> None:
    curve = [number(0.5), number(0.75), number(0.25)]
    early = EarlyStopping("f1", mode="max", patience=1)
    assert drive(early, curve, "f1")[0] == 2
    assert (early.best, early.best_epoch) == (0.75, 1)
    drive(
        ModelCheckpoint(tmp_path / "{epoch}-{f1:.2f}.keras", "f1", mode="max", save_top_k=1),
        curve,
        "f1",
    )
    assert names(tmp_path) == ["2-0.75.keras"]


def test_the_f1_score_of_keras_can_be_monitored(tmp_path: Path) -> None:
    model = network()
    score = keras.metrics.F1Score(average=None, threshold=0.5, name="f1")
    model.compile("adam", "mse", metrics=[score])
    labels = (Y > 0).astype("float32")
    early = EarlyStopping("val_f1", patience=2)
    checkpoint = ModelCheckpoint(tmp_path / "{val_f1:.2f}.keras", "val_f1", save_best_only=True)
    data: Any = {"data": (X[:40], labels[:40]), "validation_data": (X[40:], labels[40:])}
    history = fit(model, early, checkpoint, epochs=3, **data).history
    assert early.best == max(float(value[0]) for value in history["val_f1"])
    assert names(tmp_path)[-1] == f"{early.best:.2f}.keras"


def test_a_metric_that_is_none_or_no_number_is_told_as_such(tmp_path: Path) -> None:
    def callbacks(monitor: str) -> list[Any]:
        settings: Any = {"mode": "max"}
        return [
            EarlyStopping(monitor, **settings),
            EarlyStopping(stop=es.Patience(monitor, 3, **settings)),
            ModelCheckpoint(tmp_path / "m.keras", monitor, save_best_only=True, **settings),
            ModelCheckpoint(tmp_path / "{epoch}.keras", monitor, save_top_k=2, **settings),
        ]

    for value, text in (
        (None, "got None: leave"),
        ("x", "got the text"),
        (np.ones(2), "got an arr"),
    ):
        for callback in callbacks("val_acc"):
            logs = {"loss": 1.0, "val_accuracy": value}
            with pytest.raises(es.MetricError, match=f"'val_accuracy' must be one real .*{text}"):
                train(callback, [logs])
            callback.close()
    with pytest.raises(es.MetricError, match="'note' must be one real number, got the text 'x'"):
        train(ModelCheckpoint(tmp_path / "{epoch}-{note}.keras"), [{"note": "x"}])


def test_what_is_no_number_and_nobody_asks_for_is_left_out(tmp_path: Path) -> None:
    others = {"note": "warm", "none": None, "confusion": np.ones((2, 2)), "nested": {"a": 1},
              "list": [1.0], "both": 1j, "huge": 10**400}  # fmt: skip
    logs = [{"m": value, **others} for value in (2.0, 1.0, 3.0)]
    early = EarlyStopping("m", mode="min", patience=1)
    assert train(early, logs)[0] == 2
    train(ModelCheckpoint(tmp_path / "{epoch}.keras", "m", mode="min", save_top_k=1), logs)
    assert names(tmp_path) == ["2.keras"]


def test_a_name_says_none_for_a_metric_of_an_epoch_without_validation(tmp_path: Path) -> None:
    path = tmp_path / "{epoch}-{val_loss:.1f}.keras"
    drive(ModelCheckpoint(path), [None, 0.5, None, 0.25], "val_loss", loss=1.0)
    assert names(tmp_path) == ["1-none.keras", "2-0.5.keras", "3-none.keras", "4-0.2.keras"]


@pytest.mark.filterwarnings("ignore:.*no metric 'val_loss'")
@pytest.mark.parametrize(
    ("settings", "saved"),
    [
        ({}, ["1-none.keras", "2-", "3-none.keras", "4-"]),
        ({"save_best_only": True}, ["2-", "4-"]),
        ({"save": es.Every(3)}, ["3-none.keras"]),
        ({"save_top_k": 1}, ["4-"]),
        ({"save_freq": 2}, ["1-none.keras", "2-none.keras", "3-none.keras", "4-none.keras"]),
    ],
    ids=",".join,
)
def test_a_fit_that_validates_every_other_epoch_ends_whatever_the_name_asks_for(
    settings: Any, saved: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "{epoch}-{val_loss:.4f}.keras"
    history = fit(network(), ModelCheckpoint(path, **settings), epochs=4, validation_freq=2)
    assert len(history.epoch) == 4
    found = names(tmp_path)
    assert len(found) == len(saved)
    assert all(name.startswith(start) for name, start in zip(found, saved, strict=True))


def test_a_metric_in_a_name_that_no_validation_explains_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "{epoch}-{val_los}.keras"
    with pytest.raises(es.MissingMetricError, match=r"'val_los'.*did you mean 'val_loss'"):
        drive(ModelCheckpoint(path), [1.0], "val_loss")
    callback = ModelCheckpoint(tmp_path / "{epoch}-{val_loss}.keras", on_missing="raise")
    with pytest.raises(es.MissingMetricError, match="asks for 'val_loss'"):
        drive(callback, [None], loss=1.0)
    callback = ModelCheckpoint(tmp_path / "{epoch}-{score:.2f}.keras", on_missing="skip")
    drive(callback, [None], loss=1.0)
    assert names(tmp_path) == ["1-none.keras"]


def test_a_name_that_cannot_be_made_is_refused_when_the_callback_is(tmp_path: Path) -> None:
    for template in ("{epoch:.4x}.keras", "{epoch}-{loss:d}.keras", "{epoch", "{}.keras"):
        with pytest.raises(es.RuleError):
            ModelCheckpoint(tmp_path / template.removesuffix(".keras") / "m.keras")
