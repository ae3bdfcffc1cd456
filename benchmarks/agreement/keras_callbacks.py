"""Keras's callbacks and ours in real fits, on thousands of curves: where they agree, and where not.

    KERAS_BACKEND=jax python -m benchmarks.agreement.keras_callbacks [--curves 3000] [--hooks]

Each curve takes the place of what one metric was in a fit of a small network; the fit runs twice
from the same weights, once with Keras's callback and once with ours of the same arguments. (With
--hooks the callbacks are called as a fit calls them, which is quicker.) Compared are the epochs
run, the best, and the weights in the model at the end, or the files and the weights in them.

What should come out is worked out a third time, by `EarlyStopping` and `ModelCheckpoint` written
down once more below: as Keras has them, and with each difference that the docstrings list. Both
must do what is expected of them; so every curve is either one on which they agree, or counted as
the differences that matter to it. Anything else ends the script with an error.
"""

from __future__ import annotations

import argparse
import collections
import functools
import io
import math
import os
import random
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "torch")

import h5py
import keras
import numpy as np
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint

Curve = list[float | None]
nan, inf = math.nan, math.inf

NAN = "a NaN or a wrong infinity first is not the best"
BASELINE = "creeping below a baseline ends the run"
FIRST = "the first epoch can end the run"
RESTORED = "nothing is restored where nothing was the best"
MISSING = "an epoch that lacks the metric is not saved"
NEVER = "a metric that no epoch has is an error"
MODE = "an unknown mode is an error"
PATIENCE = "a negative patience is an error"
NAMED = "a metric that Keras cannot tell goes by its name"
DIFFERENCES = (MODE, PATIENCE, NAMED, NEVER, NAN, BASELINE, FIRST, MISSING, RESTORED)


class RefusedError(Exception):
    """What is expected is an error."""


class Case(NamedTuple):
    """One curve and the arguments of the callback; `name` is what the metric is called."""

    curve: Curve
    name: str
    arguments: dict[str, Any]


# What should come out -----------------------------------------------------------------------------


def improves(case: Case, value: float, reference: float | None, differs: Collection[str]) -> bool:
    with np.errstate(over="ignore"):
        min_delta = abs(case.arguments.get("min_delta", 0))
        if mode_of(case, differs) == "min":
            gained, worst = np.float32(value + min_delta), np.float32(inf)
        else:
            gained, worst = np.float32(value - min_delta), np.float32(-inf)
        if reference is None and NAN not in differs:
            return True
        against = worst if reference is None else np.float32(reference)
    return bool(gained < against if mode_of(case, differs) == "min" else gained > against)


def mode_of(case: Case, differs: Collection[str]) -> str:
    mode: str = case.arguments["mode"]
    if mode not in ("auto", "min", "max"):
        if MODE in differs:
            raise RefusedError
        mode = "auto"
    if mode != "auto":
        return mode
    direction = {"val_loss": "min", "val_score": "max"}.get(case.name)
    if direction is None and NAMED not in differs:
        raise RefusedError
    return direction or "min"  # of "val_out1_loss"


def stopping(case: Case, differs: Collection[str]) -> Any:
    """The epochs run, the best, its epoch, and the epoch whose weights the model ends with."""
    settings = case.arguments
    if PATIENCE in differs and settings["patience"] < 0:
        raise RefusedError
    mode_of(case, differs)
    best, best_epoch, wait, kept, ends = None, 0, 0, None, len(case.curve)
    baseline = settings["baseline"]
    reference = baseline if BASELINE in differs else None  # what resets the waiting
    for epoch, value in enumerate(case.curve):
        if value is None or epoch < settings["start_from_epoch"]:
            continue
        if kept is None and RESTORED not in differs:
            kept, best_epoch = epoch, epoch
        wait += 1
        is_best = improves(case, value, best, differs)
        resets = improves(case, value, reference, differs) if BASELINE in differs else is_best
        if is_best:
            best, best_epoch, kept = value, epoch, epoch
        if resets:
            reference = value
            if BASELINE in differs or baseline is None or improves(case, value, baseline, differs):
                wait = 0
        elif wait >= settings["patience"] and (epoch > 0 or FIRST in differs):
            ends = epoch + 1
            break
    if NEVER in differs and all(value is None for value in case.curve[:ends]):
        raise RefusedError
    restored = settings["restore_best_weights"] and kept is not None
    return ends, best, best_epoch, kept if restored else ends - 1


