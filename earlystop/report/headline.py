"""The headline of a report: the answer in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._text import count, duration
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
    told = _would_have(*shown[0], price)
    if len(shown) > 1 and shown[0][0] is not shown[1][0]:
        told += f"; {_in_short(*shown[1])}"
    told = told[:1].upper() + told[1:]
    if advice is None:
        return told
    runs = count(advice.runs, "run")
    return f"No promise can be made from {runs}. {told}"


def _least(shown: list[tuple[Replay, str]]) -> tuple[Replay, str]:
    """The rule that gives up the least, and of those the one that saves the most."""

    def cost(each: tuple[Replay, str]) -> tuple[float, float]:
        regret = each[0].summary()["mean_regret"]
        return np.inf if regret is None else float(regret), -each[0].share_saved

    return min(shown, key=cost)


def _saved(result: Replay, price: Price | None) -> str:
    """How much a rule saves: a share, and the hours if they are known."""
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
    best, mean = result.best_rule, result.summary()["mean_regret"]
    if best is None or mean is None:
        return text
    if mean == 0:
        return f"{text} and given up nothing"
    average = "" if len(result) == 1 else " on average"
    return f"{text} and given up {mean:.3g} of {best.monitor}{average}"


def _in_short(result: Replay, label: str) -> str:
    """What one more rule would have saved and given up, in short."""
    if not result.stopped.any():
        return f"{label}, nothing"
    mean = result.summary()["mean_regret"]
    given_up = "" if result.best_rule is None or mean is None else f" and {mean:.3g}"
    return f"{label}, {percent(result.share_saved, 2)}{given_up}"
