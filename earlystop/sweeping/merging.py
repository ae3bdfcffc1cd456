"""What a sweep finds on some runs, as sums that are the same in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..history import History
from ..language.positions import CHECKS, EPOCH, STEP
from ..language.rule import OnMissing, Rule
from ..replaying.binned import Binned
from ..replaying.positions import unknown_unit
from ..replaying.tuning import Tuning
from .jobs import SweepJob
from .plan import Plan
from .result import Sweep

__all__ = ["QuantileWork", "SettingQuantiles", "SweepTotals", "SweepWork"]


Floats = npt.NDArray[np.float64]


class SweepTotals:
    """The totals of a sweep over some runs; those of others can be added.

    runs: how many runs there are.
    totals: of checks used and regret, by setting.
    reported: the metrics that some epoch reports.
    told: the positions that every run reports. known: those that some run reports.
    used, logged: by unit, the sums over runs by setting; for the units that may be the unit of all.
    """

    def __init__(self, table: Sweep, job: SweepJob, unit: str | None) -> None:
        places = job.places
        self.runs, self.totals = table.runs, table.totals
        self.reported = set(job.reported)
        self.told = {name for name in (STEP, EPOCH) if places.tell(name)}
        units = {
            CHECKS,
            EPOCH,
            *([STEP] if unit is None and STEP in self.told else [unit or EPOCH]),
        }
        self.known = {each for each in units if places.tells(each)}
        self.used = {each: table.exact_sums(each) for each in self.known}
        self.logged = {each: places.logged(each) for each in self.known}

    def merge(self, other: SweepTotals) -> None:
        """Add the totals of other runs."""
        every = np.arange(len(self.totals.epochs))
        self.runs += other.runs
        self.totals.merge(other.totals, every)
        self.reported |= other.reported
        self.told &= other.told
        self.known |= other.known
        for mine, others in ((self.used, other.used), (self.logged, other.logged)):
            for unit, sums in others.items():
                if unit in mine:
                    mine[unit].merge(sums, every)
                else:
                    mine[unit] = sums

    def logged_in(self, unit: str) -> Floats:
        """How much of a unit all logs take for each setting.

        Raises MissingMetricError for a unit that no run reports.
        """
        if unit not in self.logged:
            raise unknown_unit(unit, self.told | self.reported)
        return self.logged[unit].values()

    @property
    def default_unit(self) -> str:
        """The unit of cost: steps, if every run reports them, else epochs, else checks."""
        return next((name for name in (STEP, EPOCH) if name in self.told), CHECKS)


@dataclass(frozen=True)
class SweepWork:
    """The work of a sweep on a part of a data set; it can be pickled."""

    rule: Rule
    settings: list[dict[str, Any]]
    plan: Plan
    on_missing: OnMissing
    unit: str | None
    tuning: Tuning

    def table(self, history: History) -> tuple[Sweep, SweepJob]:
        """The sweep over these runs alone, and its job."""
        job = SweepJob([history], self.plan, self.on_missing, 1, False, self.tuning, are_all=False)
        return Sweep(self.rule, self.settings, job, CHECKS), job

    def __call__(self, history: History, number: int) -> SweepTotals:
        """The totals over the runs of a part."""
        table, job = self.table(history)
        return SweepTotals(table, job, self.unit)


class SettingQuantiles:
    """The distribution over runs of what settings used, in some units, and of their regret.

    by_name: lists of distributions, one per setting, by the name of what is distributed.
    """

    def __init__(self, by_name: Mapping[str, list[Binned]]) -> None:
        self.by_name = dict(by_name)

    def merge(self, other: SettingQuantiles) -> None:
        """Add the distributions over other runs."""
        for name, distributions in other.by_name.items():
            for mine, others in zip(self.by_name[name], distributions, strict=True):
                mine.merge(others)


@dataclass(frozen=True)
class QuantileWork:
    """The work of the quantiles of a sweep on a part of a data set.

    units: the units of use that are asked for.
    """

    work: SweepWork
    units: tuple[str, ...]

    def __call__(self, history: History, number: int) -> SettingQuantiles:
        """The distributions over the runs of a part."""
        table, job = self.work.table(history)
        count = len(table.settings)
        found = {name: [Binned() for _ in range(count)] for name in ("regret", *self.units)}
        known = [unit for unit in self.units if job.places.tells(unit)]
        for setting, runs, column in table.columns(range(count)):
            found["regret"][setting].add(column.regret)
            for unit in known:
                amounts = job.places.amount(setting, unit, runs, column.checks)
                found[unit][setting].add(np.asarray(amounts, np.float64))
        return SettingQuantiles(found)
