"""Where the runs are that advice rests on: in memory, or in the parts of a data set.

All that is found out about runs can be added up in any order, so it is the same for both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ..datasets import Dataset
from ..datasets.dataset import Mergeable
from ..datasets.processes import Processes
from ..datasets.working import Workers, check_workers
from ..history.history import History
from ..language.positions import CHECKS, EPOCH, RESERVED
from .measured import Measured, Question

__all__ = ["LoggedRuns", "Work", "logged_runs"]

_ROWS_IN_MEMORY = 2**23  # of a data set, that are read at once: 64 MB for each metric

Total_co = TypeVar("Total_co", bound=Mergeable, covariant=True)
Found = TypeVar("Found", bound=Mergeable)


class Work(Protocol[Total_co]):
    """What is found out about some runs, and can be added to that of others."""

    def __call__(self, measured: Measured, told: Any, /) -> Total_co:
        """What is found out. told: what these runs alone are told, if anything."""
        ...


class LoggedRuns(Protocol):
    """Runs in one or more parts."""

    def total(self, work: Work[Found], told: Sequence[Any] | None = None) -> Found:
        """What some work finds out about all runs.

        told: what it is told about each part; it leaves out a part that is told None.
        """
        ...

    def require(self, reported: Collection[str]) -> None:
        """Raise MissingMetricError for a judged metric that is not among those reported."""
        ...


@contextlib.contextmanager
def logged_runs(
    history: History | Dataset,
    question: Question,
    units: Collection[str],
    workers: Workers,
    progress: bool,
) -> Iterator[LoggedRuns]:
    """The runs of a history, or of a data set; processes that work on it end with the context.

    units: the metrics that costs or rules count in. workers, progress: see `sweep`.

    Raises MissingMetricError for a metric that no run reports, or no file has.
    """
    if isinstance(history, Dataset):
        history.require(dict.fromkeys(question.judged, "`advise`"))
        wanted = None
        if question.on_missing == "skip":  # otherwise every row is a check
            wanted = {*question.judged, *units} - {CHECKS, EPOCH} - RESERVED
        workers = check_workers(workers, "advise")
        if history.rows > _ROWS_IN_MEMORY:
            with _started(workers, len(history)) as executor:
                options = {"metrics": wanted, "workers": executor, "progress": progress}
                yield _InParts(question, history, **options)
            return
        history, workers = history.read(wanted, workers=workers), 1
    history.require([question.save.monitor], "`advise`")
    yield _InMemory(question, history, workers=workers, progress=progress)


def _started(workers: Workers, parts: int) -> Any:
    """A context with workers for several questions, so that processes need not start for each."""
    if isinstance(workers, int) and min(workers, parts) > 1:
        return Processes(min(workers, parts))
    return contextlib.nullcontext(workers)


class _InMemory:
    """The runs of a history: one part. options: of a sweep over them."""

    def __init__(self, question: Question, history: History, **options: Any) -> None:
        self._measured = question.measured(history, **options)

    def total(self, work: Work[Found], told: Sequence[Any] | None = None) -> Found:
        """See `LoggedRuns`."""
        return work(self._measured, None if told is None else told[0])

    def require(self, reported: Collection[str]) -> None:
        """See `LoggedRuns`. The sweeps of a whole history check it by themselves."""


class _InParts:
    """The runs of a data set, read anew for each question. options: of `Dataset.total`."""

    def __init__(self, question: Question, dataset: Dataset, **options: Any) -> None:
        self._question, self._dataset, self._options = question, dataset, options

    def total(self, work: Work[Found], told: Sequence[Any] | None = None) -> Found:
        """See `LoggedRuns`."""
        all_told = [None] * len(self._dataset) if told is None else told
        some = [part for part, each in enumerate(all_told) if told is None or each is not None]
        each = [(part, all_told[part]) for part in some]
        on_part = _OnPart(self._question, work)
        found: Found = self._dataset.only(some).total(on_part, "advise", told=each, **self._options)
        return found

    def require(self, reported: Collection[str]) -> None:
        """See `LoggedRuns`."""
        self._dataset.require(dict.fromkeys(self._question.judged, "`advise`"), reported)


@dataclass(frozen=True)
class _OnPart:
    """Work on the runs of a part of a data set; it can be pickled."""

    question: Question
    work: Work[Any]

    def __call__(self, history: History, number: int, told: tuple[int, Any]) -> Any:
        part, own = told  # the number among the parts that are looked at is another one
        return self.work(self.question.measured(history, part, are_all=False), own)
