"""Logs with rows between their checks, and the same logs without: do replay and sweep agree?

    python -m benchmarks.agreement.sparse_logs [--logs 100000] [--seed 0]

Every log is replayed and swept twice, with rows of training losses between its validations and
without them; its epochs, steps and time are drawn at random, as are rules and units. One replay in
a hundred is also stepped live, with the positions. Prints the number of differences.
"""

from __future__ import annotations

import argparse
import random
import time
from typing import Any

import numpy as np

import earlystop as es
from tests.support.positions import random_positions

PLACES = ("epoch", "step", "elapsed_seconds")
STOPS = (
    es.Patience("val_loss", 2),
    es.Patience("val_loss", 3, start_from_epoch=2, min_delta=0.1),
    es.Patience("val_loss", 3, unit="epoch"),
    es.Patience("val_loss", 40, unit="step"),
    es.Patience("val_loss", 9, unit="elapsed_seconds", growth=0.5),
    es.MaxEpochs(4),
    es.MaxSteps(90) | es.Patience("val_loss", 4),
    es.Warmup(es.Patience("val_loss", 2), epochs=3),
    es.Warmup(es.Patience("val_loss", 2), steps=50),
    es.Patience("val_loss", 5) & es.Every(2, unit="epoch"),
)


def logs(rng: np.random.Generator, runs: int) -> tuple[es.History, es.History]:
    """Runs with rows between their checks, and the same runs without."""
    checks = int(rng.integers(2, 12))
    places = {"epoch": np.tile(np.arange(checks, dtype=float), (runs, 1))}
    places |= {n: np.ma.getdata(c) for n, c in random_positions(rng, runs, checks).items()}
    places["step"] = 10 * places["step"]
    places["elapsed_seconds"] = np.round(rng.random((runs, checks)).cumsum(axis=1) * 5, 2)
    losses = np.round(rng.normal(size=(runs, checks)).cumsum(axis=1), 1)
    lengths = rng.integers(1, checks + 1, size=runs)
    told = [name for name in PLACES if rng.random() < 0.8] or ["step"]
    told = list(dict.fromkeys([*told, "step", "elapsed_seconds"]))
    between = int(rng.integers(1, 4))
    rows = checks * (between + 1)
    sparse: dict[str, Any] = {n: np.repeat(places[n], between + 1, axis=1) for n in told}
    back = np.tile(np.arange(between, -1, -1), checks)
    sparse["step"] = sparse["step"] - back
    is_check = back == 0
    filled = np.zeros((runs, rows))
    filled[:, is_check] = losses
    values: Any = np.ma.MaskedArray(filled, np.tile(~is_check, (runs, 1)))
    between_losses = np.ma.MaskedArray(rng.random((runs, rows)), np.tile(is_check, (runs, 1)))
    metrics = {"val_loss": values, "loss": between_losses}
    return (
        es.History(metrics, lengths * (between + 1), coordinates=sparse),
        es.History({"val_loss": losses}, lengths, coordinates={n: places[n] for n in told}),
    )


def differences(one: es.Replay, other: es.Replay) -> int:
    """How many runs differ in anything."""
    columns = [result.to_dict() for result in (one, other)]
    rows = [list(zip(*each.values(), strict=True)) for each in columns]
    return sum(repr(a) != repr(b) for a, b in zip(*rows, strict=True))


def live_differences(result: es.Replay, history: es.History, run: int) -> int:
    """Whether stepping the run with its positions differs from the replay."""
    stopper = es.Stopper(result.stop, result.save, on_missing="skip")
    for check, metrics in enumerate(history.records(run)):
        at = {n: c[run, check] for n, c in history.coordinates.items()}
        seconds = {n: at.pop(n) for n in ("elapsed_seconds",) if n in at}
        if stopper.step({**metrics, **seconds}, **at).stop:
            break
    saved = -1 if stopper.best_epoch is None else stopper.best_epoch
    live = (stopper.checks, stopper.epoch, stopper.stopped, saved, stopper.reason)
    decided = result.decisions(run)[-1].reason
    replayed = (
        result.checks[run],
        result.epochs[run],
        result.stopped[run],
        result.saved_epoch[run],
    )
    return int(live != (*replayed, decided))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, chance = np.random.default_rng(options.seed), random.Random(options.seed)
    began, done, live, found = time.perf_counter(), 0, 0, {"replay": 0, "sweep": 0, "live": 0}
    while done < options.logs:
        runs = min(int(rng.choice([5, 200])), options.logs - done)
        sparse, dense = logs(rng, runs)
        stop, save = chance.choice(STOPS), es.Best("val_loss")
        unit = chance.choice([None, "checks", "epoch", "step", "elapsed_seconds"])
        results = [es.replay(stop, log, save=save, unit=unit) for log in (sparse, dense)]
        found["replay"] += differences(*results)
        grid: Any = {"patience": [1, 2, 4], "start_from_epoch": [0, 2]}
        tables = [
            es.sweep(es.Patience("val_loss"), log, unit=unit, **grid) for log in (sparse, dense)
        ]
        same = all(
            np.array_equal(getattr(tables[0], name), getattr(tables[1], name), equal_nan=True)
            for name in ("checks", "epochs", "best_epoch", "best", "mean_used", "share_saved")
        )
        found["sweep"] += 0 if same else runs
        for run in range(0, runs, 100):
            found["live"] += live_differences(results[0], dense, run)
            live += 1
        done += runs
    seconds = time.perf_counter() - began
    print(f"{done:,} logs replayed and swept twice, {live:,} stepped live, in {seconds:.0f} s")
    print("differences: " + ", ".join(f"{name} {count:,}" for name, count in found.items()))


if __name__ == "__main__":
    main()
