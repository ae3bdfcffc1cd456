"""`ReplayTotals`: what rules would have done on all runs of a data set, in sums over its parts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._files.atomic import write_whole
from .._files.paths import local_path
from ..datasets import Dataset
from ..datasets.working import Workers
from ..engine.stopper import Stopper
from ..errors import RuleError
from ..history import History
from ..language.positions import CHECKS, EPOCH, RESERVED, STEP, number_text
from ..language.rule import OnMissing, Rule
from ..language.units import amount_in_words
from .checks import looked_at
from .exact_sum import ExactSums
from .position_columns import position_names
from .positions import unknown_unit
from .replayed import replayed
from .result import Replay
from .stepping import checks_for

__all__ = ["ReplayTotals", "replay_dataset"]


class _Sum:
    """A sum of numbers; NaN, for an unknown one, is left out.

    whole: whether all of them are whole numbers.
    """

    def __init__(self, amounts: Any) -> None:
        self.whole = amounts.dtype.kind in "iu"
        known = amounts[~np.isnan(amounts)].astype(np.float64)
        self.told, self.infinite = len(known) > 0, bool(np.isinf(known).any())
        self._sum = ExactSums(1)
        self._sum.add(0, known[np.isfinite(known)])

    def merge(self, other: _Sum) -> None:
        self.whole &= other.whole
        self.told |= other.told
        self.infinite |= other.infinite
        self._sum.merge(other._sum, np.zeros(1, np.int64))

    def value(self, count: int = 1) -> Any:
        """The sum divided by a count, rounded once."""
        if self.infinite:
            return np.inf
        value = float(self._sum.means(np.array([count]))[0])
        return int(value) if self.whole and count == 1 else value


class ReplayTotals:
    """What a stop rule and a save rule would have done on every run of a data set, summed up.

    Made by `replay` of a data set. The sums are the same numbers as those of a `Replay` of all runs
    in memory, to the bit, whatever the parts and whoever worked on them.

    stop, save: the rules. runs: how many runs there are. stopped: how many of them the stop rule
    ends. unit: of `logged`, `used` and `share_saved`.

    >>> import pathlib, tempfile
    >>> from earlystop import EarlyStopping, replay, scan_history
    >>> file = pathlib.Path(tempfile.mkdtemp(), "runs.csv")
    >>> _ = file.write_text("run,epoch,loss\\na,0,3\\na,1,4\\na,2,1\\nb,0,2\\nb,1,1\\n")
    >>> runs = scan_history(file, run="run", step="epoch")
    >>> replay(EarlyStopping("loss", patience=1), runs)
    ReplayTotals(Patience('loss', patience=1, mode='min'): 1 of 2 runs stopped, 4 of 5 epochs used)
    """

    def __init__(self, result: Replay, unit: str | None, reported: Iterable[str]) -> None:
        self.stop, self.save, self._unit = result.stop, result.save, unit
        self.runs, self.stopped = len(result), int(result.stopped.sum())
        self.reported = set(reported)
        positions = result.replayed.positions
        self._told = {name for name in (STEP, EPOCH) if positions.has(name)}
        units = {CHECKS, EPOCH, *([STEP] if unit is None else [unit])}
        known = [name for name in units if name in (CHECKS, EPOCH) or positions.tells(name)]
        lengths = result.replayed.history.lengths
        self._used = {name: _Sum(positions.amount(name, result.checks)) for name in known}
        self._logged = {name: _Sum(positions.amount(name, lengths)) for name in known}
        self._hours, self._hours_logged = _Sum(result.hours), _Sum(result.hours_logged)
        regret = result.known_regret
        self._regret, self._runs_with_regret = _Sum(regret), len(regret)
        self._max_regret = float(regret.max(initial=-np.inf))

    def merge(self, other: ReplayTotals) -> None:
        """Add the totals over other runs."""
        self.runs += other.runs
        self.stopped += other.stopped
        self.reported |= other.reported
        self._told &= other._told
        for mine, others in ((self._used, other._used), (self._logged, other._logged)):
            for name, found in others.items():
                if name in mine:
                    mine[name].merge(found)
                else:
                    mine[name] = found
        self._hours.merge(other._hours)
        self._hours_logged.merge(other._hours_logged)
        self._regret.merge(other._regret)
        self._runs_with_regret += other._runs_with_regret
        self._max_regret = max(self._max_regret, other._max_regret)

    def require_unit(self) -> None:
        """Raise MissingMetricError if no run reports the unit that was asked for."""
        if self.unit not in self._used:
            raise unknown_unit(self.unit, self._told | self.reported)

    @property
    def unit(self) -> str:
        """The unit of cost: of `used`, `logged` and `share_saved`."""
        if self._unit is not None:
            return self._unit
        return next((name for name in (STEP, EPOCH) if name in self._told), CHECKS)

    @property
    def used(self) -> Any:
        """How much of the unit all runs would have taken."""
        return self._used[self.unit].value()

    @property
    def logged(self) -> Any:
        """How much of the unit all logs take."""
        return self._logged[self.unit].value()

    @property
    def share_saved(self) -> float:
        """The share of all that was logged that would have been saved, measured in the unit."""
        return float(1 - self.used / (self.logged or 1))

    @property
    def mean_regret(self) -> float | None:
        """The mean regret over the runs whose log has a best; None if there are none."""
        return self._regret.value(self._runs_with_regret) if self._runs_with_regret else None

    def summary(self) -> dict[str, Any]:
        """As `Replay.summary`, over all runs."""
        timed = self._hours_logged.told
        return {
            "rule": repr(self.stop),
            "save": repr(self.save),
            "runs": self.runs,
            "stopped": self.stopped,
            "unit": self.unit,
            "logged": self.logged,
            "used": self.used,
            "checks": self._used[CHECKS].value(),
            "epochs": self._used[EPOCH].value(),
            "share_saved": self.share_saved,
            "hours_logged": self._hours_logged.value() if timed else None,
            "hours": self._hours.value() if timed else None,
            "mean_regret": self.mean_regret,
            "max_regret": self._max_regret if self._runs_with_regret else None,
        }

    def __len__(self) -> int:
        return self.runs

    def __repr__(self) -> str:
        return (
            f"ReplayTotals({self.stop!r}: {self.stopped} of {self.runs} runs stopped, "
            f"{number_text(self.used)} of {amount_in_words(self.logged, self.unit)} used)"
        )


@dataclass(frozen=True)
class _Work:
    """The work of a replay on a part of a data set; it can be pickled.

    folder: where the columns of each part are written; None for nowhere.
    """

    stop: Rule
    save: Rule
    on_missing: OnMissing
    unit: str | None
    folder: str | None

    def __call__(self, history: History, number: int) -> ReplayTotals:
        reported = {*filter(history.reports, history.metrics), *position_names(history)}
        stopper = Stopper(self.stop, self.save, on_missing=self.on_missing)
        checks = checks_for(stopper, history, are_all=False)
        result = replayed(stopper, checks, self.on_missing, None)
        if self.folder is not None:
            _write(result, Path(self.folder, f"part-{number:06}.parquet"))
        return ReplayTotals(result, self.unit, reported)


def _write(result: Replay, path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(result.to_dict()), sink)
    write_whole(str(path), sink.getvalue().to_pybytes())


def replay_dataset(
    stopper: Stopper,
    dataset: Dataset,
    on_missing: OnMissing,
    unit: str | None,
    write: str | os.PathLike[str] | None,
    workers: Workers,
    progress: bool,
) -> ReplayTotals:
    """`replay` of a data set, whose arguments have been checked.

    Raises MissingMetricError for a metric or unit that no row of any part reports.
    """
    folder = None if write is None else local_path(write, "`replay(write=...)`")
    if folder is not None:
        if folder.exists() and any(folder.iterdir()):
            raise RuleError(f"`replay(write=...)`: {str(folder)!r} is not empty: choose another")
        folder.mkdir(parents=True, exist_ok=True)
    rules = stopper.stop, stopper.save
    judged = looked_at(rules)
    owners = {name: repr(rule) for rule in rules for name in rule.all_metrics}
    dataset.require(owners)
    needed = {name for rule in rules for name in (*rule.all_metrics, *rule.all_units)}
    wanted = {*needed, *([unit] if unit not in (None, CHECKS, EPOCH) else [])} - RESERVED
    work = _Work(*rules, on_missing, unit, None if folder is None else str(folder))
    totals = dataset.total(
        work,
        "replay",
        metrics=wanted if judged and on_missing == "skip" else None,
        workers=workers,
        progress=progress,
    )
    dataset.require(owners, totals.reported)
    totals.require_unit()
    return totals
