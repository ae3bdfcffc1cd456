"""Real fits, beside those with Keras's own callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint

from tests.adapters.keras.fits import X, Y, fit, network, same_weights

KerasEarlyStopping = keras.callbacks.EarlyStopping
KerasModelCheckpoint = keras.callbacks.ModelCheckpoint

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:You are saving your model"
)


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
def test_in_a_real_fit_they_do_what_the_callbacks_of_keras_do(
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


def test_callbacks_can_be_reused_like_those_of_keras(tmp_path: Path) -> None:
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
