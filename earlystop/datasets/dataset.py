"""`Dataset`: logged runs that are read part by part, never whole."""

from __future__ import annotations

import copy
import dataclasses
import functools
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .._parallel import progress_bar
from ..errors import HistoryError
from ..history.history import History, unreported
from ..history.joining import joined
from ..language.positions import RESERVED
from .parts import Part
from .working import Workers, check_workers, work_on

__all__ = ["Dataset", "Mergeable"]


class Mergeable(Protocol):
    """What was found out about some runs, to which that about others can be added, in any order."""

    def merge(self, other: Any) -> None:
        """Add what was found out about other runs."""
        ...


Result = TypeVar("Result")
Total = TypeVar("Total", bound=Mergeable)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Logged runs in files, which `sweep`, `replay` and `advise` read part by part.

    Made by `scan_history`. Runs are in the order of the parts, in a table in the order of their
    ids.

    parts: what is read at a time: plain values that can be pickled and sent anywhere.
    notes: what to know about the files, such as columns that some of them lack.
    retries: how often a part that fails is tried again.

    Iterating reads the histories of the parts, one after another.

    >>> import pathlib, tempfile
    >>> from earlystop import Patience, scan_history, sweep
    >>> file = pathlib.Path(tempfile.mkdtemp(), "runs.csv")
    >>> _ = file.write_text("run,step,loss\\na,0,3\\na,1,4\\na,2,1\\nb,0,2\\nb,1,1\\n")
    >>> runs = scan_history(file, run="run", step="step")
    >>> runs
    Dataset(1 part: loss)
    >>> sweep(Patience("loss"), runs, patience=[1, 2]).mean_regret
    array([1., 0.])
    """

    parts: tuple[Part, ...]
    metrics: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    retries: int = 1
    copy: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        parts = f"{len(self):,} part{'s' if len(self) != 1 else ''}"
        return f"Dataset({parts}{'' if self.metrics is None else ': ' + ', '.join(self.metrics)})"

    def __iter__(self) -> Iterator[History]:
        for part in self.parts:
            history = part.read(None)
            if history is not None:
                yield history

    def __reduce__(self) -> Any:
        return Dataset, (self.parts, self.metrics, self.notes, self.retries)

    def read(self, metrics: Iterable[str] | None = None, *, workers: Workers = 1) -> History:
        """All runs as one history, in memory.

        metrics: those to keep; None for all. workers: who reads the parts; see `sweep`.

        Raises HistoryError if there are none.
        """
        found = self.results(_kept, "read", metrics=metrics, workers=workers)
        histories = [history for _, history in sorted(found, key=lambda each: each[0]) if history]
        if not histories:
            raise HistoryError("there is no run in this data set")
        return joined(histories)

    @property
    def rows(self) -> int:
        """How many rows are read at most, roughly: of tables as counted, of logs by their size."""
        return sum(part.rows for part in self.parts)

    def only(self, parts: Iterable[int]) -> Dataset:
        """The data set of some of the parts, given by number."""
        return dataclasses.replace(self, parts=tuple(self.parts[number] for number in parts))

    def require(self, owners: Mapping[str, str], reported: Collection[str] | None = None) -> None:
        """Raise MissingMetricError for a metric that no file has, or that no epoch reports.

        owners: for each metric, by name, the rule or function that needs it.
        reported: the metrics that some epoch reports; None if that is not known yet.
        """
        known = {*(self.metrics or ()), *(reported or ())}
        for name, owner in owners.items():
            in_no_file = self.metrics is not None and name not in self.metrics
            missing = in_no_file if reported is None else name not in reported
            if missing and name not in RESERVED:
                raise unreported(name, owner, known - {name})

    def results(
        self,
        work: Callable[..., Result],
        owner: str,
        *,
        told: Sequence[Any] | None = None,
        metrics: Iterable[str] | None = None,
        workers: Workers = 1,
        progress: bool = False,
    ) -> Iterator[tuple[int, Result | None]]:
        """The results of some work on the parts: (number of the part, result), as they come.

        work: takes the history of a part, and its number. For a part without runs the result is
            None.
        told: one more argument of the work, for each part; None for none.
        metrics: those that the work reads; None for all.
        owner: the function that this is for, for errors.

        Raises DatasetError, naming the part, for a part that fails.
        """
        workers = check_workers(workers, owner)
        wanted = None if metrics is None else frozenset(metrics)
        more = [()] * len(self) if told is None else [(each,) for each in told]
        calls = [
            functools.partial(_work_on_part, work, wanted, part, number, *each)
            for number, (part, each) in enumerate(zip(self.parts, more, strict=True))
        ]
        if not progress:
            yield from work_on(self.parts, calls, workers, self.retries, lambda done: None)
            return
        with progress_bar(owner, desc=owner, total=len(self), unit="part") as bar:
            yield from work_on(self.parts, calls, workers, self.retries, bar.update)

    def total(self, work: Callable[..., Total], owner: str, **options: Any) -> Total:
        """The merged result of some work on all parts; see `results`.

        Raises HistoryError if there are no runs.
        """
        total: Total | None = None
        for _, found in self.results(work, owner, **options):
            if found is None:
                continue
            if total is None:
                total = copy.deepcopy(found)  # executors may hand out read-only arrays, as Ray does
            else:
                total.merge(found)
        if total is None:
            raise HistoryError(f"`{owner}`: there is no run in this data set")
        return total


def _kept(history: History, number: int) -> History:
    return history


def _work_on_part(
    work: Callable[..., Result],
    metrics: frozenset[str] | None,
    part: Part,
    number: int,
    *told: Any,
) -> Result | None:
    history = part.read(metrics)
    return None if history is None else work(history, number, *told)


class Copy:
    """A folder with a sorted copy of a table, which is removed with the data set that reads it."""

    def __init__(self, folder: Path) -> None:
        from .._files.trees import discard

        self.folder = folder
        self._end = weakref.finalize(self, discard, folder)
