"""From the options to a history: the rules are checked before any log is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .._text import count, one_line
from ..language.positions import ELAPSED, EPOCH, STEP
from ..language.units import UNITS
from .costs import judged_checks, require_unit
from .log_options import LogOptions
from .reading import print_notes
from .rule_options import MOST_CHECKED, DirectionError, RuleOptions

if TYPE_CHECKING:
    from ..history.history import History
    from ..language.rule import Rule

__all__ = ["load"]


def load(
    logs: LogOptions,
    options: RuleOptions,
    also: tuple[str, ...] = (),
    unit: str | None = None,
    unit_option: str = "--unit",
) -> tuple[History, RuleOptions]:
    """The history, and the options with the direction that the logs state, if they need one.

    Rules are checked before anything is read if possible. Some logs state the direction of a
    metric, as CatBoost's do; then the options get it. Only the metrics that the rules use and those
    in `also` are read, and the positions of checks, such as the time. A unit that no run reports is
    refused. Runs that do not report the metric that says which check is best are left out; a note
    on the error output says so, and what else was left out.
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
        if unit not in (None, *UNITS):
            names = None  # an error lists what else there is to count in
        history = logs.read(None if names is None else names | {*also, ELAPSED})
    print_notes(history)
    history = _reporting(history, rules, saves)
    if unit is not None:
        require_unit(
            judged_checks(history, [*rules, *saves], options.on_missing), unit, unit_option
        )
    return history, options


def _metrics(rules: Sequence[Rule]) -> set[str] | None:
    """The metrics that these rules use; None for all."""
    from ..sweeping.grid import walk

    every = [part for rule in rules for part in walk(rule)]
    if any(part.settings.get("monitors") == () for part in every):
        return None
    names = {name for part in every for name in part.all_metrics}
    return names if names - {EPOCH, STEP, ELAPSED} else None


def _reporting(history: History, rules: Sequence[Rule], saves: Sequence[Rule]) -> History:
    """The runs that report the metric that says which check is best, or else one that rules use."""
    import numpy as np

    saved_by = {name for save in saves for name in save.all_metrics}
    names = saved_by or {name for rule in rules for name in rule.all_metrics}
    known = [name for name in sorted(names) if name in history.metrics]
    if not known:
        return history
    reports = np.zeros(history.runs, dtype=np.bool_)
    for name in known:
        reports |= history.reported_epochs(name) > 0
    if reports.all() or not reports.any():
        return history
    without = int(np.count_nonzero(~reports))
    click.echo(
        one_line(
            f"{without:,} of {count(history.runs, 'run')} left out: they do not report "
            + " or ".join(map(repr, known))
        ),
        err=True,
    )
    return history[reports]
