"""The group of commands, and how a command ends: exit codes, and a line for every known error."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

import click

from .. import __version__
from .._text import one_line
from ..errors import EarlystopError, RuleError
from .advise import advise
from .compare import compare
from .completion import completion
from .demo import demo
from .metrics import metrics
from .plot import plot
from .replay import replay
from .report import report
from .rules import rules
from .suggestions import suggestions
from .sweep import sweep
from .watch import watch

__all__ = ["main"]

_CLOSED_PIPE = 141  # as shells report SIGPIPE


class _TroubleError(click.ClickException):
    """Trouble with the data, reported in one line."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))

    def show(self, file: Any = None) -> None:
        click.echo(f"Error: {self.message}", err=True, file=file)


class _CommandError(_TroubleError):
    """An invalid command."""

    exit_code = 2


class _InterruptedError(_TroubleError):
    exit_code = 130  # as shells report SIGINT

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True, file=file)


class Commands(click.Group):
    """A group whose commands end in one line and the right exit code, and never in a traceback."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """As click does it, with usage errors in one line."""
        arguments = list(args[1]) if len(args) > 1 else []
        with _usage_in_one_line(self.name):
            context = super().make_context(*args, **extra)
        context.meta["earlystop.arguments"] = arguments
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn documented errors into their ending."""
        try:
            with _usage_in_one_line(), _warnings_in_one_line(), _escapes_for_unencodable():
                result = super().invoke(ctx)
                sys.stdout.flush()  # a closed pipe is noticed here, not at exit
            return result
        except KeyboardInterrupt:
            raise _InterruptedError("Interrupted") from None
        except RuleError as error:
            raise _CommandError(str(error)) from error
        except EarlystopError as error:
            raise _TroubleError(str(error)) from error
        except BrokenPipeError:
            _forget_output()
            ctx.exit(_CLOSED_PIPE)
        except OSError as error:
            raise _TroubleError(_named(error)) from error
        except MemoryError:
            raise _TroubleError("there is not enough memory for this") from None
        except ImportError as error:
            if "pip install" not in str(error):  # a bug, not a missing extra
                raise
            raise _TroubleError(str(error)) from error


def _named(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {what}" if error.filename is not None else what


def _forget_output() -> None:
    """Discard what is still buffered; Python would complain about it at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _usage_in_one_line(command: str | None = None) -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # called without arguments: prints the help
            raise
        where = error.ctx.command_path if error.ctx is not None else command
        advice = f" (see '{where} --help')" if where else ""
        raise _CommandError(_usage(error) + advice) from error


def _usage(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        meant = suggestions(error)  # a sentence; before click 8.4 the message ends without a stop
        return f"{error.message.removesuffix('.')}.{meant}" if meant else error.message
    return error.format_message()


@contextlib.contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    def show(message: Any, *_: Any, **__: Any) -> None:
        first, *listed = re.split(r"\s*\n\s*", str(message))
        text = f"{first} {'; '.join(listed)}" if listed else first
        click.echo(f"Warning: {one_line(text)}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def _escapes_for_unencodable() -> Iterator[None]:
    """Write characters that the terminal's encoding lacks as escapes, instead of failing."""
    streams: list[TextIO] = [sys.stdout, sys.stderr]
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            with contextlib.suppress(ValueError):
                stream.reconfigure(errors="backslashreplace")
    yield


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="earlystop")
def main() -> None:
    """Decide when to stop training, and what to keep; ask logged runs what would have been.

    \b
    earlystop metrics runs/                                       what is in there
    earlystop replay runs/ --monitor val_loss --patience 20       what would have been
    earlystop sweep runs/ --monitor val_loss --patience 1:201     which setting is worth it
    earlystop advise runs/ --monitor val_loss --max-regret 1%     which patience is safe
    earlystop compare runs/ --monitor val_loss --patience 5       what each framework would do
    earlystop watch runs/7 --monitor val_loss --patience 20 --pid 4711    end a run that is going on
    earlystop plot runs/ --monitor val_loss --patience 5,20 -o picture.png
    earlystop report runs/ --monitor val_loss --patience 20 -o report.html

    Exit codes: 0 done; 1 trouble with the data; 2 a command that makes no sense; 130 interrupted.
    """


for _command in (
    *(metrics, replay, sweep, advise, compare, watch, plot, report),
    *(rules, demo, completion),
):
    main.add_command(_command)
