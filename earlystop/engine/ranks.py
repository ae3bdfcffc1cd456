"""How the processes of one distributed run agree, whichever framework connects them.

A framework's adapter implements `Ranks`, usually in a few lines. `agree` and `on_first` build on it
and guarantee two things: every rank gets the same result, and if one rank fails all of them raise,
so no rank deadlocks waiting for another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ..errors import CheckpointError, MetricError
from ..language.positions import ELAPSED, EPOCH, STEP

__all__ = ["OneProcess", "Ranks", "agree", "on_first"]

_Result = TypeVar("_Result")


class Ranks(Protocol):
    """The processes of a run. All of them call `share` and `gather` together, in the same order."""

    @property
    def size(self) -> int:
        """How many processes there are."""

    @property
    def rank(self) -> int:
        """The number of this process, counted from 0. Rank 0 decides and writes."""

    def share(self, value: Any) -> Any:
        """Rank 0's value, on every rank; the values of other ranks are ignored."""

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, in rank order, on every rank."""


class OneProcess:
    """A run in a single process."""

    size = 1
    rank = 0

    def share(self, value: Any) -> Any:
        return value

    def gather(self, value: Any) -> list[Any]:
        return [value]


def on_first(ranks: Ranks, action: Callable[[], _Result]) -> _Result:
    """Run an action on rank 0 only, and return its result on every rank.

    The result must be picklable. If the action raises, rank 0 raises that error and the other
    ranks raise a CheckpointError with its message.

    >>> on_first(OneProcess(), lambda: 42)
    42
    """
    if ranks.size == 1:
        return action()
    result, error, message = None, None, None
    if ranks.rank == 0:
        try:
            result = action()
        except Exception as raised:
            error, message = raised, f"{type(raised).__name__}: {raised}"
    shared: _Result
    shared, message = ranks.share((result, message))
    if error is not None:
        raise error
    if message is not None:
        raise CheckpointError(f"rank 0 failed: {message}")
    return shared


def agree(
    ranks: Ranks, collect: Callable[[], dict[str, float]], average: bool = False
) -> dict[str, float]:
    """The metrics that all ranks decide on: those of rank 0, or the mean over all ranks.

    The elapsed time, the epoch and the step are rank 0's in either case.

    collect: returns the metrics of this rank; not called on ranks whose metrics are ignored.
    average: decide on the mean over all ranks.

    Raises MetricError on every rank if `collect` raises it on any rank, or if the names differ.
    """
    own: dict[str, float] | str = {}
    if average or ranks.rank == 0:
        try:
            own = collect()
        except MetricError as error:
            own = str(error)
    reports = ranks.gather(own) if average else [ranks.share(own)]
    for rank, report in enumerate(reports):
        if isinstance(report, str):
            raise MetricError(f"rank {rank}: {report}")
    first: dict[str, float] = reports[0]
    for rank, report in enumerate(reports):
        if report.keys() != first.keys():
            raise MetricError(
                f"rank {rank} reports {_listed(report)}, rank 0 {_listed(first)}: to decide on "
                "the mean, all ranks must report the same metrics"
            )
    if not average:
        return dict(first)
    means = {name: sum(report[name] for report in reports) / len(reports) for name in first}
    return {**means, **{name: first[name] for name in (EPOCH, STEP, ELAPSED) if name in first}}


def _listed(names: Any) -> str:
    return ", ".join(sorted(map(str, names))) or "nothing"
