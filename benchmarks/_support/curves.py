"""Real learning curves, one run per line, in groups of one task and one metric.

A line of a `*.jsonl.gz` file is `{"task": ..., "metrics": {name: {"mode": "min", "y": [...]}}}`: a
number, null for a check that did not compute the metric, or "nan", "inf", "-inf".
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

import earlystop as es
from earlystop.advising.candidates import Family
from earlystop.advising.regret_scale import RegretScale

__all__ = ["Group", "Measured", "groups_of", "measured"]

MONITOR = "value"
FEWEST = 60


class Group(NamedTuple):
    """Runs of one task, judged by one metric."""

    name: str
    mode: Literal["min", "max"]
    history: es.History

    @property
    def save(self) -> es.Best:
        return es.Best(MONITOR, mode=self.mode)

    @property
    def patience(self) -> es.Patience:
        return es.Patience(MONITOR, mode=self.mode)


class Measured(NamedTuple):
    """What each rule of a family does on each run: arrays of shape (settings, runs)."""

    family: Family
    lost: Any
    used: Any


def groups_of(folder: Path) -> list[Group]:
    """The groups of at least 60 runs, by validation metrics, or by any if there are none."""
    curves: dict[tuple[str, str, Any], list[list[float]]] = defaultdict(list)
    for path in sorted(folder.glob("*.jsonl.gz")):
        source = path.name.partition(".")[0]
        with gzip.open(path, "rt") as lines:
            for line in lines:
                run = json.loads(line)
                task = source if source == "td3" else str(run.get("task"))
                judged = {n: m for n, m in run["metrics"].items() if not n.startswith("train/")}
                for name, metric in (judged or run["metrics"]).items():
                    values = [float(y) for y in metric["y"] if y is not None]
                    if run.get("task") and any(map(np.isfinite, values)):
                        curves[task, name, metric["mode"]].append(values)
    return [
        Group(
            f"{task}, {name.removeprefix('validation/')}",
            mode,
            es.History.from_runs([{MONITOR: run} for run in runs]),
        )
        for (task, name, mode), runs in curves.items()
        if len(runs) >= FEWEST
    ]


def measured(group: Group, family: Family) -> Measured:
    """What a family does on the runs of a group; losses are shares of the improvement."""
    table = family.swept(group.history, group.save)
    scale = RegretScale(group.history, group.save, "improvement")
    every = slice(0, group.history.runs)
    lost = np.array([scale.lost(regret, every) for regret in table.regret])
    return Measured(family, lost, table.checks)
