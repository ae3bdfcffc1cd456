"""`--as NAME`: the rules of a framework's own early stopping."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ..errors import RuleError

if TYPE_CHECKING:
    from ..engine.stopper import Stopper
    from ..language.direction import Mode

__all__ = ["check_framework", "own_values", "stoppers_as"]

_TAKEN = {"patience": "--patience", "min_delta": "--min-delta"}


def check_framework(name: str | None) -> str | None:
    """The full name. Raises UsageError for an unknown one."""
    from ..peers.asked import full_name

    if name is None:
        return None
    try:
        return full_name(name)
    except RuleError as error:
        raise click.BadParameter(str(error), param_hint="'--as'") from None


def stoppers_as(
    name: str, monitor: str | None, mode: Mode, fields: Mapping[str, list[Any]], written: bool
) -> dict[tuple[Any, ...], Stopper]:
    """The framework's stoppers, by the values of the fields, in their order.

    fields: values by name. written: whether rules are written out, too.

    Raises UsageError for options that do not go together.
    """
    from ..peers.asked import stopper_as

    if written:
        raise click.UsageError("--as names the rule already: leave out --rule")
    if monitor is None:
        raise click.UsageError("--as needs the metric to watch: --monitor val_loss")
    others = [field for field in fields if field not in _TAKEN]
    if others:
        raise click.UsageError(f"--as takes {' and '.join(_TAKEN.values())}, not {others[0]!r}")
    try:
        return {
            values: stopper_as(name, monitor, mode=mode, **dict(zip(fields, values, strict=True)))
            for values in itertools.product(*fields.values())
        }
    except RuleError as error:
        raise click.UsageError(str(error)) from None


def own_values(
    name: str, fields: Mapping[str, list[Any]], stoppers: Mapping[tuple[Any, ...], Stopper]
) -> dict[str, list[Any]]:
    """The values of the fields as those of the one `Patience` of the framework's rule.

    Raises UsageError if the rules differ in anything else.
    """
    from ..sweeping.grid import apply_settings, axes_of

    found: dict[str, list[Any]] = {}
    for place, (field, values) in enumerate(fields.items()):
        by_value = {setting[place]: _patience(stopper) for setting, stopper in stoppers.items()}
        found[field] = [getattr(by_value[value], field) for value in values]
    first = next(iter(stoppers.values())).stop
    axes = axes_of(first, found)
    for own, stopper in zip(itertools.product(*found.values()), stoppers.values(), strict=True):
        if apply_settings(first, axes, dict(zip(found, own, strict=True))) != stopper.stop:
            raise click.UsageError(
                f"{name} does not wait in the same way at all of these values: leave out those at "
                "the edge, such as 0"
            )
    for field, values in fields.items():
        if found[field] != list(values):
            click.echo(
                f"{field} {values[0]} of {name} is {found[field][0]} here, and so on", err=True
            )
    return found


def _patience(stopper: Stopper) -> Any:
    """The one `Patience` in the stop rule."""
    from ..rules import Patience
    from ..sweeping.grid import walk

    return next(rule for rule in walk(stopper.stop) if isinstance(rule, Patience))
