"""Two well-known tutorials on early stopping, with Keras's callbacks and with ours.

    python -m benchmarks.agreement.tutorials [--mnist FOLDER] [--wine wine.csv] [--epochs 3000]

1.  A network with two hidden neurons on 700 images of digits, 300 to validate: without a stop, with
    patience 0 and with patience 20 (tykimos.github.io, 2017-07-09).
2.  Red wine from white: a checkpoint of each new best, named by epoch and loss; patience 100; both.

From the same seed, both kinds of callbacks must end after the same epochs, with the same weights
and the same files. Without arguments, the data sets of scikit-learn are used, which are smaller and
easier: its digits, and its wines (the first sort against the rest).
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

KINDS = {
    "Keras's": (keras.callbacks.EarlyStopping, keras.callbacks.ModelCheckpoint),
    "ours": (EarlyStopping, ModelCheckpoint),
}


class Result(NamedTuple):
    """What a run came to; equal results are equal to the last bit."""

    epochs: int
    best_epoch: int  # counted from 1, by val_loss
    best: float
    loss: float  # on what was not trained on
    accuracy: float
    files: tuple[str, ...]
    weights: tuple[bytes, ...]


def result(model: Any, history: Any, x: Any, y: Any, files: tuple[str, ...] = ()) -> Result:
    losses = history.history["val_loss"]
    loss, accuracy = model.evaluate(x, y, verbose=0, batch_size=1000)
    weights = tuple(np.asarray(array).tobytes() for array in model.get_weights())
    best = int(np.argmin(losses))
    return Result(len(losses), best + 1, losses[best], loss, accuracy, files, weights)


# Digits -------------------------------------------------------------------------------------------


def idx(path: Path) -> Any:
    data = gzip.decompress(path.read_bytes())
    dimensions = data[3]
    shape = np.frombuffer(data, ">i4", dimensions, 4)
    return np.frombuffer(data, "u1", -1, 4 + 4 * dimensions).reshape(shape)


def digits(folder: Path | None, seed: int) -> tuple[Any, ...]:
    """700 to train, 300 to validate, the rest to test: images and labels of each."""
    generator = np.random.RandomState(seed)
    if folder is None:
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        order = generator.permutation(len(images))
        images, labels = images[order].astype("float32") / 16, labels[order]
        parts = slice(700), slice(700, 1000), slice(1000, None)
        return tuple(part for cut in parts for part in (images[cut], labels[cut]))
    images, labels, test, test_labels = (
        idx(folder / f"{name}.gz")
        for name in (
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        )
    )
    images, test = (x.reshape(len(x), -1).astype("float32") / 255 for x in (images, test))
    train, validation = generator.choice(50000, 700), 50000 + generator.choice(10000, 300)
    chosen = images[train], labels[train], images[validation], labels[validation]
    return (*chosen, test, test_labels)


def overfitting(
    data: tuple[Any, ...], patience: int | None, kind: Any, epochs: int, seed: int
) -> Result:
    x, y, x_val, y_val, x_test, y_test = data
    y, y_val, y_test = (keras.utils.to_categorical(labels, 10) for labels in (y, y_val, y_test))
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((x.shape[1],)),
            keras.layers.Dense(2, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
    history = model.fit(
        x,
        y,
        epochs=epochs,
        batch_size=10,
        verbose=0,
        validation_data=(x_val, y_val),
        callbacks=[] if patience is None else [kind[0](patience=patience)],
    )
    return result(model, history, x_test, y_test)


# Wine ---------------------------------------------------------------------------------------------


def wine(path: Path | None, seed: int) -> tuple[Any, Any]:
    """Measurements and the colour, shuffled."""
    if path is None:
        from sklearn.datasets import load_wine

        x, sort = load_wine(return_X_y=True)
        table = np.column_stack([(x - x.mean(axis=0)) / x.std(axis=0), sort == 0])
    else:
        table = np.loadtxt(path, delimiter=",")
    table = table[np.random.RandomState(seed).permutation(len(table))]
    return table[:, :-1].astype("float32"), table[:, -1].astype("float32")


def colours(
    data: tuple[Any, Any],
    share: float,
    patience: int | None,
    saves: bool,
    kind: Any,
    seed: int,
    **fit: Any,
) -> Result:
    x, y = data
    count = round(share * len(x))
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((x.shape[1],)),
            keras.layers.Dense(30, activation="relu"),
            keras.layers.Dense(12, activation="relu"),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    early, checkpoint = kind
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        template = f"{folder}/{{epoch:04d}}-{{val_loss:.4f}}.keras"
        callbacks = []
        if patience is not None:
            callbacks.append(early(monitor="val_loss", patience=patience))
        if saves:
            callbacks.append(
                checkpoint(filepath=template, monitor="val_loss", verbose=0, save_best_only=True)
            )
        history = model.fit(
            x[:count],
            y[:count],
            validation_split=0.2,
            verbose=0,
            callbacks=callbacks,
            **fit,
        )
        files = tuple(sorted(os.listdir(folder)))
        if files:  # the best is what was saved last
            model = keras.models.load_model(f"{folder}/{files[-1]}")
    unseen = slice(count, None) if count < len(x) else slice(round(0.8 * count), None)
    return result(model, history, x[unseen], y[unseen], files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--mnist", type=Path, help="a folder with MNIST's four files")
    parser.add_argument("--wine", type=Path, help="wine.csv: twelve measurements and the colour")
    parser.add_argument("--epochs", type=int, default=3000, help="of the run without a stop")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    seed = arguments.seed
    images, bottles = digits(arguments.mnist, seed), wine(arguments.wine, seed)
    first, second = {"epochs": 200, "batch_size": 200}, {"epochs": 2000, "batch_size": 500}
    runs: dict[str, Any] = {
        f"1: patience {patience}"
        if patience is not None
        else "1: no stop": lambda kind, p=patience: overfitting(
            images, p, kind, arguments.epochs, seed
        )
        for patience in (None, 0, 20)
    }
    runs["2: each best saved"] = lambda kind: colours(bottles, 1.0, None, True, kind, seed, **first)
    runs["2: patience 100"] = lambda kind: colours(bottles, 0.15, 100, False, kind, seed, **second)
    runs["2: both"] = lambda kind: colours(bottles, 0.15, 100, True, kind, seed, **second)
    table = Table(
        title=f"Keras {keras.__version__} ({keras.backend.backend()}), "
        f"{'MNIST' if arguments.mnist else 'digits'}, {arguments.wine or 'wines'}",
        box=SIMPLE_HEAD,
    )
    for heading in ("run", "callbacks"):
        table.add_column(heading)
    for heading in ("epochs", "best at", "val_loss", "test loss", "accuracy", "files", "seconds"):
        table.add_column(heading, justify="right")
    differing = []
    for name, run in runs.items():
        results = []
        for whose, kind in KINDS.items():
            began = time.perf_counter()
            results.append(run(kind))
            seconds = time.perf_counter() - began
            r = results[-1]
            figures = f"{r.best:.4f}", f"{r.loss:.4f}", f"{r.accuracy:.4f}", str(len(r.files))
            table.add_row(name, whose, str(r.epochs), str(r.best_epoch), *figures, f"{seconds:.0f}")
            if name == "1: no stop":
                break  # there are no callbacks to compare
        if len(set(results)) > 1:
            differing.append(name)
    Console(width=110).print(table)
    print(f"differing: {', '.join(differing)}" if differing else "the same in every run")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
