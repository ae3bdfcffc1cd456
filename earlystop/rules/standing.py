"""Where rules stand in a run that goes on, in words: how long they have waited, what they wait for.

A stopper's `explain`, the progress bars of loops and `earlystop watch` all say it in these words.
`Rule.reason` says why a rule has fired.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..language.direction import Mode
from ..language.ops import deviation, replaced
from ..language.positions import CHECKS, EPOCH, STEP, epochs_counted, number_text, unit_of_wait
from ..language.rule import AllOf, AnyOf, Rule
from ..language.units import amount_cell, amount_in_words, unit_of_amount
from .adaptive_patience import AdaptivePatience
from .bounds import Threshold
from .budget import MaxEpochs, MaxSteps, TimeLimit
from .patience import Patience
from .plateau import Plateau
from .prechelt import ConsecutiveIncreases, GeneralizationLoss, generalization_loss
from .wrappers import Lasting, Smoothed, Warmup

__all__ = ["standing"]

Metrics = Mapping[str, float]


@functools.singledispatch
def standing(rule: Rule, state: Any, metrics: Metrics, check: int) -> str:
    """Where a rule stands after a check at which it has not fired; "" if it has nothing to say.

    state: its state after that check.
    metrics: what is known of the check: its positions, and perhaps its metrics.
    check: its number.

    >>> from earlystop import Patience
    >>> rule = Patience("val_loss", patience=10)
    >>> state = rule.State(reference=0.412, reference_epoch=8, wait=4, place=(8.0, float("nan")))
    >>> standing(rule, state, {"epoch": 12.0}, 12)
    'val_loss: 4 of 10 epochs without improvement, needs < 0.412'
    """
    return ""


# What waits for an improvement --------------------------------------------------------------------


@standing.register
def _patience(rule: Patience, state: Any, metrics: Metrics, check: int) -> str:
    unit = rule.unit_in_words(state, metrics)
    known = rule.unit in (CHECKS, EPOCH, *metrics)
    wait = rule.waited(state, metrics, check) if known else math.nan
    required = rule.required_wait(rule.last_improvement(state))
    waited = _share(0.0 if wait != wait else wait, required, unit)
    has_none = math.isinf(state.reference) and rule.baseline is None
    if has_none:
        return f"{rule.monitor}: {waited} without a value"
    what = "improvement" if state.reference_epoch >= 0 else "beating the baseline"
    return f"{rule.monitor}: {waited} without {what}, needs {_needed(rule, state)}"


def _needed(rule: Patience, state: Any) -> str:
    """What the next value has to be to improve."""
    sign = -1.0 if rule.mode == "min" else 1.0
    margin = rule.min_delta
    if rule.by_gain:
        gained = abs(state.first - state.best)
        margin *= gained if gained >= 0 else 0.0
    elif rule.relative is True:
        signed = rule.improvement.relative_form == "signed"
        margin *= state.reference if signed else abs(state.reference)
    bound = state.reference + sign * margin
    if rule.gate is not None:
        bound = (min if rule.mode == "min" else max)(bound, rule.gate + sign * margin)
    return _better_than(bound, rule.mode, ties=rule.improvement.ties)


@standing.register
def _adaptive(rule: AdaptivePatience, state: Any, metrics: Metrics, check: int) -> str:
    unit = unit_of_wait(state.wait, state.reference_epoch, state.place, metrics)
    ratio = float(rule.ratio(state))
    wait = rule.patience * math.sqrt(ratio if ratio == ratio else 1.0) - 1
    required = max(math.ceil(wait), int(state.wait) + 1)
    waited = _share(state.wait, required, unit, "about ")
    if state.reference_epoch < 0:
        return f"{rule.monitor}: {waited} without a value"
    margin = rule.min_gain * abs(state.first - state.best)
    bound = state.reference - margin if rule.mode == "min" else state.reference + margin
    return f"{rule.monitor}: {waited} without a gain, needs {_better_than(bound, rule.mode)}"


def _share(part: float, whole: float, unit: str, about: str = "") -> str:
    """A part of an amount, with the unit named once.

    >>> _share(4, 10, "checks"), _share(60.0, 7200.0, "elapsed_seconds")
    ('4 of 10 checks', '1 min of 2 h')
    """
    return f"{amount_cell(part, unit)} of {about}{amount_in_words(whole, unit)}"


def _better_than(bound: float, mode: Mode, *, ties: bool = False) -> str:
    return f"{'<' if mode == 'min' else '>'}{'=' if ties else ''} {bound:.6g}"


# What ends a run by its cost, or at a value -------------------------------------------------------


@standing.register
def _max_epochs(rule: MaxEpochs, state: Any, metrics: Metrics, check: int) -> str:
    return _share(epochs_counted(metrics, state.seen), rule.n, EPOCH)


@standing.register
def _max_steps(rule: MaxSteps, state: Any, metrics: Metrics, check: int) -> str:
    return _so_far(metrics.get(STEP), rule.n, STEP)


@standing.register
def _time_limit(rule: TimeLimit, state: Any, metrics: Metrics, check: int) -> str:
    return _so_far(metrics.get(rule.monitor), rule.seconds, "elapsed_seconds")


def _so_far(value: float | None, limit: float, unit: str) -> str:
    if value is None or value != value:
        return f"at most {amount_in_words(limit, unit)}"
    return _share(value, limit, unit)


@standing.register
def _threshold(rule: Threshold, state: Any, metrics: Metrics, check: int) -> str:
    target = _better_than(rule.value, rule.mode, ties=not rule.strict)
    value = metrics.get(rule.monitor)
    now = "" if value is None else f" {value:.6g},"
    return f"{rule.monitor}:{now} the target is {target}"


@standing.register
def _generalization_loss(rule: GeneralizationLoss, state: Any, metrics: Metrics, check: int) -> str:
    if rule.monitor not in metrics or math.isinf(state.lowest_error):
        return ""
    error = metrics[rule.monitor] if rule.mode == "min" else -metrics[rule.monitor]
    loss = generalization_loss(error, state.lowest_error)
    return f"{rule.monitor}: {loss:.3g} % worse than its best, the limit is {rule.alpha:.6g} %"


@standing.register
def _increases(rule: ConsecutiveIncreases, state: Any, metrics: Metrics, check: int) -> str:
    strips = f"{state.rises} of {rule.increases} strips of {amount_in_words(rule.strip, CHECKS)}"
    return f"{rule.monitor}: worse over {strips} in a row"


@standing.register
def _plateau(rule: Plateau, state: Any, metrics: Metrics, check: int) -> str:
    std = float(deviation(state.values))
    if std != std:
        return ""
    last = f"the last {rule.window} values"
    return f"{rule.monitor}: {last} deviate by {std:.2g}, flat is at most {rule.std:.6g}"


# Rules made of rules ------------------------------------------------------------------------------


@standing.register
def _any(rule: AnyOf, state: Any, metrics: Metrics, check: int) -> str:
    return "; ".join(_parts(rule.rules, state, metrics, check))


@standing.register
def _all(rule: AllOf, state: Any, metrics: Metrics, check: int) -> str:
    return " and ".join(_parts(rule.rules, state, metrics, check))


def _parts(rules: Iterable[Rule], states: Any, metrics: Metrics, check: int) -> list[str]:
    pairs = zip(rules, states, strict=True)
    return [text for rule, state in pairs if (text := standing(rule, state, metrics, check))]


@standing.register
def _warmup(rule: Warmup, state: Any, metrics: Metrics, check: int) -> str:
    hidden, unit, most = state.hidden, CHECKS, rule.checks
    if rule.epochs is not None:
        hidden, unit, most = epochs_counted(metrics, hidden), EPOCH, rule.epochs
    elif rule.steps is not None:
        hidden, unit, most = metrics.get(STEP, 0), STEP, rule.steps
    if hidden < (most or 0):
        return f"warm-up: {_share(hidden, most or 0, unit)}"
    return standing(rule.rule, state.inner, rule.shown(state, metrics), check)


@standing.register
def _smoothed(rule: Smoothed, state: Any, metrics: Metrics, check: int) -> str:
    shown = replaced(metrics, rule.monitor, state.mean) if state.seen else metrics
    text = standing(rule.rule, state.inner, shown, check)
    return f"{text} ({rule.monitor} smoothed)" if text else ""


@standing.register
def _lasting(rule: Lasting, state: Any, metrics: Metrics, check: int) -> str:
    text = standing(rule.rule, state.inner, metrics, check)
    row = f"{number_text(state.row)} of {rule.n} {unit_of_amount(rule.n, CHECKS)} in a row"
    return f"{text} ({row})" if text else row
