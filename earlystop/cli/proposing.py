"""`--propose`: patterns for plain text, shown as the options with which any command reads it."""

from __future__ import annotations

import dataclasses
import shlex

import click

from .log_options import LogOptions

__all__ = ["with_proposed_patterns"]


def with_proposed_patterns(logs: LogOptions) -> LogOptions:
    """The options with the patterns that are proposed for the first log, which are printed.

    They go to the error output, so that --json and --csv stay what they are.

    Raises LogError if nothing recurs in the log, click's errors for what is no single file.
    """
    from ..errors import LogError
    from ..logs.proposing import propose_patterns

    if len(logs.sources) != 1 or logs.sources[0] == "-":
        raise click.UsageError("--propose takes one file: its patterns read others like it")
    if "pattern" in logs.options:
        raise click.UsageError("--propose and --pattern exclude each other")
    (path,) = logs.sources
    patterns = propose_patterns(path, encoding=logs.options.get("encoding", "utf-8"))
    if not patterns:
        raise LogError(
            "nothing but counters recurs in it as `name: number`, `name=number` or `name number`: "
            r"write a pattern, with a named group for each metric, such as "
            r"--pattern 'loss (?P<loss>\S+)'",
            path,
        )
    click.echo("proposed, to be passed on to any command:", err=True)
    for pattern in patterns:
        click.echo(f"  --pattern {shlex.quote(pattern)}", err=True)
    return dataclasses.replace(logs, options={**logs.options, "pattern": list(patterns)})
