"""`earlystop watch`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from .._text import count
from .ending import Ending, ending_options
from .log_options import LogOptions, log_options
from .rule_options import RuleOptions, rule_options
from .watch_view import view_for

if TYPE_CHECKING:
    from ..watching import Watch

__all__ = ["watch"]

_QUIET, _COMPLETE = 3, 4  # exit codes


@click.command(short_help="Follow a run, and end it when a rule says so.")
@log_options
@rule_options
@click.option("--run", metavar="NAME", help="Which run, where the log has several.")
@ending_options
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up on a quiet log."
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look at the log.",
)
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the last check must not have changed, to be decided on; 0 for logs of one line "
    "a check. One that the next follows is decided on at once.",
)
@click.option("--json", "machine", is_flag=True, help="Print a line of JSON for each check.")
def watch(
    logs: LogOptions,
    options: RuleOptions,
    run: str | None,
    ending: Ending,
    timeout: float | None,
    interval: float,
    settle: float,
    machine: bool,
) -> None:
    """Follow the log of a run while it is written, and end the run when a rule says so.

    LOGS is one file, folder or glob pattern, which need not be there yet, or - for the standard
    input. It decides as 'earlystop replay' does on the finished log: on each check once nothing
    that is still to come can change it. Without a way to end the run, it ends itself, with an exit
    code for scripts.

    \b
    earlystop watch runs/7 --monitor val_loss --patience 10 --pid 4711
    earlystop watch log.csv --monitor val_loss --patience 10 --stop-file runs/7/STOP
    earlystop watch out.log --as keras --monitor val_loss --patience 5 --command 'scancel 123'
    python train.py | earlystop watch - --monitor val_loss --patience 10

    Exit codes: 0 the rule stopped the run; 1 trouble with the data, or the run could not be ended;
    2 a command that makes no sense; 3 the log was quiet for --timeout; 4 the run ended by itself;
    130 interrupted.
    """
    ending.check()
    watched = _watched(
        logs, options, run=run, pid=ending.pid, timeout=timeout, interval=interval, settle=settle
    )
    follow(watched, view_for(watched, machine))
    if watched.ended == "stopped":
        ending.carry_out(watched, aside=machine)
    else:
        click.get_current_context().exit(_QUIET if watched.ended == "quiet" else _COMPLETE)


def _watched(logs: LogOptions, options: RuleOptions, **settings: Any) -> Watch:
    """The watch that the options describe. Raises UsageError for several logs or rules."""
    from ..watching import Watch

    if len(logs.sources) != 1:
        raise click.UsageError(
            f"this watches one log, got {len(logs.sources)}: name the folder of the run, or start "
            "one watch for each"
        )
    if options.rule_count > 1:
        raise click.UsageError(f"this takes one rule, got {count(options.rule_count, 'rule')}")
    (rule,) = options.rules()
    return Watch(_stopper(options, rule), logs.inputs()[0], **settings, **logs.options)


def _stopper(options: RuleOptions, rule: Any) -> Any:
    import earlystop as es

    return es.Stopper(rule, options.save(rule), on_missing=options.on_missing)


def follow(watched: Watch, view: Any) -> None:
    """Look at the log again and again until it ends, and show each look."""
    with view:
        while not watched.ended:
            view.show(watched.look())
            if not watched.ended:
                time.sleep(watched.pause)
