"""The headline of a report: the answer in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._text import count, duration, number
from ..advising.text import percent, promise_words
from ..language.rule_words import rule_words
from ..language.units import unit_words
from ..replaying.price import Price
from ..replaying.replay import Replay

if TYPE_CHECKING:
    from ..advising.result import Advice

__all__ = ["headline"]


def headline(
    replays: Sequence[Replay],
    labels: Sequence[str],
    advice: Advice | None,
    advised: Replay | None,
    price: Price | None = None,
) -> str:
    """What to do, what it saves, and what is promised of it; or what the rules would have done.

    replays, labels: of the rules that were asked about.
    advised: what the advised rule would have done.

    >>> from earlystop import EarlyStopping, History, replay
    >>> result = replay(EarlyStopping("loss", patience=1), History({"loss": [3.0, 4.0, 2.5]}))
    >>> headline([result], ["patience 1"], None, None)
    'Patience 1 would have saved 33 % of the checks and given up 0.5 of loss'
    """
    if advice is not None and advised is not None and advice.promised:
        saved = _saved(advised, price)
        return f"Stop with {rule_words(advice.rule)}: {saved} saved; {promise_words(advice)}"
    shown = list(zip(replays, labels, strict=True))
    if len(shown) > 2:  # the table has them all
        shown = [max(shown, key=lambda each: each[0].share_saved), _least(shown)]
    told = "; ".join(dict.fromkeys(_would_have(*each, price) for each in shown))
    told = told[:1].upper() + told[1:]
    if advice is None:
        return told
    runs = count(advice.runs, "run")
    return f"No rule can be promised from {runs}. {told}"


def _least(shown: list[tuple[Replay, str]]) -> tuple[Replay, str]:
    """The rule that gives up the least, and of those the one that saves the most."""

    def cost(each: tuple[Replay, str]) -> tuple[float, float]:
        regret = each[0].summary()["mean_regret"]
        return np.inf if regret is None else float(regret), -each[0].share_saved

    return min(shown, key=cost)


def _saved(result: Replay, price: Price | None) -> str:
    """How much a rule saves: a share, and the hours if they are told."""
    text = f"{percent(result.share_saved, 2)} of the {unit_words(result.unit)}"
    told = ~np.isnan(result.hours_logged)
    hours = float((result.hours_logged - result.hours)[told].sum())
    if not told.any() or not hours > 0:
        return text
    cost = "" if price is None else f" ({price.text(hours)})"
    return f"{text}, {duration(3600 * hours)}{cost}"


def _would_have(result: Replay, label: str, price: Price | None) -> str:
    """What a rule would have saved and given up."""
    if not result.stopped.any():
        return f"{label} would have stopped no run"
    text = f"{label} would have saved {_saved(result, price)}"
    best = result.best_rule
    if best is None:
        return text
    mean = result.summary()["mean_regret"]
    if mean == 0:
        return f"{text} and given up nothing"
    average = "" if len(result) == 1 else " on average"
    return f"{text} and given up {number(mean)} of {best.monitor}{average}"
