"""The titles of pictures: what they show, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._text import count, distinct_names
from ..advising.text import percent, promise_words
from ..language.rule_words import rule_words
from ..language.units import unit_words
from ..replaying.exact_sum import exact_mean
from ..replaying.replay import Replay

if TYPE_CHECKING:
    from ..advising.result import Advice
    from ..sweeping.sweep import Sweep

__all__ = ["advice_finding", "regret_finding", "run_finding", "sweep_finding", "used_finding"]

_NAME = 40  # characters of a run


def run_finding(results: Sequence[Replay], names: Sequence[str], run: int, logged: str) -> str:
    """The title for one run: how much of it each rule uses, and what that gives up.

    names: of the rules. logged: how much the run logged.

    >>> from earlystop import EarlyStopping, History, replay
    >>> history = History({"loss": [3.0, 2.0, 2.5, 2.6, 1.0]})
    >>> result = replay(EarlyStopping("loss", patience=1), history)
    >>> run_finding([result], ["patience 1"], 0, "5 checks")
    'run 0: patience 1 uses 60 % of 5 checks and gives up 1'
    """
    run_name = distinct_names(results[0].history.names, _NAME)[run]
    shares = [float(result.share_used[run]) for result in results]
    if len(results) > 1 and not any(result.stopped[run] for result in results):
        return f"{run_name}: none of the rules stops it"
    if len(results) > 2:
        return f"{run_name}: {_span(shares, percent_of)} of {logged} used"
    told = []
    for result, name, share in zip(results, names, shares, strict=True):
        if not result.stopped[run]:
            told.append(f"{name} does not stop it")
            continue
        text = f"{name} uses {percent_of(share)}" + ("" if told else f" of {logged}")
        if result.best_rule is not None:
            text += f" and gives up {_lost(float(result.regret[run]))}"
        told.append(text)
    return f"{run_name}: {', '.join(told)}"


def used_finding(results: Sequence[Replay], names: Sequence[str]) -> str:
    """The title for many runs: how much of them the rules use.

    >>> from earlystop import EarlyStopping, History, replay
    >>> result = replay(EarlyStopping("loss", patience=1), History({"loss": [[3.0, 4.0, 5.0]]}))
    >>> used_finding([result], ["patience 1"])
    'patience 1 uses 67 % of the checks'
    """
    words = unit_words(results[0].unit)
    shares = [1 - result.share_saved for result in results]
    if len(results) == 1:
        return f"{names[0]} uses {percent_of(shares[0])} of the {words}"
    return f"{_span(shares, percent_of)} of the {words} used"


def regret_finding(results: Sequence[Replay]) -> str:
    """The title for many runs: what the rules give up on average."""
    means = [exact_mean(each.known_regret) for each in results if len(each.known_regret)]
    if not means:
        return "What is given up"
    return f"{_span(means, _lost)} given up on average"


def sweep_finding(table: Sweep) -> str:
    """The title for a sweep: what the setting at the knee saves and gives up."""
    fields = [name.rpartition(".")[2] for name in table.settings[0]]
    words, unit = rule_words(table.rule, fields), unit_words(table.unit)
    if table.knee is None:
        return f"{words}: the cheapest setting gives up no more than any other"
    setting = table.settings[table.knee].values()
    at = ", ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in setting)
    saved, lost = float(table.share_saved[table.knee]), float(table.mean_regret[table.knee])
    return f"{words} {at} saves {percent_of(saved)} of the {unit} and gives up {_lost(lost)}"


def advice_finding(advice: Advice) -> str:
    """The title for an advice: what its rule saves, and what is promised."""
    if not advice.promised:
        return f"No rule that stops earlier can be promised from {count(advice.runs, 'run')}"
    saved = percent_of(advice.saved)
    unit = unit_words(advice.cost_unit)
    return f"{rule_words(advice.rule)} saves {saved} of the {unit}; {promise_words(advice)}"


def percent_of(share: float) -> str:
    """A share in percent, as titles have it."""
    return percent(share, 2) if math.isfinite(share) else "-"


def _lost(regret: float) -> str:
    return "nothing" if regret == 0 else f"{regret:.3g}"


def _span(values: Sequence[float], words: Callable[[float], str]) -> str:
    """The least and the greatest value, or the one value if all are equal."""
    known = [value for value in values if not np.isnan(value)] or [math.nan]
    least, most = words(min(known)), words(max(known))
    return least if least == most else f"{least} to {most}"
