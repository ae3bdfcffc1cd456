"""The columns of a table of runs, in words: what a replay logged, used, kept and gave up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import duration, number
from ..language.positions import CHECKS, EPOCH
from ..language.units import amount_cell, unit_words
from .text import mixed_units_text, places_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from .price import Price
    from .result import Replay

    Floats = npt.NDArray[np.float64]

__all__ = ["counted_ahead", "run_columns"]


def run_columns(result: Replay, runs: Any, price: Price | None = None) -> dict[str, list[str]]:
    """What a replay did to each of some runs, by heading, in the log's own unit.

    runs: their numbers, shape (runs,). price: of an hour, for logs that have their time.

    >>> from earlystop import EarlyStopping, History, replay
    >>> log = History({"val_loss": [4.0, 3.0, 3.5, 2.0]}, coordinates={"epoch": [0, 1, 2, 3]})
    >>> for heading, cells in run_columns(replay(EarlyStopping("val_loss"), log), [0]).items():
    ...     print(heading, cells)
    epochs logged ['4']
    epochs used ['3']
    ended by ['rule']
    epoch kept ['1']
    value kept ['3']
    regret ['1']
    """
    rows, words = np.asarray(runs, dtype=np.int64), unit_words(result.unit)
    columns = {
        f"{words} logged": [amount_cell(each, result.unit) for each in result.logged[rows]],
        f"{words} used": [amount_cell(each, result.unit) for each in result.used[rows]],
    }
    if mixed_units_text(result.replayed, result.unit) is not None:
        shares = result.share_used[rows]
        columns["share used"] = ["-" if each != each else f"{each:.1%}" for each in shares]
    columns["ended by"] = ["rule" if stopped else "log" for stopped in result.stopped[rows]]
    heading, places = _kept(result, rows)
    columns[heading] = places
    if result.best_rule is not None:
        best = zip(result.best[rows].tolist(), result.saved_check[rows].tolist(), strict=True)
        columns["value kept"] = [number(None if check < 0 else value) for value, check in best]
        regrets = result.regret[rows].tolist()
        columns["regret"] = [number(None if each != each else each) for each in regrets]
    if not np.isnan(result.hours_logged).all():
        saved = (result.hours_logged - result.hours)[rows].tolist()
        columns["time saved"] = [duration(3600 * hours) for hours in saved]
        if price is not None:
            columns["cost saved"] = ["-" if each != each else price.text(each) for each in saved]
    return columns


def counted_ahead(result: Replay) -> Floats:
    """What to add to the number of a check in the log to get what is used with it, shape (runs,).

    In the unit. It is 1 for epochs and checks that count from 0 (31 epochs are used with epoch 30),
    otherwise 0.

    >>> from earlystop import EarlyStopping, History, replay
    >>> for epochs in ([0, 1, 2], [1, 2, 3]):
    ...     log = History({"val_loss": [4.0, 3.0, 3.5]}, coordinates={"epoch": epochs})
    ...     counted_ahead(replay(EarlyStopping("val_loss"), log))
    array([1.])
    array([0.])
    """
    ahead = np.full(len(result), 1.0 if result.unit in (CHECKS, EPOCH) else 0.0)
    if result.unit == EPOCH:
        positions, first = result.replayed.positions, np.minimum(result.checks, 1)
        told = positions.amount(EPOCH, first) - positions.at(EPOCH, first - 1)
        ahead = np.where(np.isnan(told), ahead, told)  # a check without an epoch counts as one
    return ahead


def _kept(result: Replay, rows: Any) -> tuple[str, list[str]]:
    """A heading, with the word that all cells share, and where the last save of each run stands."""
    places = places_of(result.replayed.positions, result.saved_check[rows], rows)
    words = {place.partition(" ")[0] for place in places if place != "-"}
    if len(words) != 1 or any(", step" in place for place in places):
        return "kept", places
    (word,) = words
    return f"{word} kept", [place.removeprefix(f"{word} ") for place in places]
