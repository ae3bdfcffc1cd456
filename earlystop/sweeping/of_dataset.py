"""`DatasetSweep`: a sweep over a data set, whose totals were found part by part."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..datasets import Dataset
from ..datasets.working import Workers
from ..language.positions import CHECKS, EPOCH, RESERVED
from ..replaying.batches import Runs
from .columns import Column
from .jobs import SweepJob
from .merging import QuantileWork, SettingQuantiles, SweepTotals, SweepWork
from .places import Places
from .quantiles import share_of
from .result import Sweep

__all__ = ["DatasetSweep", "metrics_read"]

Floats = npt.NDArray[np.float64]


def metrics_read(work: SweepWork) -> set[str] | None:
    """The metrics that a sweep reads; None for all, if rows without any of them count."""
    plan = work.plan
    if work.on_missing == "raise" or not all(group.metrics for group in plan.groups):
        return None
    units = {*plan.units, *([work.unit] if work.unit not in (None, CHECKS, EPOCH) else [])}
    return ({*plan.required} | {str(unit) for unit in units}) - RESERVED


class DatasetSweep(Sweep):
    """What every setting in a grid would have done on every run of a data set.

    As `Sweep`. The summaries and the knee are the same numbers. Quantiles are those of `Sweep` or,
    beyond 512 different values, greater by at most 0.4 %; they take another pass over the data set.
    Arrays of shape (settings, runs) are made when they are asked for, from all runs in memory.
    """

    def __init__(
        self,
        work: SweepWork,
        dataset: Dataset,
        workers: Workers,
        progress: bool,
    ) -> None:
        self._work, self._dataset = work, dataset
        self._options: dict[str, Any] = {
            "metrics": metrics_read(work),
            "workers": workers,
            "progress": progress,
        }
        dataset.require(work.plan.required)
        found: SweepTotals = dataset.total(work, "sweep", **self._options)
        dataset.require(work.plan.required, found.reported)
        self._found = found
        self._set(work.rule, work.settings, work.plan, work.tuning)
        self.totals = found.totals
        self.unit = found.default_unit if work.unit is None else work.unit
        self.logged = found.logged_in(self.unit)

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return self._found.runs

    @functools.cached_property
    def _in_memory(self) -> Sweep:
        """The sweep over all runs in memory, for arrays of all of them."""
        job = SweepJob([self._dataset.read()], self._work.plan, self._work.on_missing, 1, False)
        return Sweep(self.rule, self.settings, job, self.unit)

    @property
    def lengths(self) -> Any:
        """The length of every run, shape (runs,)."""
        return self._in_memory.lengths

    @property
    def names(self) -> Any:
        """The names of the runs."""
        return self._in_memory.names

    def columns(self, wanted: range) -> Iterator[tuple[int, Runs, Column]]:
        """See `Sweep`."""
        return self._in_memory.columns(wanted)

    def positions(self) -> Places:
        """See `Sweep`."""
        return self._in_memory.positions()

    def exact_sums(self, unit: str) -> Any:
        """See `Sweep`."""
        return self._found.used[unit]

    def _quantiles(self, name: str, q: float, what: Any) -> Floats:
        share = share_of(q, name)
        unit = {"epochs": EPOCH, "used": self.unit}.get(name, name)
        distributions = self._distributions.by_name[unit]
        return np.array([each.quantile(share) for each in distributions])

    @functools.cached_property
    def _distributions(self) -> SettingQuantiles:
        work = QuantileWork(self._work, tuple({EPOCH: None, self.unit: None}))
        found: SettingQuantiles = self._dataset.total(work, "sweep", **self._options)
        return found
