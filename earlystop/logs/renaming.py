"""`rename=`: one name for what tools call by several, so that their logs answer one question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._arguments import argument
from ..errors import HistoryError, MissingMetricError, name_advice, shortened
from .run import Run

__all__ = ["Renames", "checked_renames", "rename_metrics"]

Renames = Mapping[str, Sequence[str]]
"""From each new name to the names that may become it, in order of preference."""


def checked_renames(given: Any) -> Renames:
    """The renames, given as a mapping from the names in the logs to the new ones.

    Raises HistoryError for anything that is not a mapping of names to names.
    """
    which = argument("rename", owner="read_history")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise HistoryError(
            f"{which} must be a mapping from names in the logs to new ones, such as "
            f'{{"eval_loss": "val_loss"}}, got {shortened(given)}'
        )
    renames: dict[str, list[str]] = {}
    for old, new in given.items():
        for name in (old, new):
            if not (isinstance(name, str) and name.strip()):
                raise HistoryError(f"{which}: a name must be text, got {shortened(name)}")
        renames.setdefault(new.strip(), []).append(old.strip())
    return renames


def rename_metrics(runs: Sequence[Run], renames: Renames) -> None:
    """Give the metrics of the runs their new names.

    In a run that has several of the names for one metric, the new name itself counts first, then
    the others in their order; the rest keep their names, and a note of the run says so.

    Raises MissingMetricError if no run has any of the names that may become a metric.
    """
    for new, olds in renames.items():
        if not any(old in run.metrics for run in runs for old in olds):
            known = dict.fromkeys(name for run in runs for name in run.metrics)
            wanted = " or ".join(map(repr, olds[:5]))
            raise MissingMetricError(
                f"{argument('rename', owner='read_history')}: no run has {wanted}, to become "
                f"{new!r}: {name_advice(olds[0], known)}"
            )
    for run in runs:
        _rename(run, renames)


def _rename(run: Run, renames: Renames) -> None:
    given: dict[str, str] = {}  # from old to new names, of this run
    moved = {old for new, olds in renames.items() for old in olds if old != new}
    for new, olds in renames.items():
        there = [name for name in olds if name in run.metrics]
        own = new in run.metrics and new not in moved
        if own:
            there = [new, *(name for name in there if name != new)]
        if there:
            given[there[0]] = new
            run.notes += [f"{name} keeps its name: {there[0]} is {new} here" for name in there[1:]]
    run.metrics = {given.get(name, name): points for name, points in run.metrics.items()}
    run.modes = {given.get(name, name): mode for name, mode in run.modes.items()}
