"""`earlystop sweep`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .._text import count, number
from .costs import judged_checks, note_mixed_units, unit_option
from .loading import load
from .log_options import LogOptions, log_options
from .options import machine_options, workers_option
from .output import Machine, say, write_csv, write_json
from .reading import print_skipped, report_of
from .rule_options import RuleOptions, rule_options
from .table_options import TableOptions, read_of, table_options
from .tables import print_table

if TYPE_CHECKING:
    from ..history.history import History
    from ..sweeping.sweep import Sweep

__all__ = ["sweep", "swept"]

_FEW_SETTINGS = 25  # the most that are listed without --all
_SHARES = (0.5, 0.9)


@click.command(short_help="Show what every setting of a rule would cost.")
@log_options
@rule_options
@table_options
@unit_option()
@click.option("--all", "every", is_flag=True, help="List every setting, however many there are.")
@workers_option
@machine_options
def sweep(
    logs: LogOptions,
    options: RuleOptions,
    columns: TableOptions | None,
    unit: str | None,
    every: bool,
    workers: int,
    machine: Machine,
) -> None:
    """Show what every setting of a rule would have cost and saved.

    LOGS are files, folders, glob patterns, or - for the standard input. Every combination of
    values is a setting. "Regret" is how much worse the best value up to the stop is than the best
    of the whole log; the knee, marked with *, is the cheapest setting that avoids all but 1 % of
    what the cheapest of all loses. `earlystop advise` says what can be promised of new runs.

    \b
    earlystop sweep runs/ --monitor val_loss --patience 1:201
    earlystop sweep runs/ --monitor val_loss --patience 1:201 --min-delta 0,1e-3 --csv > sweep.csv
    earlystop sweep runs/ --rule 'Patience("val_loss") | GeneralizationLoss("val_loss")' \\
        --patience 1:50 --grid alpha=1,5,20
    earlystop sweep store/*.parquet --run run_id --step step --monitor val_loss --patience 1:201 \\
        --workers 8
    """
    if columns is not None:
        table, read = _swept_in_parts(logs, options, columns, workers, unit)
    else:
        table, history = swept(logs, options, workers, unit)
        read = report_of(history) if machine == "json" else {}
    rows = setting_rows(table)
    if machine == "json":
        write_json(
            {
                "read": read,
                "rule": repr(table.rule),
                "rule_data": table.rule.to_dict(),
                "monitors": list(table.monitors),
                "unit": table.unit,
                "knee": table.knee,
                "settings": rows,
            }
        )
    elif machine == "csv":
        write_csv(rows)
    else:
        _print(table, rows, every)
    if columns is None:
        print_skipped(history)


def _require_fields(options: RuleOptions) -> None:
    if not options.fields:
        raise click.UsageError(
            "say which settings to try, such as --patience 1:201 or --grid alpha=1,5,20"
        )


def _swept_in_parts(
    logs: LogOptions,
    options: RuleOptions,
    columns: TableOptions,
    workers: int,
    unit: str | None,
) -> tuple[Sweep, dict[str, Any]]:
    """What the settings would have done on the runs of a table, and what was read."""
    import earlystop as es

    _require_fields(options)
    dataset = columns.scan(logs, options)
    with columns.workers(workers) as who:
        table = es.sweep(
            options.rule(),
            dataset,
            save=options.best(),
            on_missing=options.on_missing,
            unit=unit,
            workers=who,
            progress=logs.progress,
            **options.grid(),
        )
        table.quantile_regret(0.5)  # while there is somebody who works on them
    return table, {"runs": table.runs, **read_of(dataset)}


def swept(
    logs: LogOptions, options: RuleOptions, workers: int = 1, unit: str | None = None
) -> tuple[Sweep, History]:
    """What the settings would have done, and the history."""
    import earlystop as es

    _require_fields(options)
    history, options = load(logs, options, unit=unit)
    rule, grid = options.rule(), options.grid()
    table = es.sweep(
        rule,
        history,
        save=options.best(),
        on_missing=options.on_missing,
        unit=unit,
        workers=workers,
        progress=logs.progress,
        **grid,
    )
    note_mixed_units(judged_checks(history, [rule], options.on_missing), table.unit)
    return table, history


def setting_rows(table: Sweep) -> list[dict[str, Any]]:
    """One row per setting: its values, and what they cost and saved."""
    columns = {**table.to_dict(), "unit": [table.unit] * len(table)}
    for share in _SHARES:
        columns[f"regret_{share:.0%}".replace("%", "_percent")] = table.quantile_regret(
            share
        ).tolist()
    names = list(columns)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for number_of_row, row in enumerate(rows):
        row["knee"] = number_of_row == table.knee
    return rows


def _print(table: Sweep, rows: list[dict[str, Any]], every: bool) -> None:
    listed = range(len(rows)) if every else _some(len(rows), table.knee)
    from ..language.units import mean_cell, unit_words

    axes = list(table.settings[0])
    lines = []
    for index in listed:
        row = rows[index]
        lines.append(
            [
                "*" if row["knee"] else "",
                *(number(x) if isinstance(x, float) else str(x) for x in map(row.get, axes)),
                mean_cell(float(table.mean_used[index]), table.unit),
                f"{row['share_saved']:.1%}",
                number(row["mean_regret"]),
                *(number(row[f"regret_{share:.0%}".replace("%", "_percent")]) for share in _SHARES),
            ]
        )
    quantiles = [f"regret\n{'median' if share == 0.5 else f'{share:.0%}'}" for share in _SHARES]
    print_table(
        ["<", *axes, f"mean\n{unit_words(table.unit)}", "\nsaved", "mean\nregret", *quantiles],
        lines,
        title=f"{table.rule!r} on {count(table.runs, 'run')}",
        caption=None
        if table.knee is None
        else "*: the knee, beyond which next to nothing is gained (new runs: earlystop advise)",
        names=1 + len(axes),
    )
    if len(listed) < len(rows):
        say(f"{len(listed)} of {count(len(rows), 'setting')} are shown: --all lists them all.")


def _some(settings: int, knee: int | None) -> list[int]:
    """The settings to list: evenly spaced ones, the first, the last, and the knee."""
    if settings <= _FEW_SETTINGS:
        return list(range(settings))
    steps = _FEW_SETTINGS - 2
    some = {round(step * (settings - 1) / steps) for step in range(steps + 1)}
    return sorted(some | ({knee} if knee is not None else set()))