def saving(case: Case, differs: Collection[str]) -> Any:
    """The epochs saved, by the name of the file, and the best."""
    settings = case.arguments
    best, files = settings["initial_value_threshold"], {}
    if settings["save_best_only"]:
        mode_of(case, differs)
        if NEVER in differs and all(value is None for value in case.curve):
            raise RefusedError
    elif MODE not in differs:  # Keras asks for the mode all the same
        mode_of(case, differs)
    for epoch, value in enumerate(case.curve):
        saves = True
        if settings["save_best_only"]:
            if value is None:
                saves = MISSING not in differs
            elif saves := improves(case, value, best, differs):
                best = value
        if saves:
            named = {} if value is None else {case.name: value}
            files[settings["filepath"].format(epoch=epoch + 1, **named)] = epoch
    return sorted(files.items()), best


# What does come out -------------------------------------------------------------------------------


class Given(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Puts a curve into the logs of a fit, and remembers the weights of each epoch."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case = case
        self.weights: list[bytes] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = self.case.curve[epoch]
        if value is not None:
            logs[self.case.name] = value
        self.weights.append(packed(self.model.get_weights()))


def packed(weights: Any) -> bytes:
    return b"".join(np.asarray(array).tobytes() for array in weights)


class Network:
    """One network for all fits: nothing is to be compiled anew."""

    def __init__(self, hooks: bool) -> None:
        self.hooks = hooks
        keras.utils.set_random_seed(0)
        self.model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        self.model.compile(
            keras.optimizers.SGD(0.01), "mse", metrics=[keras.metrics.R2Score(name="score")]
        )
        self.x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
        self.model.fit(self.x, self.x[:, :1], verbose=0)  # makes the metrics
        self.begin = self.model.get_weights()

    def fit(self, callback: Any, case: Case) -> tuple[int, list[bytes]]:
        """How many epochs were run, and the weights of each; those at the end last."""
        given = Given(case)
        self.model.set_weights(self.begin)
        if self.hooks:
            self.go_through([given, callback], len(case.curve))
            return len(given.weights), [*given.weights, packed(self.model.get_weights())]
        fitted = self.model.fit(
            self.x,
            self.x[:, :1],
            batch_size=4,
            epochs=len(case.curve),
            verbose=0,
            shuffle=False,
            callbacks=[given, callback],
        )
        return len(fitted.epoch), [*given.weights, packed(self.model.get_weights())]

    def go_through(self, callbacks: list[Any], epochs: int) -> None:
        """What a fit does with its callbacks; between the epochs the weights change."""
        called = keras.callbacks.CallbackList(callbacks, model=self.model)
        self.model.stop_training = False
        called.on_train_begin()
        for epoch in range(epochs):
            called.on_epoch_begin(epoch)
            self.model.set_weights([array + epoch for array in self.begin])
            called.on_epoch_end(epoch, {"loss": 1.0})
            if self.model.stop_training:
                break
        called.on_train_end()


def stopped(network: Network, kind: Any, case: Case) -> Any:
    callback = kind(case.name, **case.arguments)
    epochs, (*weights, left) = network.fit(callback, case)
    return epochs, callback.best, callback.best_epoch, weights.index(left)


def saved(network: Network, kind: Any, case: Case) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        settings = {**case.arguments, "filepath": f"{folder}/{case.arguments['filepath']}"}
        callback = kind(monitor=case.name, **settings)
        _, weights = network.fit(callback, case)
        files = {path.name: weights.index(read(path)) for path in Path(folder).iterdir()}
    return sorted(files.items()), callback.best


def read(path: Path) -> bytes:
    """The weights in a file."""
    data = path.read_bytes()
    if path.suffix == ".keras":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(data), "r") as file:
        (layer,) = file["layers"].values()
        return packed(layer["vars"][name][()] for name in sorted(layer["vars"]))


# Cases --------------------------------------------------------------------------------------------


def curve_of(draw: random.Random, most: int) -> Curve:
    length = draw.randint(1, most)
    kind = draw.choice(["learning", "steps", "decimals", "walk", "wild"])
    curve: Curve = []
    at = draw.uniform(0.5, 2)
    for epoch in range(length):
        if kind == "learning":
            at = 0.3 + 2 ** (-epoch / 4) + draw.gauss(0, 0.05) + 0.02 * max(epoch - length / 2, 0)
        elif kind == "steps":
            at = draw.randint(-8, 8) / 4
        elif kind == "decimals":  # ties at a min_delta of 0.1 up to rounding
            at = draw.randint(0, 9) / 10
        else:
            at += draw.gauss(0, 1e-7 if draw.random() < 0.1 else 0.2)
        curve.append(at)
    if kind == "wild" or draw.random() < 0.1:
        for epoch in range(length):
            if draw.random() < (0.5 if epoch == 0 else 0.15):
                curve[epoch] = draw.choice([nan, nan, inf, -inf, 1e30, -1e30])
    if draw.random() < 0.1:
        keep = draw.choice([0.0, 0.3, 0.8])
        curve = [value if draw.random() < keep else None for value in curve]
    return curve


