"""`earlystop report`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .costs import cost_option, require_time, unit_option
from .log_options import LogOptions, log_options
from .options import Output, report_option, workers_option
from .reading import print_skipped
from .replay import replayed
from .rule_options import RuleOptions, rule_options

if TYPE_CHECKING:
    from ..replaying.price import Price
    from ..replaying.replay import Replay
    from ..sweeping.sweep import Sweep

__all__ = ["report"]

_MOST_RULES = 7
_LARGEST_PATIENCE = 200


@click.command(short_help="Write all of it into one HTML file.")
@log_options
@rule_options
@report_option
@unit_option()
@cost_option
@click.option("--title", help="Of the report.")
@click.option(
    "--sweep/--no-sweep",
    "with_sweep",
    default=True,
    show_default=True,
    help="Tell what other values of the first rule's patience would have done.",
)
@click.option("--rows", type=click.IntRange(min=1), default=1000, help="Runs that are listed.")
@workers_option
def report(
    logs: LogOptions,
    options: RuleOptions,
    out: Output,
    unit: str | None,
    cost: Price | None,
    title: str | None,
    with_sweep: bool,
    rows: int,
    workers: int,
) -> None:
    """Write a report: rules, pictures, every run, and what was read, in one HTML file.

    LOGS are files, folders, glob patterns, or - for the standard input. The file needs nothing but
    itself: it can be sent, archived and printed.

    \b
    earlystop report runs/ --monitor val_loss --patience 5,20 -o report.html
    """
    from ..report.report import report_page

    results = replayed(logs, options, workers, most=_MOST_RULES, unit=unit)
    if cost is not None:
        require_time(results)
    table = _patience_sweep(logs, results[0], workers) if with_sweep else None
    named: dict[str, Any] = {} if title is None else {"title": title}
    out.write(report_page(*results, sweep=table, rows=rows, cost=cost, **named).encode())
    print_skipped(results[0].history)


def _patience_sweep(logs: LogOptions, result: Replay, workers: int) -> Sweep | None:
    """What other values of the patience would have done; None without one, or with two."""
    import earlystop as es

    from ..sweeping.grid import axes_of

    longest = int(result.history.lengths.max())
    values = range(1, max(2, min(longest, _LARGEST_PATIENCE)) + 1)
    grid: dict[str, Any] = {"patience": values}
    save = result.save
    if not isinstance(save, es.Best) or save != es.Best(save.monitor, mode=save.mode):
        return None
    try:
        axes_of(result.stop, grid)
    except es.RuleError:
        return None
    return es.sweep(
        result.stop,
        result.history,
        save=save,
        on_missing=result.on_missing,
        unit=result.unit,
        workers=workers,
        progress=logs.progress,
        **grid,
    )
