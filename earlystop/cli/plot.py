"""`earlystop plot`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .._text import count
from .costs import unit_option
from .log_options import LogOptions, log_options
from .options import Output, picture_option, workers_option
from .replay import replayed
from .rule_options import RuleOptions, rule_options
from .sweep import swept

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot", "write_figure"]

_MOST_RULES = 7  # as many as there are line styles


@click.command(short_help="Draw what rules would have done.")
@log_options
@rule_options
@picture_option(
    "The file to write: .png, .svg, .pdf, .html, .jpg, ...; - for SVG on the standard output.",
    piped=True,
)
@unit_option()
@click.option("--run", metavar="NAME", help="Of several runs, the one to draw: its name or number.")
@click.option(
    "--kind",
    type=click.Choice(["auto", "curve", "rows", "distribution", "sweep"]),
    default="auto",
    show_default=True,
    help="A run's curve, a row a run, how many runs give up how much, or the trade-off of a sweep. "
    "By itself: a sweep for more than 7 rules, else as fits the number of runs.",
)
@click.option("--metric", metavar="METRIC", multiple=True, help="Another to draw, in a curve.")
@workers_option
def plot(
    logs: LogOptions,
    options: RuleOptions,
    out: Output,
    unit: str | None,
    run: str | None,
    kind: str,
    metric: tuple[str, ...],
    workers: int,
) -> None:
    """Draw what rules would have done: to one run, to many, or as the trade-off of a sweep.

    LOGS are files, folders, glob patterns, or - for the standard input.

    \b
    earlystop plot log.csv --monitor val_loss --patience 5,20 -o run.png
    earlystop plot runs/ --monitor val_loss --patience 5,20,50 -o runs.svg
    earlystop plot runs/ --monitor val_loss --patience 1:201 -o sweep.pdf
    """
    if kind == "auto" and options.rule_count > _MOST_RULES:
        kind = "sweep"
    figure, title = (
        _of_sweep(logs, options, workers, unit)
        if kind == "sweep"
        else _of_replays(logs, options, workers, unit, run, kind, metric)
    )
    write_figure(figure, title, out)


def _of_sweep(
    logs: LogOptions, options: RuleOptions, workers: int, unit: str | None
) -> tuple[Figure, str]:
    table, _ = swept(logs, options, workers, unit)
    return table.plot(), f"{count(len(table), 'setting')} on {count(table.runs, 'run')}"


def _of_replays(
    logs: LogOptions,
    options: RuleOptions,
    workers: int,
    unit: str | None,
    run: str | None,
    kind: Any,
    metric: tuple[str, ...],
) -> tuple[Figure, str]:
    results = replayed(logs, options, workers, most=_MOST_RULES, also=metric, unit=unit)
    history = results[0].history
    which: int | str | None = run
    if run is not None and run.isdecimal() and run not in history.names:
        which = int(run)
    figure = results[0].plot(*results[1:], run=which, kind=kind, metrics=metric)
    return figure, f"{count(len(results), 'rule')} on {count(history.runs, 'run')}"


def write_figure(figure: Figure, title: str, out: Output, *, aside: bool = False) -> None:
    """Write a picture to a file, or the standard output; aside: see `Output.write`."""
    from ..plotting import picture

    if out.kind == "html":
        from ..report.page import page_with

        data = page_with(figure, title).encode()
    else:
        data = picture(figure, out.kind)
    out.write(data, aside=aside)
