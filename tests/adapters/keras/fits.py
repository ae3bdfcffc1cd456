"""A small network, and data to fit it on."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

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
