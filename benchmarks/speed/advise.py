"""What advice costs, and where the time goes.

    python -m benchmarks.speed.advise --runs 10000 --epochs 300

Curves are learning curves with noise (`measure.py`). "reading" is `read_history` on CSV files, one
per run: some of them, once, and the time multiplied (marked ~). The others are the fastest of some
repeats on one core: "first look" is what advice finds out before it sweeps (first and best value of
each run, whether logs were stopped early); "sweeping" a sweep of the same settings alone; "advise"
the whole call.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import earlystop as es
from benchmarks._support.measure import fastest, fill, machine, show
from earlystop.advising.logged_runs import logged_runs
from earlystop.advising.look import look_at
from earlystop.advising.measured import Question
from earlystop.advising.truncation import detect_truncation

MONITOR = "val_loss"
SOME = 200  # files that are read
JUDGE = es.Best(MONITOR)
DELTAS = [0.0, 0.001, 0.003, 0.01, 0.03]
GRIDS: dict[str, Any] = {
    "200 patience x 5 min_delta": {"patience": range(1, 201), "min_delta": DELTAS},
    "200 patience": {"patience": range(1, 201)},
    "as by default": None,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{machine()}; seed {arguments.seed}")
    curves = np.empty((arguments.runs, arguments.epochs))
    fill(curves, "learning", arguments.seed)
    history = es.History({MONITOR: curves})

    with tempfile.TemporaryDirectory() as folder:
        for run, curve in enumerate(curves[:SOME].tolist()):
            lines = [f"{epoch},{value!r}" for epoch, value in enumerate(curve)]
            text = "\n".join([f"epoch,{MONITOR}", *lines, ""])
            (Path(folder) / f"{run:06}.csv").write_text(text)
        began = time.perf_counter()
        read = es.read_history(folder)
        reading = time.perf_counter() - began
    share = read.runs / arguments.runs

    def look() -> None:
        question = Question(JUDGE, "improvement", (MONITOR,), "skip")
        with logged_runs(history, question, (), 1, progress=False) as runs:
            detect_truncation(runs, look_at(runs, MONITOR, None), JUDGE)

    rows = [["reading", f"~{reading / share:.0f}", ""]]
    rows.append(["first look", f"{fastest(look):.2f}", ""])
    for name, grid in GRIDS.items():
        if grid is not None:
            patience = es.Patience(MONITOR)
            seconds = fastest(functools.partial(es.sweep, patience, history, **grid))
            rows.append([f"sweeping {name}", f"{seconds:.2f}", ""])
        for promise in ({"max_regret": 0.01}, {"max_regret": 0.01, "at_most": 0.1}):
            made: list[es.Advice] = []

            def ask(promise: Any = promise, grid: Any = grid, made: Any = made) -> None:
                made[:] = [es.advise(history, MONITOR, candidates=grid, **promise)]

            seconds = fastest(ask)
            kind = "expected" if "at_most" not in promise else "with confidence"
            rows.append([f"advise, {name}, {kind}", f"{seconds:.2f}", repr(made[0].rule)])
    title = f"Advice on {arguments.runs:,} runs x {arguments.epochs} epochs"
    show(title, ["what", "seconds", "the advice"], rows)


if __name__ == "__main__":
    main()
