"""What a sweep costs, next to reading the data once and to loops written by hand, per setting.

    python -m benchmarks.speed.sweep

Everything is measured in one run, on one core unless it says otherwise: a warm-up, then the
fastest of some repeats. The floor is `x.min(axis=1)`: one look at every number. A sweep gives the
means over runs (epochs used, regret) for every setting. The rivals give epochs used and best epoch
of every run, setting by setting: "numba" is a compiled loop over runs, "NumPy" a loop over epochs
with all runs at once, "Stopper" the live loop. Where all settings would take long, a rival does
some of them, evenly spaced, and its time is multiplied (marked ~). 10^8 run-epochs are read from a
memory-mapped file. Memory is what is allocated above the data, the result included.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import earlystop as es
from benchmarks._support.measure import (
    KINDS,
    SHAPES,
    Curves,
    compiled_loop,
    curves_of,
    fastest,
    machine,
    numpy_loop,
    peak,
    show,
)

SETTINGS = 1000
DELTAS = [number / 1000 for number in range(10)]


def swept(history: es.History, workers: int = 1) -> Any:
    """The means of all patience values."""
    patience = range(1, SETTINGS + 1)
    table = es.sweep(es.Patience("val_loss"), history, workers=workers, patience=patience)
    return table.mean_epochs, table.mean_regret


def rivals(curves: Curves) -> dict[str, tuple[Callable[[int], Any], int]]:
    """Ways to take the decisions for one patience; and how many patience values they do."""
    used, best_epoch = np.empty(len(curves), np.int64), np.empty(len(curves), np.int64)

    def stepped(patience: int) -> None:
        stopper = es.EarlyStopping("val_loss", patience=patience)
        for run in curves:
            stopper.reset()
            for value in run.tolist():
                if stopper.step({"val_loss": value}).stop:
                    break

    room = 10**9 // curves.size  # run-epochs that a compiled loop gets through in seconds
    ways: dict[str, tuple[Callable[[int], Any], int]] = {
        "numba": (lambda patience: compiled_loop(curves, patience, used, best_epoch), room),
        "NumPy": (lambda patience: numpy_loop(curves, patience), room // 10),
        "Stopper": (stepped, room // 1000),
    }
    return {name: (run, min(some, SETTINGS)) for name, (run, some) in ways.items() if some > 0}


def growth(sizes: list[int], kind: str, seed: int) -> None:
    """From 100 run-epochs on."""
    names = ["floor", "sweep", "sweep, 2 workers", "numba", "NumPy", "Stopper"]
    times, memory = [], []
    for size in sizes:
        with curves_of(size, kind, seed) as curves:
            history = es.History({"val_loss": curves})
            runs: dict[str, Callable[[], Any]] = {
                "floor": functools.partial(curves.min, axis=1),
                "sweep": functools.partial(swept, history),
                "sweep, 2 workers": functools.partial(swept, history, workers=2),
            }
            share = dict.fromkeys(runs, 1.0)
            for name, (run, some) in rivals(curves).items():
                values = np.linspace(1, SETTINGS, some).round().astype(int).tolist()
                runs[name] = functools.partial(for_each, run, values)
                share[name] = some / SETTINGS
            seconds = {name: fastest(run) / share[name] for name, run in runs.items()}
            top = {name: peak(run) for name, run in runs.items()}
        row = [
            f"{'~' if share[n] < 1 else ''}{seconds[n] / seconds['floor']:,.1f}"
            if n in runs
            else ""
            for n in names[1:]
        ]
        shape = "{:,} x {:,}".format(*SHAPES[size])
        times.append([shape, f"{seconds['floor'] * 1e3:.3f}", *row])
        memory.append([shape, *(f"{top[n]:.1f}" if n in runs else "" for n in names)])
    title = f"Sweep of {SETTINGS} patience values: times the floor ({kind})"
    show(title, ["runs x epochs", "floor, ms", *names[1:]], times)
    show("Sweep: memory above the data, MB", ["runs x epochs", *names], memory)


LOSS = "val_loss"
PATIENCE = es.Patience(LOSS)
ADAPTIVE = es.AdaptivePatience(LOSS, 1)
ARRAYS = "200 patience: arrays of all runs"
GRIDS: dict[str, tuple[Callable[[es.History], Any], str]] = {
    "1,000 patience: means": (swept, "15"),
    "1,000 patience x 10 min_delta: means": (
        lambda h: es.sweep(PATIENCE, h, patience=range(1, 1001), min_delta=DELTAS).mean_regret,
        "60",
    ),
    "1,000 dials of AdaptivePatience: means": (lambda h: dials(h).mean_regret, "45"),
    ARRAYS: (lambda h: es.sweep(PATIENCE, h, patience=range(1, 201)).regret, "40"),
    "1,000 patience in an any-of: means": (
        lambda h: (
            es.sweep(
                PATIENCE | es.Threshold(LOSS, -1e9) | es.NonFinite(LOSS), h, patience=range(1, 1001)
            ).mean_regret
        ),
        "",
    ),
    "5 alphas of GeneralizationLoss: means": (
        lambda h: (
            es.sweep(es.GeneralizationLoss(LOSS), h, alpha=[1.0, 2.0, 5.0, 10.0, 1e9]).mean_regret
        ),
        "60",
    ),
    "5 windows of Plateau: means": (lambda h: windows(h, workers=1), ""),
}


def dials(history: es.History) -> es.Sweep:
    """All dials of a patience that reads the curve."""
    return es.sweep(ADAPTIVE, history, patience=np.geomspace(1, 1e5, SETTINGS))


def windows(history: es.History, workers: int) -> Any:
    """The means of rules that do much with each epoch."""
    rule, save = es.Plateau(LOSS, 2, 1e-9), es.Best(LOSS)
    sizes = [2, 3, 5, 10, 20]
    return es.sweep(rule, history, save=save, workers=workers, window=sizes).mean_regret


def grids(size: int, seed: int) -> None:
    """Several grids on curves of several kinds."""
    ratios: dict[str, list[str]] = {name: [] for name in GRIDS}
    for kind in KINDS:
        with curves_of(size, kind, seed) as curves:
            history = es.History({LOSS: curves})
            floor = fastest(lambda: curves.min(axis=1))  # called at once
            for name, (run, _) in GRIDS.items():
                ratios[name].append(f"{fastest(functools.partial(run, history)) / floor:.1f}")
    show(
        "Sweep: times the floor ({:,} x {:,})".format(*SHAPES[size]),
        ["grid", *KINDS, "at most"],
        [[name, *ratios[name], at_most] for name, (_, at_most) in GRIDS.items()],
        caption="; ".join(f"{kind}: {what}" for kind, what in KINDS.items()),
    )


def threads(size: int, seed: int) -> None:
    """One worker and two."""
    rows = []
    with curves_of(size, "learning", seed) as curves:
        short = np.tile(curves[:, :250], (4, 1))
        history = es.History({LOSS: short})
        floor = fastest(lambda: short.min(axis=1))
        for name, run in {
            "1,000 patience: means": swept,
            "5 windows of Plateau: means": windows,
        }.items():
            seconds = [fastest(functools.partial(run, history, workers=n)) / floor for n in (1, 2)]
            rows.append([name, *(f"{each:.1f}" for each in seconds)])
    title = f"Sweep: times the floor (learning, {len(short):,} x 250)"
    show(title, ["grid", "1 worker", "2 workers"], rows)


def memory(size: int, seed: int) -> None:
    """What the grids take, all but the arrays, which are a result."""
    tops: dict[str, list[str]] = {name: [] for name in GRIDS if name != ARRAYS}
    for kind in KINDS:
        with curves_of(size, kind, seed) as curves:
            history = es.History({LOSS: curves})
            for name, row in tops.items():
                row.append(f"{peak(functools.partial(GRIDS[name][0], history)):.1f}")
    show(
        "Sweep: memory above the data, MB ({:,} x {:,})".format(*SHAPES[size]),
        ["grid", *KINDS],
        [[name, *row] for name, row in tops.items()],
    )


def for_each(run: Callable[[int], Any], values: list[int]) -> None:
    for value in values:
        run(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--largest", type=int, default=8, help="10 to this many run-epochs")
    parser.add_argument("--kind", choices=[*KINDS], default="learning")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{machine()}; seed {arguments.seed}")
    growth([10**n for n in range(2, arguments.largest + 1)], arguments.kind, arguments.seed)
    grids(10 ** min(arguments.largest, 7), arguments.seed)
    threads(10 ** min(arguments.largest, 7), arguments.seed)
    memory(10**arguments.largest, arguments.seed)


if __name__ == "__main__":
    main()
