"""Options that several commands share: the file to write, threads, JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from .._files.paths import expanded
from .._text import one_line

__all__ = [
    "Command",
    "Output",
    "add_options",
    "machine_options",
    "picture_option",
    "report_option",
    "workers_option",
]

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


class Output(NamedTuple):
    """A file to write ("-" for the standard output) and its kind, such as "svg"."""

    name: str
    kind: str

    def write(self, data: bytes, *, aside: bool = False) -> None:
        """Write it whole, and report it.

        aside: report it on the error output, because the standard output is for a machine.
        """
        if self.name == "-":
            click.echo(data, nl=False)
            return
        from .._files.atomic import write_whole

        click.echo(one_line(f"wrote {write_whole(self.name, data)}"), err=aside)


def out_option(
    what: str, kinds: Callable[[], Sequence[str]], piped: str | None, required: bool = True
) -> Callable[[Command], Command]:
    """Add -o: the file to write, in an existing folder; the command is called with an `Output`.

    kinds: returns the kinds of files to choose from, which are their endings.
    piped: the kind that "-" writes to the standard output; None if it may not.
    """

    def output(context: click.Context, option: click.Parameter, out: str | None) -> Output | None:
        """Refuse what could not be written, before any work is done."""
        if out is None:
            return None
        if out == "-":
            if piped is None:
                taken = "takes a file here: the answer is on the standard output"
                raise click.BadParameter(taken, context, option)
            return Output(out, piped)
        from ..errors import RuleError
        from ..plotting import kind_of

        out = expanded(out, "--out")
        if not Path(out).parent.is_dir():
            missing = f"there is no folder {str(Path(out).parent)!r}"
            raise click.BadParameter(missing, context, option)
        try:
            return Output(out, kind_of(out, kinds()))
        except RuleError as error:
            raise click.BadParameter(str(error), context, option) from None

    kind = click.Path(dir_okay=False, allow_dash=True)
    return click.option("-o", "--out", type=kind, required=required, callback=output, help=what)


def picture_option(what: str, *, piped: bool) -> Callable[[Command], Command]:
    """Add -o for a picture, by itself or in a page; required if it may go to a pipe, as SVG."""

    def kinds() -> Sequence[str]:
        from ..plotting import PICTURE_KINDS

        return (*PICTURE_KINDS, "html")

    return out_option(what, kinds, "svg" if piped else None, required=piped)


def report_option(command: Command) -> Command:
    """Add -o for a report."""

    def kinds() -> Sequence[str]:
        from ..plotting import REPORT_KINDS

        return REPORT_KINDS

    what = "The file to write: .html, or .pdf, printed by a browser; - for HTML on standard output."
    return out_option(what, kinds, "html")(command)


def machine_options(command: Command) -> Command:
    """Add --json and --csv; the command is called with `machine`, None for neither."""
    command = click.option("--csv", "machine", flag_value="csv", help="Print CSV.")(command)
    return click.option("--json", "machine", flag_value="json", help="Print JSON.")(command)
