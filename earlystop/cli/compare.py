"""`earlystop compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .._text import count, number
from .costs import unit_option
from .loading import load
from .log_options import LogOptions, log_options
from .options import Output, machine_options, picture_option
from .output import Machine, say, write_csv, write_json
from .plot import write_figure
from .reading import print_skipped, report_of
from .rule_options import RuleOptions
from .tables import print_table

if TYPE_CHECKING:
    from ..comparing import Comparison

__all__ = ["compare"]


@click.command(short_help="Show what each framework would have done.")
@log_options
@click.option("--monitor", metavar="METRIC", required=True, help="The metric to watch.")
@click.option(
    "--patience",
    type=click.IntRange(min=0),
    help="Passed to each as it is; if left out, each framework's default.",
)
@click.option(
    "--min-delta",
    type=float,
    help="Passed to each as it is, by whatever name; if left out, each framework's default.",
)
@click.option(
    "--mode",
    type=click.Choice(["auto", "min", "max"]),
    default="auto",
    show_default="by the metric's name",
    help="Whether lower or higher is better.",
)
@click.option(
    "--as",
    "names",
    metavar="NAME",
    multiple=True,
    help="Only this framework (keras, lightning, ...); several times for several.",
)
@unit_option()
@picture_option("Also draw it: .png, .svg, .pdf, .html, ...", piped=False)
@machine_options
def compare(
    logs: LogOptions,
    monitor: str,
    patience: int | None,
    min_delta: float | None,
    mode: str,
    names: tuple[str, ...],
    unit: str | None,
    out: Output | None,
    machine: Machine,
) -> None:
    """Show what the early stopping of each framework would have done on the same logs.

    LOGS are files, folders, glob patterns, or - for the standard input. Frameworks that do the
    same on all of these runs share a row. "regret" is how much worse what is kept is than the best
    of the whole log.

    \b
    earlystop compare log.csv --monitor val_loss --patience 5
    earlystop compare runs/ --monitor val_loss --patience 5 -o frameworks.png
    earlystop compare runs/ --monitor val_loss --patience 5 --as keras --as lightning
    """
    import earlystop as es

    options = RuleOptions((), monitor, mode, None, {}, "skip")
    history, options = load(logs, options, unit=unit)
    comparison = es.compare(
        history,
        monitor,
        patience=patience,
        min_delta=min_delta,
        mode=options.mode,  # type: ignore[arg-type]  # `--mode` allows no other
        names=names or None,
        unit=unit,
    )
    if machine == "json":
        write_json({"read": report_of(history), "frameworks": comparison.rows()})
    elif machine == "csv":
        write_csv(comparison.rows())
    else:
        _print(comparison)
        print_skipped(history)
    if out is not None:
        what = f"{count(len(comparison.results), 'framework')} on {count(history.runs, 'run')}"
        write_figure(comparison.plot(), what, out, aside=machine is not None)


def _print(comparison: Comparison) -> None:
    runs = comparison.history.runs
    headings, rows = _of_one(comparison) if runs == 1 else _of_several(comparison)
    title = f"{comparison.monitor} ({comparison.mode}) of {count(runs, 'run')}"
    print_table(["<frameworks", *headings], rows, title=title)
    kept = [group for group in comparison.groups() if len(group) > 1]
    if len(kept) == 1 and len(comparison.groups()) == 1:
        say("All do the same.")


def _labelled(comparison: Comparison) -> list[tuple[str, str]]:
    """The first name of each group, and the names of all in it."""
    groups = comparison.groups()
    return [(group[0], ", ".join(map(comparison.short_name, group))) for group in groups]


def _of_one(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Headings and rows for one run: where each framework ends it, and what it keeps."""
    from ..language.units import amount_cell, unit_words
    from ..replaying.text import places_of

    words, unit, rows = unit_words(comparison.unit), comparison.unit, []
    for name, label in _labelled(comparison):
        result = comparison.results[name]
        positions = result.replayed.positions
        rows.append(
            [
                label,
                places_of(positions, result.checks - 1, [0])[0] if result.stopped[0] else "-",
                amount_cell(result.used[0], unit),
                places_of(positions, result.saved_check, [0])[0],
                *_values(comparison, name),
            ]
        )
    return ["<stops after", f"{words}\nused", "<keeps", comparison.monitor, "regret"], rows


def _values(comparison: Comparison, name: str) -> list[str]:
    known: list[Any] = [comparison.kept(name)[0], comparison.regret(name)[0]]
    return [number(None if value != value else value) for value in known]


def _of_several(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Headings and rows for several runs: what each framework uses and gives up."""
    from ..language.units import amount_cell, unit_words

    found = {row["name"]: row for row in comparison.rows()}
    rows = []
    for name, label in _labelled(comparison):
        row = found[name]
        rows.append(
            [
                label,
                f"{row['stopped']:,} of {row['runs']:,}",
                amount_cell(row["used"], comparison.unit),
                f"{row['share_saved']:.1%}",
                number(row["mean_regret"]),
                number(row["max_regret"]),
            ]
        )
    used = f"{unit_words(comparison.unit)}\nused"
    return ["stopped", used, "saved", "mean\nregret", "worst\nregret"], rows
