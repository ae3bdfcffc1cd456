"""Options that several commands share: the file to write, threads, JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from .._files.paths import expanded

__all__ = ["Command", "add_options", "machine_options", "out_option", "workers_option"]

Command = TypeVar("Command", bound=Callable[..., Any])


def add_options(command: Command, options: Iterable[Callable[..., Any]]) -> Command:
    """The command with these options, which its help lists in this order."""
    for option in reversed(list(options)):
        command = option(command)
    return command


workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads to work on; the answers do not depend on it.",
)


def out_option(what: str, required: bool = True) -> Callable[[Command], Command]:
    """Add -o: the file to write, in an existing folder."""
    kind = click.Path(dir_okay=False, allow_dash=True)
    return click.option(
        "-o", "--out", type=kind, required=required, callback=_in_a_folder, help=what
    )


def _in_a_folder(context: click.Context, option: click.Parameter, out: str | None) -> str | None:
    """Refuse a file in a missing folder, before any work is done."""
    if out is None:
        return None
    out = expanded(out, "--out")
    if not Path(out).parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(Path(out).parent)!r}", context, option)
    return out


def machine_options(command: Command) -> Command:
    """Add --json and --csv; the command is called with `machine`, None for neither."""
    command = click.option("--csv", "machine", flag_value="csv", help="Print CSV.")(command)
    return click.option("--json", "machine", flag_value="json", help="Print JSON.")(command)
