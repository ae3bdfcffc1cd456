"""What replaying costs, next to reading the data once and to loops written by hand.

    python -m benchmarks.speed.replay

Everything is measured in one run, on one core unless it says otherwise: a warm-up, then the fastest
of some repeats. The floor is `x.min(axis=1)`: one look at every number. "Stopper" is the live loop,
one epoch after another; "NumPy" a loop over epochs with all runs at once; "numba" a compiled loop
over runs. All of them take the decisions of `Patience` and `Best`. 10^8 run-epochs are read from a
memory-mapped file. What would take minutes is left out. Memory is what is allocated above the data,
the result included.
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
    NEVER,
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

Runs = dict[str, Callable[[], Any]]


def contenders(curves: Curves, history: es.History) -> Runs:
    """The ways to take the decisions of a patience that never stops, and to keep the best."""
    rule, save = es.Patience("val_loss", NEVER), es.Best("val_loss")
    used, best_epoch = np.empty(len(curves), np.int64), np.empty(len(curves), np.int64)

    def stepped() -> None:
        stopper = es.Stopper(rule, save)
        for run in curves:
            stopper.reset()
            for value in run.tolist():
                if stopper.step({"val_loss": value}).stop:
                    break

    ways: Runs = {
        "floor": lambda: curves.min(axis=1),
        "replay": lambda: es.replay(rule, history, save=save),
        "replay, 2 workers": lambda: es.replay(rule, history, save=save, workers=2),
        "numba": lambda: compiled_loop(curves, NEVER, used, best_epoch),
        "NumPy": lambda: numpy_loop(curves, NEVER),
        "Stopper": stepped,
    }
    if curves.size > 10**6:
        del ways["Stopper"]
    if curves.size > 10**7:
        del ways["NumPy"]
    return ways


def growth(sizes: list[int], kind: str, seed: int) -> None:
    """From 100 run-epochs on."""
    names = ["floor", "replay", "replay, 2 workers", "numba", "NumPy", "Stopper"]
    times, memory = [], []
    for size in sizes:
        with curves_of(size, kind, seed) as curves:
            ways = contenders(curves, es.History({"val_loss": curves}))
            seconds = {name: fastest(run) for name, run in ways.items()}
            top = {name: peak(run) for name, run in ways.items()}
        runs, epochs = SHAPES[size]
        shape = f"{runs:,} x {epochs:,}"
        ratios = [f"{seconds[n] / seconds['floor']:.1f}" if n in ways else "" for n in names[1:]]
        times.append([shape, f"{seconds['floor'] * 1e3:.3f}", *ratios])
        memory.append([shape, *(f"{top[n]:.1f}" if n in ways else "" for n in names)])
    show(f"Replay: times the floor ({kind})", ["runs x epochs", "floor, ms", *names[1:]], times)
    show("Replay: memory above the data, MB", ["runs x epochs", *names], memory)


def rules(size: int, seed: int) -> None:
    """Several rules on curves of several kinds."""
    loss = "val_loss"
    composed = (
        es.Patience(loss, NEVER)
        | es.Threshold(loss, -1e9)
        | es.NonFinite(loss) & es.Warmup(es.Always(), 5)
    )
    asked = {
        "Patience, save=Best, nothing stops early": (es.Patience(loss, NEVER), "10"),
        "the same, min_delta=0.01": (es.Patience(loss, NEVER, min_delta=0.01), ""),
        "Patience(20), save=Best": (es.Patience(loss, 20), ""),
        "Patience | Threshold | NonFinite & Warmup": (composed, "40"),
        "GeneralizationLoss(5)": (es.GeneralizationLoss(loss, 5.0), ""),
        "Smoothed(Patience(20), window=5)": (es.Smoothed(es.Patience(loss, 20), loss, 5), ""),
    }
    ratios: dict[str, list[str]] = {name: [] for name in asked}
    for kind in KINDS:
        with curves_of(size, kind, seed) as curves:
            history = es.History({loss: curves})
            floor = fastest(lambda: curves.min(axis=1))  # called at once
            for name, (rule, _) in asked.items():
                seconds = fastest(functools.partial(es.replay, rule, history, save=es.Best(loss)))
                ratios[name].append(f"{seconds / floor:.1f}")
    runs, epochs = SHAPES[size]
    show(
        f"Replay: times the floor ({runs:,} x {epochs:,})",
        ["rule", *KINDS, "at most"],
        [[name, *ratios[name], asked[name][1]] for name in asked],
        caption="; ".join(f"{kind}: {what}" for kind, what in KINDS.items()),
    )


def one_run(seed: int) -> None:
    """One run of 300 epochs: replaying it next to stepping it."""
    with curves_of(10**5, "learning", seed) as curves:
        values = curves[0, :300].copy()
    history = es.History({"val_loss": values})
    records = history.records(0)
    rule, save = es.Patience("val_loss", NEVER), es.Best("val_loss")

    def stepped() -> None:
        stopper = es.Stopper(rule, save)
        for metrics in records:
            if stopper.step(metrics).stop:
                break

    seconds = fastest(stepped, repeats=200)
    replayed = fastest(lambda: es.replay(rule, history, save=save), repeats=200)
    show(
        "One run of 300 epochs",
        ["what", "microseconds", "times stepping"],
        [
            ["Stopper.step", f"{seconds * 1e6:.0f}", "1.00"],
            ["replay", f"{replayed * 1e6:.0f}", f"{replayed / seconds:.2f}"],
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--largest", type=int, default=8, help="10 to this many run-epochs")
    parser.add_argument("--kind", choices=[*KINDS], default="learning")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{machine()}; seed {arguments.seed}")
    growth([10**n for n in range(2, arguments.largest + 1)], arguments.kind, arguments.seed)
    rules(10 ** min(arguments.largest, 7), arguments.seed)
    one_run(arguments.seed)


if __name__ == "__main__":
    main()
