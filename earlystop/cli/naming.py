"""The options of a command, by which messages of the library name its arguments."""

from __future__ import annotations

from typing import Any

import click

from .._arguments import Naming

__all__ = ["options_of"]

_OTHER_NAMES = {"derived": "derive", "metrics": "metric"}  # of arguments: those of the options


def options_of(context: click.Context) -> Naming:
    """How to name arguments for this command: the options that set them.

    An argument of a rule, whose owner is a class, is that option only where it was given:
    otherwise it stands in a rule that was written out.
    """
    options = {
        str(option.name): option
        for option in context.command.params
        if isinstance(option, click.Option)
    }

    def name(argument: str, value: Any, owner: str) -> str | None:
        option = options.get(_OTHER_NAMES.get(argument, argument))
        if option is None or (owner[:1].isupper() and not _is_given(context, option)):
            return None
        return _written(option, value)

    return name


def _is_given(context: click.Context, option: click.Option) -> bool:
    source = context.get_parameter_source(str(option.name))
    return source is click.core.ParameterSource.COMMANDLINE


def _written(option: click.Option, value: Any) -> str | None:
    """The option with its value, as one types it."""
    flag = max(option.opts, key=len)
    if value is ...:
        return flag
    if option.is_flag:
        if value is True:
            return flag
        return max(option.secondary_opts, key=len, default=None) if value is False else None
    text = str(value)
    return f'{flag} "{text}"' if set(text) & set(" '()*|&~") else f"{flag} {text}"
