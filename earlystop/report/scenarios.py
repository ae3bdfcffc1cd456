"""Scenarios, which a reader of the page chooses from: a rule, or a rule with a slider.

A scenario has one setting, or the settings of a sweep. What each of them does to each run, and to
all of them, comes from the replay or the sweep; the page only looks it up and adds it up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..language.rule import Rule
from ..language.rule_words import rule_words
from ..replaying.replay import Replay
from ..sweeping.grid import apply_settings, axes_of
from .packing import numbers, packed

if TYPE_CHECKING:
    from ..sweeping.sweep import Sweep

__all__ = ["Marked", "of_replay", "of_sweep"]

_SETTINGS = 400  # the most that a page holds of one sweep,
_OUTCOMES = 145_000  # and the most outcomes of runs: fewer settings, if runs are many
_BAND = (0.1, 0.9)
_FEW, _EXACT = 6, 9  # digits; a value that is kept is that of the log, and its regret


@dataclass(frozen=True)
class Marked:
    """A rule that has a name of its own on the page, such as the advice."""

    rule: Rule
    label: str


def of_replay(result: Replay, label: str, runs: int, metric: str | None) -> dict[str, Any]:
    """One rule as a scenario. runs: how many are listed. metric: whose curves are drawn."""
    row = result.summary()
    known = result.best_rule is not None
    kept = np.asarray(result.replayed.positions.amount(result.unit, result.saved_check + 1))
    unknown = np.full(len(result), np.nan)
    regret = result.regret if known else unknown
    return {
        "label": label,
        "axes": [],
        "start": 0,
        "marks": [],
        "on_curve": result.best_rule is not None and result.best_rule.monitor == metric,
        "total": {
            "used": numbers([result.share_saved]),
            "regret": numbers([_or_nan(row["mean_regret"])]),
            "stopped": numbers([float(result.stopped.sum())]),
            "hours": numbers([float(np.nansum(result.hours))]),
        },
        "runs": _per_run(
            result.used[None],
            np.where(result.saved_check < 0, np.nan, kept)[None],
            result.stopped[None],
            regret[None],
            result.hours[None],
            runs,
        ),
    }


def of_sweep(
    table: Sweep, marked: Sequence[Marked], runs: int, metric: str | None
) -> dict[str, Any]:
    """A sweep as a scenario, with the settings of rules that are marked."""
    axes, shape = _axes(table)
    at = {each.label: _setting_of(table, each.rule) for each in marked}
    found = {label: number for label, number in at.items() if number is not None}
    if table.knee is not None and not found:
        found["the knee"] = table.knee
    most = min(_SETTINGS, _OUTCOMES // max(runs, 1))
    kept = _kept_values(shape, list(found.values()), most)
    listed = np.arange(len(table)).reshape(shape)[np.ix_(*kept)].ravel()
    places = {int(number): place for place, number in enumerate(listed)}
    marks = [{"label": label, "at": places[number]} for label, number in found.items()]
    edges = [table.quantile_regret(share)[listed] for share in _BAND]
    best = np.where(table.best_check < 0, np.nan, table.best_amounts(table.unit))
    return {
        "label": rule_words(table.rule, [name.rpartition(".")[2] for name, _ in axes]),
        "axes": [
            {"name": name.rpartition(".")[2], "values": [values[each] for each in chosen]}
            for (name, values), chosen in zip(axes, kept, strict=True)
        ],
        "start": marks[0]["at"] if marks else len(listed) // 2,
        "marks": marks,
        "on_curve": table.monitors == (metric,),
        "total": {
            "used": numbers(table.share_saved[listed]),
            "regret": numbers(table.mean_regret[listed]),
            "low": numbers(edges[0]),
            "high": numbers(edges[1]),
            "stopped": numbers(table.stopped[listed].sum(axis=1)),
            "hours": numbers(np.nansum(table.hours[listed], axis=1)),
        },
        "runs": _per_run(
            np.asarray(table.amounts(table.unit))[listed],
            best[listed],
            table.stopped[listed],
            table.regret[listed],
            table.hours[listed],
            runs,
        ),
    }


def _per_run(used: Any, kept: Any, stopped: Any, regret: Any, hours: Any, runs: int) -> Any:
    """Arrays of shape (settings, runs), packed run by run; hours only if some are known."""
    seconds = 3600 * np.asarray(hours, dtype=np.float64)
    columns = {"used": used, "kept": kept, "stopped": stopped, "regret": regret, "seconds": seconds}
    if np.isnan(seconds).all():
        del columns["seconds"]
    return {
        name: [
            packed(row, _EXACT if name == "regret" else _FEW)
            for row in np.asarray(array, dtype=np.float64).T[:runs]
        ]
        for name, array in columns.items()
    }


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _axes(table: Sweep) -> tuple[list[tuple[str, list[str]]], tuple[int, ...]]:
    """The names and values of the axes of the grid, and how many values each has.

    One axis of all settings if values come twice, so that they do not identify a setting.
    """
    axes = [
        (name, list(dict.fromkeys(_text(setting[name]) for setting in table.settings)))
        for name in table.settings[0]
    ]
    shape = tuple(len(values) for _, values in axes)
    if math.prod(shape) != len(table):
        every = [", ".join(f"{n} {_text(v)}" for n, v in each.items()) for each in table.settings]
        return [("setting", every)], (len(table),)
    return axes, shape


def _text(value: Any) -> str:
    if isinstance(value, Rule):
        return rule_words(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _kept_values(shape: tuple[int, ...], needed: list[int], most: int) -> list[list[int]]:
    """Which values of each axis the page holds: all, or else evenly spaced ones.

    needed: settings whose values are kept. most: how many settings there may be.
    """
    steps = [1] * len(shape)
    marked = np.unravel_index(np.asarray(needed, dtype=np.intp), shape)
    wanted = [set(axis.tolist()) for axis in marked]

    def kept(axis: int) -> list[int]:
        some = {*range(0, shape[axis], steps[axis]), shape[axis] - 1}
        return sorted(int(value) for value in some | wanted[axis])

    while math.prod(len(kept(axis)) for axis in range(len(shape))) > most:
        longest = max(range(len(shape)), key=lambda axis: len(kept(axis)))
        if len(kept(longest)) <= len(wanted[longest]) + 2:
            break
        steps[longest] += 1
    return [kept(axis) for axis in range(len(shape))]


def _setting_of(table: Sweep, rule: Rule) -> int | None:
    """The number of the setting that is this rule; None if there is none."""
    if type(rule) is not type(table.rule):
        return None
    axes = axes_of(table.rule, {name: [value] for name, value in table.settings[0].items()})
    for number, setting in enumerate(table.settings):
        if apply_settings(table.rule, axes, setting) == rule:
            return number
    return None
