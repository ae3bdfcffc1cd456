"""What does advice say, and save, where few runs are logged?

    python -m benchmarks.agreement.advise_few CURVES --splits 300

CURVES is a folder of learning curves (`_support/curves.py` says which). Of each group, a few runs
are drawn at random; a rule is chosen from them as `advise` does, and tested on all others. The
tables have the share of all checks that are used there; 100 % is training to the end, which is the
advice where the runs are too few for the promise. Means over groups.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._support.curves import Group, groups_of
from benchmarks._support.measure import machine, show
from benchmarks.agreement.advise_promise import CONFIDENCE, chosen, families
from earlystop.advising.guarantee import Guarantee

LEVELS = (0.01, 0.02, 0.05, 0.1)
NUMBERS = (10, 20, 50, 100)
SHARE = 0.1


def few(runs: int, number: int, splits: int, seed: int) -> Any:
    """Masks of `number` runs out of `runs`, drawn at random: shape (splits, runs)."""
    order = np.argsort(np.random.default_rng(seed).random((splits, runs)), axis=1)
    return np.argsort(order, axis=1) < number


def measured_of(groups: list[Group], splits: int, seed: int) -> Any:
    """Shape (promises, numbers, families, groups, levels, 2): the share used, what is lost."""
    found = np.empty((2, len(NUMBERS), 2, len(groups), len(LEVELS), 2))
    for place, group in enumerate(groups):
        both, lengths = families(group), group.history.lengths
        for row, number in enumerate(NUMBERS):
            masks = few(group.history.runs, min(number, len(lengths) - 10), splits, seed)
            for column, level in enumerate(LEVELS):
                expected = Guarantee(level, 1.0, None, CONFIDENCE)
                sure = Guarantee(level, np.inf, SHARE, CONFIDENCE)
                for kind, promise in enumerate((expected, sure)):
                    for which, family in enumerate(both):
                        done = chosen(group, family, promise, masks)
                        numbers = done.used.mean() / lengths.mean(), done.lost.mean()
                        found[kind, row, which, place, column] = numbers
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("curves", type=Path)
    parser.add_argument("--splits", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{machine()}; seed {arguments.seed}")
    groups = groups_of(arguments.curves)
    found = measured_of(groups, arguments.splits, arguments.seed)
    titles = (
        "Share of checks used, expected regret promised",
        f"Share of checks used, {CONFIDENCE:.0%} confidence that at most {SHARE:.0%} lose more",
    )
    headings = ["runs logged", "rule", *(f"{level:.0%}" for level in LEVELS)]
    for title, tables in zip(titles, found, strict=True):
        rows = []
        for number, pair in zip(NUMBERS, tables, strict=True):
            for name, numbers in zip(("adaptive", "plain"), pair, strict=True):
                used = numbers[..., 0].mean(axis=0)
                rows.append([str(number), name, *(f"{share:.0%}" for share in used)])
        show(f"{title} ({len(groups)} groups)", headings, rows)
    ratios = found[0, ..., 1] / np.array(LEVELS)
    print(f"worst ratio of realised to promised expected regret: {ratios.max():.2f}")


if __name__ == "__main__":
    main()
