"""From the options to a history: the rules are checked before any log is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .._text import count, one_line
from .rule_options import MOST_CHECKED, DirectionError, RuleOptions
from .sources import LogOptions

if TYPE_CHECKING:
    from ..history.history import History
    from ..language.rule import Rule

__all__ = ["load"]


def load(
    logs: LogOptions, options: RuleOptions, also: tuple[str, ...] = ()
) -> tuple[History, RuleOptions]:
    """The history, and what is asked about it: checked before anything is read, where it can be.

    A log may state the direction of a metric, as CatBoost's do. Of the metrics, those that the
    rules look at are read, and `also`; runs that report none of those that tell what is best are
    left out, and it is said so.
    """
    history = None
    try:
        options.check()
    except DirectionError:
        monitor = str(options.monitor)
        history = logs.read()
        history.require([monitor], "--monitor")
        if history.report is None or monitor not in history.report.modes:
            raise
        options = dataclasses.replace(options, mode=history.report.modes[monitor])
        options.check()
    rules = options.rules() if options.combinations <= MOST_CHECKED else [options.rule()]
    saves = [options.save(rule) for rule in rules]
    if history is None:
        names = _metrics([*rules, *saves, *options.axis_rules()])
        history = logs.read(None if names is None else names | set(also))
    return _reporting(history, rules, saves), options


def _metrics(rules: Sequence[Rule]) -> set[str] | None:
    """The metrics that these rules look at; None: all there are."""
    from ..sweeping.grid import walk

    parts = [part for rule in rules for part in walk(rule)]
    if any(part.settings.get("monitors") == () for part in parts):
        return None
    names = {name for part in parts for name in part.all_metrics}
    return names or None


def _reporting(history: History, rules: Sequence[Rule], saves: Sequence[Rule]) -> History:
    """The runs that report what tells which epoch is best, or else what the rules look at."""
    import numpy as np

    judging = {name for save in saves for name in save.all_metrics}
    names = judging or {name for rule in rules for name in rule.all_metrics}
    there = [name for name in sorted(names) if name in history.metrics]
    if not there:
        return history
    reports = np.zeros(history.runs, dtype=np.bool_)
    for name in there:
        reports |= history.reported(name).any(axis=1)
    if reports.all() or not reports.any():
        return history
    without = int(np.count_nonzero(~reports))
    click.echo(
        one_line(
            f"{without:,} of {count(history.runs, 'run')} left out: they do not report "
            + " or ".join(map(repr, there))
        ),
        err=True,
    )
    return history[reports]
