"""Which of the runs of a log is the one that is being written."""

from __future__ import annotations

from collections.abc import Sequence

from ..history import History
from .files import newest_change

__all__ = ["followed_run"]


def followed_run(history: History, metrics: Sequence[str], name: str | None) -> int:
    """The number of the run to follow: the last one of the file that was changed last.

    metrics: those that rules look at: only runs that report one of them are followed.
    name: the name of the run, if the user gave one.

    Raises HistoryError for an unknown name.

    >>> log = History({"loss": [[3.0], [2.0]]}, names=["first", "second"])
    >>> followed_run(log, ["loss"], None), followed_run(log, ["loss"], "first")
    (1, 0)
    """
    if name is not None or history.runs == 1:
        return 0 if name is None else history.row(name)
    known = [each for each in metrics if each in history.metrics]
    reports = [history.reported_epochs(each) > 0 for each in known]
    runs = [run for run in range(history.runs) if not known or any(each[run] for each in reports)]
    changed = _changes(history)
    return max(runs or range(history.runs), key=lambda run: (changed[run], run))


def _changes(history: History) -> list[int]:
    """When the file of each run was changed last."""
    if history.report is None:
        return [0] * history.runs
    changed: list[int] = []
    for file in history.report.files:
        if file.runs:
            changed += [newest_change(file.source)] * len(file.runs)
    return changed if len(changed) == history.runs else [0] * history.runs
