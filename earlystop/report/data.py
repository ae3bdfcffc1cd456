"""The data of a page: the runs, their curves, and what each scenario does to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..language.positions import ELAPSED
from ..language.units import axis_of, unit_of_check
from ..replaying.price import Price
from ..replaying.replay import Replay
from ..replaying.run_columns import counted_ahead
from .curves import curve_data
from .packing import numbers
from .scenarios import Marked, of_replay, of_sweep

if TYPE_CHECKING:
    from ..sweeping.sweep import Sweep

__all__ = ["page_data"]

_EXACT = 12  # digits


def page_data(
    replays: Sequence[Replay],
    labels: Sequence[str],
    sweeps: Sequence[Sweep],
    advised: Replay | None,
    shown: Replay,
    runs: int,
    price: Price | None,
) -> dict[str, Any]:
    """All that the script of the page looks up.

    advised: what the advised rule did.
    shown: the replay that the table of runs starts with.
    runs: how many are listed, the first ones; totals are of all.
    """
    metric = _metric(replays)
    curves = [] if metric is None else curve_data(_judging(replays, metric), metric, runs)
    marked = [
        Marked(result.stop, f"the advice: {label}" if result is advised else label)
        for result, label in zip(replays, labels, strict=True)
    ]
    scenarios = [of_sweep(table, marked, runs, metric) for table in sweeps]
    scenarios += [
        of_replay(result, each.label, runs, metric)
        for result, each in zip(replays, marked, strict=True)
    ]
    divisor, words = axis_of(shown.unit, float(np.nan_to_num(shown.logged).max(initial=0.0)))
    return {
        "unit": {
            "words": words,
            "one": unit_of_check(shown.unit),
            "divisor": divisor,
            "time": shown.unit == ELAPSED,
        },
        "ahead": numbers(counted_ahead(shown)[:runs]),
        "metric": metric or "",
        "falls": _falls(replays, metric),
        "price": None if price is None else list(price),
        "all": len(shown),
        "hours": _hours(shown),
        "logged": numbers(shown.logged[:runs]),
        "seconds_logged": numbers(3600 * shown.hours_logged[:runs]),
        "best": numbers(_best(replays, metric)[:runs], _EXACT),
        "curves": curves,
        "scenarios": scenarios,
        "start": _start(scenarios, marked, shown, replays),
    }


def _start(
    scenarios: list[dict[str, Any]],
    marked: list[Marked],
    shown: Replay,
    replays: Sequence[Replay],
) -> int:
    """The scenario that the page starts with: a sweep with the rule that is shown, or that rule."""
    label = next(each.label for each in marked if each.rule == shown.stop)
    for number, scenario in enumerate(scenarios):
        at = [mark["at"] for mark in scenario["marks"] if mark["label"] == label]
        if at:
            scenario["start"] = at[0]
            return number
    return len(scenarios) - len(replays) + list(replays).index(shown)


def _metric(replays: Sequence[Replay]) -> str | None:
    """The metric whose curves are drawn: the one that says which check is best."""
    for result in replays:
        if result.best_rule is not None:
            return result.best_rule.monitor
    history = replays[0].history
    return next((name for name in replays[0].stop.all_metrics if name in history.metrics), None)


def _judging(replays: Sequence[Replay], metric: str) -> Replay:
    """The first replay that judges a metric."""
    for replay in replays:
        if replay.best_rule is not None and replay.best_rule.monitor == metric:
            return replay
    return replays[0]


def _falls(replays: Sequence[Replay], metric: str | None) -> bool:
    """Whether lower values of the metric are better."""
    best = None if metric is None else _judging(replays, metric).best_rule
    return best is None or best.mode == "min"


def _best(replays: Sequence[Replay], metric: str | None) -> Any:
    """The best value of each log; NaN for none."""
    result = replays[0] if metric is None else _judging(replays, metric)
    if result.best_rule is None:
        return np.full(len(result), np.nan)
    whole = result.whole_log
    return np.where(whole.saved_check < 0, np.nan, whole.best)


def _hours(result: Replay) -> float | None:
    """The hours that all logs take together; None if none reports its time."""
    told = result.hours_logged[~np.isnan(result.hours_logged)]
    return float(f"{told.sum():.6g}") if len(told) else None
