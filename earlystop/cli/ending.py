"""How `earlystop watch` ends a run: a signal, a file, a command."""

from __future__ import annotations

import dataclasses
import functools
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .._files.paths import expanded
from .._text import duration, one_line
from .options import add_options

if TYPE_CHECKING:
    from ..watching import Watch
    from ..watching.process import Process

__all__ = ["Ending", "ending_options"]


@dataclasses.dataclass
class Ending:
    """What is done when the rule stops a run; nothing by default.

    pid, signal: the process that trains, and the signal that it gets.
    grace: seconds in which it must end then.
    stop_file: a file that is written, for a training that looks for it.
    command: a command that is run.
    """

    pid: int | None
    signal: str
    grace: float
    stop_file: str | None
    command: str | None
    _held: Process | None = dataclasses.field(default=None, init=False)

    def check(self) -> None:
        """Refuse what could not be carried out, before the wait."""
        self._words()
        if self.stop_file is not None:
            path = Path(expanded(self.stop_file, "--stop-file"))
            if not path.parent.is_dir():
                raise click.UsageError(f"--stop-file: there is no folder {str(path.parent)!r}")
            if path.exists():
                raise click.UsageError(
                    f"--stop-file: {str(path)!r} is there already, so the run has been told to "
                    "stop: remove it first"
                )
        if self.pid is not None:
            self._refuse_ignored(self._process(self.pid))

    def _words(self) -> list[str]:
        try:
            words = shlex.split(self.command or "")
        except ValueError as error:
            raise click.UsageError(f"--command: {error}: {self.command!r}") from None
        if self.command is not None and not words:
            raise click.UsageError("--command is empty")
        return words

    def _process(self, pid: int) -> Process:
        if self._held is None:
            from ..watching.process import Process

            self._held = Process(pid)
        return self._held

    def _number(self) -> Any:
        from ..watching.process import signal_named

        return signal_named(self.signal)

    def _refuse_ignored(self, process: Process) -> None:
        number = self._number()
        if process.ignores(number):
            raise click.UsageError(
                f"process {process.pid} ignores {number.name} (so does with SIGINT what a script "
                "starts with &): choose another --signal, or a --stop-file"
            )

    def carry_out(self, watched: Watch, *, aside: bool) -> None:
        """End the run, and say what was done.

        aside: say it on the error output.
        """
        say = functools.partial(click.echo, err=aside)
        if self.stop_file is not None:
            from .._files.atomic import write_whole

            path = expanded(self.stop_file, "--stop-file")
            reason = f"{watched.stopper.explain()}\n".encode()
            say(one_line(f"wrote {write_whole(path, reason)}"))
        if self.command is not None:
            self._run(watched, say)
        if self.pid is not None:
            self._signal(self._process(self.pid), say)

    def _run(self, watched: Watch, say: Callable[[str], object]) -> None:
        words, stopper = self._words(), watched.stopper
        told = {"REASON": stopper.reason, "RUN": watched.run, "CHECKS": stopper.checks}
        told |= {"BEST": stopper.best, "BEST_EPOCH": stopper.best_epoch}
        told |= {"BEST_STEP": stopper.best_step}
        environment = {
            f"EARLYSTOP_{name}": str(value) for name, value in told.items() if value is not None
        }
        say(one_line(f"runs {self.command}"))
        # The user's own command, without a shell.
        done = subprocess.run(words, env={**os.environ, **environment}, check=False)  # noqa: S603
        if done.returncode:
            raise click.ClickException(f"--command ended with exit code {done.returncode}")

    def _signal(self, process: Process, say: Callable[[str], object]) -> None:
        number = self._number()
        if not process.signal(number):
            say(f"process {process.pid} had ended already")
            return
        say(f"sent {number.name} to process {process.pid}")
        if not process.wait(self.grace):
            raise click.ClickException(
                f"process {process.pid} has not ended {duration(self.grace)} after {number.name}: "
                "a longer --grace gives it more time, --signal KILL none"
            )
        say(f"process {process.pid} has ended")


_OPTIONS = [
    click.option(
        "--pid",
        type=click.IntRange(min=1),
        help="The process that trains: it is sent a signal when the rule stops the run, and when "
        "it ends, the log is complete.",
    ),
    click.option(
        "--signal",
        "signal_name",
        metavar="NAME",
        default="TERM",
        show_default=True,
        help="Which signal. (INT is ignored by what a script starts with &.)",
    ),
    click.option(
        "--grace",
        type=click.FloatRange(min=0),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="How long the process may take to end then.",
    ),
    click.option(
        "--stop-file", metavar="FILE", help="Write this file, for a training that looks for it."
    ),
    click.option(
        "--command",
        "end_command",
        metavar="COMMAND",
        help="Run this command; it finds EARLYSTOP_REASON and others in its environment.",
    ),
]


def ending_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a run is ended; the command is called with `ending`."""

    @functools.wraps(command)
    def with_ending(
        pid: int | None,
        signal_name: str,
        grace: float,
        stop_file: str | None,
        end_command: str | None,
        **rest: Any,
    ) -> Any:
        ending = Ending(pid, signal_name, grace, stop_file, end_command)
        return command(ending=ending, **rest)

    return add_options(with_ending, _OPTIONS)
