"""The options for the unit of cost, and for the price of an hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from .._text import one_line
from .options import Command

if TYPE_CHECKING:
    from ..history.history import History
    from ..language.rule import Rule
    from ..replaying.checks import Checks
    from ..replaying.of_dataset import ReplayTotals
    from ..replaying.price import Price
    from ..replaying.result import Replay

__all__ = [
    "cost_option",
    "judged_checks",
    "note_mixed_units",
    "require_time",
    "require_unit",
    "unit_option",
]


def unit_option(name: str = "--unit") -> Callable[[Command], Command]:
    """Add the option for the unit of cost."""
    return click.option(
        name,
        metavar="UNIT",
        help="What is used and saved counts in: checks, epoch, step, elapsed_seconds, or a metric "
        "that never falls; by default the steps of the logs, else epochs, else checks.",
    )


def _price(_: click.Context, option: click.Parameter, text: str | None) -> Price | None:
    from ..errors import RuleError
    from ..replaying.price import Price

    if text is None:
        return None
    try:
        return Price.from_text(text)
    except RuleError as error:
        raise click.BadParameter(str(error), param=option) from None


cost_option = click.option(
    "--cost",
    metavar="PRICE/h",
    callback=_price,
    help="What an hour costs, such as 2.5/h, '$2.5/h' or '2.5 EUR/h': prices the hours used and "
    "saved, where the logs have their time.",
)


def judged_checks(history: History, rules: Sequence[Rule], on_missing: Any) -> Checks:
    """The checks of a history under these rules."""
    from ..replaying.checks import checks_of, looked_at

    return checks_of(history, looked_at(rules) if on_missing == "skip" else ())


def require_unit(checks: Checks, unit: str, option: str = "--unit") -> None:
    """Raise BadParameter for a unit that no run reports, or that falls within a run."""
    from ..errors import HistoryError, MissingMetricError
    from ..language.positions import EPOCH

    positions = checks.positions
    hint = f"'{option}'"
    try:
        positions.amount(unit, checks.history.lengths)
    except (HistoryError, MissingMetricError) as error:
        raise click.BadParameter(str(error), param_hint=hint) from None
    if unit == EPOCH and positions.column(EPOCH) is None:
        raise click.BadParameter("no run reports its epochs: choose 'checks'", param_hint=hint)


def require_time(results: Sequence[Replay | ReplayTotals]) -> None:
    """Raise BadParameter if no run reports its time."""
    if results[0].summary()["hours"] is None:
        raise click.BadParameter(
            "no run reports its time, as elapsed_seconds, _runtime, wall_time or timestamp",
            param_hint="'--cost'",
        )


def note_mixed_units(checks: Checks, unit: str) -> None:
    """Say on the error output if runs do not report the same units."""
    from ..replaying.text import mixed_units_text

    text = mixed_units_text(checks, unit)
    if text is not None:
        click.echo(one_line(text), err=True)
