"""The options that say which logs are read and how: `@log_options` hands on one `LogOptions`."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from .._arguments import named_by
from .naming import options_of
from .options import add_options

if TYPE_CHECKING:
    from ..history.history import History

__all__ = ["LogOptions", "log_options"]


@dataclasses.dataclass(frozen=True)
class LogOptions:
    """The logs to read, and how to read them.

    stdin: what is read in place of the standard input; None for the standard input itself.
    """

    sources: tuple[str, ...]
    options: Mapping[str, Any]
    show_progress: bool | None
    stdin: Any = None

    @property
    def progress(self) -> bool:
        """Whether to display progress bars: by default if the error output is a terminal."""
        return sys.stderr.isatty() if self.show_progress is None else self.show_progress

    def inputs(self) -> list[Any]:
        """What `read_history` takes: paths and patterns, and the standard input for -."""
        stdin = sys.stdin.buffer if self.stdin is None else self.stdin
        return [stdin if source == "-" else source for source in self.sources]

    def read(self, metrics: set[str] | None = None) -> History:
        """The history in all logs, with these metrics or all. Raises what `read_history` does.

        Logs of many metrics take memory only for the metrics that are read.
        """
        from ..logs.read import read_history

        sources = self.inputs()
        return read_history(
            sources[0] if len(sources) == 1 else sources,
            metrics=metrics,
            progress=self.progress,
            **self.options,
        )


_OPTIONS = [
    click.argument(
        "sources",
        metavar="LOGS...",
        nargs=-1,
        required=True,
        type=click.Path(allow_dash=True),  # it need not exist: it may be a pattern
    ),
    click.option("--format", metavar="NAME", help="The format of the logs, if not recognised."),
    click.option(
        "--derive",
        metavar="NAME=EXPR",
        multiple=True,
        help="A metric made of others: 'fit=0.1*mAP50 + 0.9*mAP'.",
    ),
    click.option(
        "--rename",
        metavar="OLD=NEW",
        multiple=True,
        help="One name for what tools call by several: eval_loss=val_loss. Of several for one "
        "metric, the first that a run has.",
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
    click.option("--separator", metavar="CHAR", help="Of the columns, if not recognised."),
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


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument LOGS and the options of reading; the command is called with `logs`."""

    @functools.wraps(command)
    def with_logs(
        sources: tuple[str, ...],
        derive: tuple[str, ...],
        rename: tuple[str, ...],
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
        if rename:
            given["rename"] = dict(map(_renamed, rename))
        with named_by(options_of(click.get_current_context())):
            return command(logs=LogOptions(sources, given, progress), **rest)

    return add_options(with_logs, _OPTIONS)


def _derived(text: str) -> tuple[str, str]:
    name, equals, expression = text.partition("=")
    if not (equals and name.strip() and expression.strip()):
        raise click.BadParameter(
            f"expected NAME=EXPR, such as 'fit=0.1*a + 0.9*b', got {text!r}",
            param_hint="'--derive'",
        )
    return name.strip(), expression.strip()


def _renamed(text: str) -> tuple[str, str]:
    old, _, new = text.rpartition("=")
    if not (old.strip() and new.strip()):
        raise click.BadParameter(
            f"expected OLD=NEW, such as 'eval_loss=val_loss', got {text!r}",
            param_hint="'--rename'",
        )
    return old.strip(), new.strip()
