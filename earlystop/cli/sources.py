"""The options that say what is read, and how; `inputs.py` hands them on."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..history.history import History

__all__ = [
    "Command",
    "LogOptions",
    "log_options",
    "machine_options",
    "out_option",
    "workers_option",
]

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True)
class LogOptions:
    """What is to be read, and how."""

    sources: tuple[str, ...]
    options: Mapping[str, Any]
    show_progress: bool | None

    @property
    def progress(self) -> bool:
        """Are progress bars to be shown? By default where somebody may be looking."""
        return sys.stderr.isatty() if self.show_progress is None else self.show_progress

    def read(self, metrics: set[str] | None = None) -> History:
        """The history in all of them, with these metrics or all. Raises what `read_history` does.

        LogOptions of many metrics take memory for those that are kept.
        """
        from ..logs.read import read_history

        sources: list[Any] = [
            sys.stdin.buffer if source == "-" else source for source in self.sources
        ]
        return read_history(
            sources[0] if len(sources) == 1 else sources,
            metrics=metrics,
            progress=self.progress,
            **self.options,
        )


def log_options(command: Command) -> Command:
    """Add the argument LOGS and the options of reading; the command is called with `logs`."""

    @functools.wraps(command)
    def with_logs(
        sources: tuple[str, ...],
        derive: tuple[str, ...],
        pattern: tuple[str, ...],
        progress: bool | None,
        **rest: Any,
    ) -> Any:
        names = ("format", "on_error", "repeats", "coordinate", "separator", "encoding")
        given: dict[str, Any] = {
            name: value for name in names if (value := rest.pop(name)) is not None
        }
        if pattern:
            given["pattern"] = list(pattern)
        if derive:
            given["derived"] = dict(map(_derived, derive))
        return command(logs=LogOptions(sources, given, progress), **rest)

    for option in reversed(
        [
            click.argument(
                "sources",
                metavar="LOGS...",
                nargs=-1,
                required=True,
                type=click.Path(allow_dash=True),  # not that it has to exist: it may be a pattern
            ),
            click.option(
                "--format", metavar="NAME", help="The format of the logs, if not told by itself."
            ),
            click.option(
                "--derive",
                metavar="NAME=EXPR",
                multiple=True,
                help="A metric made of others: 'fit=0.1*mAP50 + 0.9*mAP'.",
            ),
            click.option(
                "--on-error",
                type=click.Choice(["raise", "skip"]),
                help="Leave out what cannot be read, and say so, instead of ending.",
            ),
            click.option(
                "--repeats",
                type=click.Choice(["replace", "keep"]),
                help="What becomes of epochs that a resumed run reports again.",
            ),
            click.option(
                "--coordinate", metavar="NAME", help="The column that counts the rows, if unusual."
            ),
            click.option("--separator", metavar="CHAR", help="Of the columns, if not told."),
            click.option(
                "--pattern",
                metavar="REGEX",
                multiple=True,
                help="For plain text: its named groups are metrics.",
            ),
            click.option("--encoding", metavar="NAME", help="Of text; UTF-8 if left out."),
            click.option(
                "--progress/--quiet",
                default=None,
                help="Progress bars or none; by default where the error output is a terminal.",
            ),
        ]
    ):
        with_logs = option(with_logs)
    return with_logs  # type: ignore[return-value]


workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads to work on; the answers do not depend on it.",
)


def out_option(what: str, required: bool = True) -> Callable[[Command], Command]:
    """Add -o: the file to write, in a folder that there is."""
    kind = click.Path(dir_okay=False, allow_dash=True)
    return click.option(
        "-o", "--out", type=kind, required=required, callback=_in_a_folder, help=what
    )


def _in_a_folder(context: click.Context, option: click.Parameter, out: str | None) -> str | None:
    """Checked before there is any work done."""
    if out is not None and not Path(out).parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(Path(out).parent)!r}", context, option)
    return out


def machine_options(command: Command) -> Command:
    """Add --json and --csv; the command is called with `machine`, None for neither."""
    command = click.option("--csv", "machine", flag_value="csv", help="Print CSV.")(command)
    return click.option("--json", "machine", flag_value="json", help="Print JSON.")(command)


def _derived(text: str) -> tuple[str, str]:
    name, equals, expression = text.partition("=")
    if not (equals and name.strip() and expression.strip()):
        raise click.BadParameter(
            f"expected NAME=EXPR, such as 'fit=0.1*a + 0.9*b', got {text!r}",
            param_hint="'--derive'",
        )
    return name.strip(), expression.strip()
