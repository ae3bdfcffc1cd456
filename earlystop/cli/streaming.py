"""The standard input of `earlystop replay` while it comes: a stop is printed at once.

The answer as a whole needs the whole log: regret is measured against its best.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

import click

from .._text import one_line
from .log_options import LogOptions
from .rule_options import DirectionError, RuleOptions

if TYPE_CHECKING:
    from ..watching import Watch
    from ..watching.files import LogStream

__all__ = ["streamed"]

_NEVER = 1e9  # seconds
_INTERVAL, _AT_FIRST = 1.0, 0.2  # seconds between looks; less while a pipe may be a short one


def streamed(logs: LogOptions, options: RuleOptions) -> LogOptions:
    """The logs, with a standard input that is decided on as it comes, by one rule."""
    if logs.sources != ("-",) or options.rule_count != 1:
        return logs
    try:
        (rule,) = options.rules()
        save = options.save(rule)
    except DirectionError:  # which the log may tell when all of it has been read
        return logs
    return dataclasses.replace(logs, stdin=_Streamed(logs, rule, save, options.on_missing))


class _Streamed:
    """An open file that prints, while it is read, when the rule stops the run in it."""

    def __init__(self, logs: LogOptions, rule: Any, save: Any, on_missing: Any) -> None:
        self._logs, self._rules = logs, (rule, save, on_missing)
        self.name = "<stdin>"

    def read(self, most: int) -> bytes:
        """All that comes, or at most `most` bytes of it."""
        import earlystop as es

        from ..watching import Watch
        from ..watching.files import LogStream

        stream = LogStream(sys.stdin.buffer)
        self.name = stream.name
        rule, save, on_missing = self._rules
        stopper = es.Stopper(rule, save, on_missing=on_missing)
        watch = Watch(stopper, stream, settle=_NEVER, **self._logs.options)
        pause = _AT_FIRST
        while not stream.complete and stream.size <= most:
            stream.wait(pause)
            pause = max(_INTERVAL, watch.pause)
            _look(watch, stream)
        stream.state()  # raises what kept it from being read to its end
        return stream.source().read(most)


def _look(watch: Watch, stream: LogStream) -> None:
    """Print a stop while the stream goes on."""
    if stream.complete:
        return
    for decision in watch.poll():
        if decision.stop and not stream.complete:
            click.echo(one_line(f"{decision} (reads on, to the end of the log)"), err=True)
