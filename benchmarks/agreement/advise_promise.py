"""Does the promise of advice hold on real runs, and what does it save?

    python -m benchmarks.agreement.advise_promise CURVES --splits 1000

CURVES is a folder of learning curves (`_support/curves.py` says which). Each group of runs is split
in halves at random. A rule is chosen from one half as `advise` does, and tested on the other half:
what the runs lose there (a share of the improvement), and how many checks they use. "epochs" are
the checks used by adaptive patience, relative to those of plain patience with the same promise from
the same half; over groups, the geometric mean. The promise with confidence is broken by a split if
more than the promised share of all runs of the group lose more.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import earlystop as es
from benchmarks._support.curves import MONITOR, Group, Measured, groups_of, measured
from benchmarks._support.measure import machine, show
from earlystop.advising.candidates import default_families
from earlystop.advising.guarantee import Guarantee

LEVELS = (0.005, 0.01, 0.02, 0.05, 0.1)
SHARE, CONFIDENCE = 0.1, 0.9


class Chosen(NamedTuple):
    """Over the splits of a group: arrays of shape (splits,).

    member: the number of the rule; -1 for training to the end.
    lost, used: means over the runs that it was not chosen from.
    over: the share of all runs that lose more than the level.
    """

    member: Any
    lost: Any
    used: Any
    over: Any


def halves(runs: int, count: int, seed: int) -> Any:
    """Random halves: masks of shape (count, runs)."""
    order = np.argsort(np.random.default_rng(seed).random((count, runs)), axis=1)
    return order < runs // 2


def chosen(group: Group, family: Measured, guarantee: Guarantee, masks: Any) -> Chosen:
    """What `advise` chooses from the runs of each mask, and what it does on the others."""
    over = family.lost > guarantee.max_regret
    halves = masks.astype(np.float64)
    totals, cases = halves @ family.lost.T, halves @ over.T.astype(np.float64)
    runs = masks.sum(axis=1)
    logged, lengths = halves @ family.used.T, halves @ group.history.lengths
    member = np.full(len(masks), -1)
    for split, (total, bad) in enumerate(zip(totals, cases, strict=True)):
        holds = guarantee.holds(int(runs[split]), total, bad)
        if holds.any() and logged[split, holds.argmax()] < lengths[split]:
            member[split] = holds.argmax()
    others = 1 - halves
    rest = others.sum(axis=1)
    rows = np.arange(len(masks))
    stops = member >= 0
    lost = np.where(stops, (others @ family.lost.T)[rows, member] / rest, 0.0)
    used = np.where(stops, (others @ family.used.T)[rows, member], others @ group.history.lengths)
    shares = np.where(stops, over.mean(axis=1)[member], 0.0)
    return Chosen(member, lost, used / rest, shares)


def families(group: Group) -> list[Measured]:
    """Adaptive and plain patience on a group."""
    longest = int(group.history.lengths.max())
    names: Any = ("adaptive", "patience")
    found = [default_families(group.patience, longest, name)[0] for name in names]
    return [measured(group, family) for family in found]


def agrees(group: Group, both: list[Measured], masks: Any) -> None:
    """`advise` itself chooses the same from the first half."""
    names: Any = ("adaptive", "patience")
    guarantee = Guarantee(0.05, 1.0, None, CONFIDENCE)
    for family, name in zip(both, names, strict=True):
        member = chosen(group, family, guarantee, masks[:1]).member
        for split, mask in enumerate(masks[:1]):
            half = group.history[np.flatnonzero(mask)]
            asked = {"max_regret": 0.05, "complete": True, "cost_unit": "checks", "family": name}
            advice = es.advise(half, MONITOR, mode=group.mode, **asked)
            number = int(member[split])
            wanted = es.Never() if number < 0 else family.family.member(number)
            assert advice.rule == wanted, (group.name, advice.rule, wanted)


def rows_of(groups: list[Group], splits: int, seed: int) -> Iterator[tuple[str, Any]]:
    """For each group: realised regret, relative epochs, broken promises; by level."""
    for group in groups:
        both = families(group)
        masks = halves(group.history.runs, splits, seed)
        agrees(group, both, masks)
        found = []
        for level in LEVELS:
            promise = Guarantee(level, 1.0, None, CONFIDENCE)
            adaptive, plain = (chosen(group, each, promise, masks) for each in both)
            sure = Guarantee(level, np.inf, SHARE, CONFIDENCE)
            confident, plainly = (chosen(group, each, sure, masks) for each in both)
            found.append(
                (
                    adaptive.lost.mean(),
                    adaptive.used.mean() / plain.used.mean(),
                    (confident.over > SHARE).mean(),
                    confident.used.mean() / plainly.used.mean(),
                )
            )
        yield f"{group.name} ({group.history.runs})", np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("curves", type=Path)
    parser.add_argument("--splits", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{machine()}; seed {arguments.seed}")
    found = list(rows_of(groups_of(arguments.curves), arguments.splits, arguments.seed))
    every = np.array([numbers for _, numbers in found])
    headings = ["runs", *(f"{level:.1%}" for level in LEVELS)]
    for column, title, text in (
        (0, "Mean regret realised, by the promised", "{:.2%}"),
        (1, "Epochs, relative to plain patience with the same promise", "{:.2f}"),
        (2, f"Splits that break the promise with {CONFIDENCE:.0%} confidence", "{:.1%}"),
        (3, "Epochs with confidence, relative to plain patience", "{:.2f}"),
    ):
        rows = [[name, *map(text.format, numbers[:, column])] for name, numbers in found]
        rows.append(["the most", *map(text.format, every[:, :, column].max(axis=0))])
        if column in (1, 3):
            means = np.exp(np.log(every[:, :, column]).mean(axis=0))
            rows.append(["geometric mean", *map(text.format, means)])
        show(f"{title} ({arguments.splits:,} random halves)", headings, rows)
    broken = (every[:, :, 0] > np.array(LEVELS)).sum()
    print(f"{broken} of {every[:, :, 0].size} groups and levels realise more than was promised")


if __name__ == "__main__":
    main()
