"""Units of cost in words: amounts, columns and axes of steps, epochs, checks, hours or a metric."""

from __future__ import annotations

from .._text import duration
from .positions import CHECKS, ELAPSED, EPOCH, STEP, number_text

__all__ = [
    "UNITS",
    "amount_cell",
    "amount_in_words",
    "axis_of",
    "mean_cell",
    "unit_of_amount",
    "unit_of_check",
    "unit_words",
]

UNITS = (CHECKS, EPOCH, STEP, ELAPSED)
"""The units that any log may have; a metric that never falls is one, too."""

_PLURALS = {CHECKS: "checks", EPOCH: "epochs", STEP: "steps", ELAPSED: "time"}
_SECONDS_OF_AXIS = ((2 * 3600.0, 3600.0, "hours"), (120.0, 60.0, "minutes"))


def unit_words(unit: str) -> str:
    """What amounts of a unit are called, for headings.

    >>> unit_words("step"), unit_words("elapsed_seconds"), unit_words("tokens")
    ('steps', 'time', 'tokens')
    """
    return _PLURALS.get(unit, unit)


def amount_cell(amount: float, unit: str) -> str:
    """An amount without its unit, for a table that names it; "-" for an unknown one.

    >>> amount_cell(1500, "step"), amount_cell(12000, "elapsed_seconds"), amount_cell(0.25, "epoch")
    ('1,500', '3 h 20 min', '0.25')
    """
    if amount != amount:
        return "-"
    return duration(amount) if unit == ELAPSED else number_text(amount)


def amount_in_words(amount: float, unit: str) -> str:
    """An amount with its unit.

    >>> amount_in_words(1, "epoch"), amount_in_words(1500, "step"), amount_in_words(90, "tokens")
    ('1 epoch', '1,500 steps', '90 tokens')
    >>> amount_in_words(12000, "elapsed_seconds")
    '3 h 20 min'
    """
    cell = amount_cell(amount, unit)
    return cell if unit == ELAPSED else f"{cell} {unit_of_amount(amount, unit)}"


def mean_cell(mean: float, unit: str) -> str:
    """A mean amount without its unit, with a decimal where that says something.

    >>> mean_cell(41.27, "epoch"), mean_cell(41270.3, "step"), mean_cell(12000.0, "elapsed_seconds")
    ('41.3', '41,270', '3 h 20 min')
    """
    if unit == ELAPSED or mean != mean:
        return amount_cell(mean, unit)
    return f"{mean:,.1f}" if abs(mean) < 1000 else f"{mean:,.0f}"


def unit_of_amount(amount: float, unit: str) -> str:
    """The unit after an amount, in the singular or the plural."""
    words = unit_words(unit)
    return words.removesuffix("s") if amount == 1 and unit in UNITS else words


def unit_of_check(unit: str) -> str:
    """What a check is called by its number in this unit; "" where it has none.

    >>> unit_of_check("epoch"), unit_of_check("checks"), unit_of_check("elapsed_seconds")
    ('epoch', 'check', '')
    """
    return unit_of_amount(1, unit) if unit in (CHECKS, EPOCH, STEP) else ""


def axis_of(unit: str, largest: float) -> tuple[float, str]:
    """How an axis shows a unit: what its values are divided by, and its name.

    largest: the largest amount on it.

    >>> axis_of("elapsed_seconds", 9000), axis_of("elapsed_seconds", 90), axis_of("step", 9000)
    ((3600.0, 'hours'), (1.0, 'seconds'), (1.0, 'steps'))
    """
    if unit != ELAPSED:
        return 1.0, unit_words(unit)
    for least, divisor, name in _SECONDS_OF_AXIS:
        if largest >= least:
            return divisor, name
    return 1.0, "seconds"