def named(draw: random.Random) -> tuple[str, str]:
    """The metric and the mode."""
    name = draw.choices(["val_loss", "val_score", "val_out1_loss"], [8, 3, 1])[0]
    return name, draw.choices(["auto", "min", "max", "lowest"], [8, 4, 4, 1])[0]


def to_stop(draw: random.Random) -> Case:
    curve = curve_of(draw, 16)
    name, mode = named(draw)
    if mode == "lowest":
        name = "val_loss"
    first = next((x for x in curve if x is not None and math.isfinite(x)), 1.0)
    baseline = None if draw.random() < 0.7 else round(first + draw.gauss(0, 0.5), 2)
    arguments = {
        "min_delta": draw.choice([0, 0, 0.1, 0.25, -0.1, 1e-4]),
        "patience": draw.choice([0, 1, 1, 2, 3, 5, 50]) if draw.random() < 0.98 else -1,
        "mode": mode,
        "baseline": baseline,
        "restore_best_weights": draw.random() < 0.7,
        "start_from_epoch": draw.choice([0, 0, 0, 1, 3]),
    }
    return Case(curve, name, arguments)


def to_save(draw: random.Random) -> Case:
    curve = curve_of(draw, 9)
    name, mode = named(draw)
    if mode == "lowest":
        name = "val_loss"
    weights = draw.random() < 0.85  # quicker
    templates, thresholds = ["m", "{epoch:03d}"], [0.5, 1.0]
    if None not in curve:
        templates.append(f"{{epoch}}-{{{name}:.2e}}")
        thresholds.append(inf)
    arguments = {
        "filepath": draw.choice(templates) + (".weights.h5" if weights else ".keras"),
        "save_best_only": draw.random() < 0.85,
        "save_weights_only": weights,
        "mode": mode,
        "initial_value_threshold": draw.choice(thresholds) if draw.random() < 0.2 else None,
    }
    return Case(curve, name, arguments)


# The comparison -----------------------------------------------------------------------------------


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (RefusedError, ValueError, LookupError) as error:
        return "an error" if not isinstance(error, UnicodeError) else repr(error)


def differing(expect: Callable[..., Any], case: Case) -> list[str]:
    """The differences that matter to a case: without any one of them another thing would come."""
    every = outcome(lambda: expect(case, DIFFERENCES))
    without = {
        one: outcome(functools.partial(expect, case, [x for x in DIFFERENCES if x != one]))
        for one in DIFFERENCES
    }
    return [one for one, result in without.items() if not same(result, every)]


def same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)  # where a NaN is a NaN


def compare(
    make: Callable[[random.Random], Case],
    expect: Callable[..., Any],
    run: Callable[..., Any],
    kinds: tuple[Any, Any],
    options: argparse.Namespace,
) -> collections.Counter[str]:
    draw, network = random.Random(options.seed), Network(options.hooks)
    counts: collections.Counter[str] = collections.Counter()
    ours, theirs = kinds
    for _ in range(options.curves):
        case = make(draw)
        results = []
        for kind, differs in ((theirs, ()), (ours, DIFFERENCES)):
            result = outcome(functools.partial(run, network, kind, case))
            expected = outcome(functools.partial(expect, case, differs))
            if not same(result, expected):
                sys.exit(f"{kind.__module__} on {case}:\n  {result}, expected {expected}")
            results.append(result)
        if same(*results):
            counts["agree"] += 1
            counts["  of them errors"] += results[0] == "an error"
        else:
            why = differing(expect, case)
            counts["differ"] += 1
            counts[f"  {' and '.join(why) or 'several differences'}"] += 1
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--curves", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hooks", action="store_true", help="call the callbacks without a fit")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"Keras {keras.__version__} ({keras.backend.backend()}), seed {arguments.seed}")
    for make, expect, run, kinds in (
        (to_stop, stopping, stopped, (EarlyStopping, keras.callbacks.EarlyStopping)),
        (to_save, saving, saved, (ModelCheckpoint, keras.callbacks.ModelCheckpoint)),
    ):
        began = time.perf_counter()
        counts = compare(make, expect, run, kinds, arguments)
        seconds = time.perf_counter() - began
        print(f"\n{kinds[0].__name__}: {arguments.curves} curves, {seconds:.0f} s")
        for what in ("agree", "  of them errors", "differ"):
            print(f"{counts.pop(what, 0):6} {what}")
        for what, count in counts.most_common():
            print(f"{count:6} {what}")


if __name__ == "__main__":
    main()
