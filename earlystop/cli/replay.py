"""`earlystop replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .._text import count
from .costs import cost_option, note_mixed_units, require_time, unit_option
from .loading import load
from .log_options import LogOptions, log_options
from .options import machine_options, workers_option
from .output import Machine, say, write_csv, write_json
from .reading import print_skipped, report_of
from .replay_in_parts import price_row, replay_in_parts, require_few, rule_row
from .replay_tables import print_rules, print_runs, print_summary, print_time
from .rule_options import RuleOptions, rule_options
from .streaming import streamed
from .table_options import TableOptions, table_options

if TYPE_CHECKING:
    from ..replaying.price import Price
    from ..replaying.replay import Replay

__all__ = ["replay", "replayed"]

_MOST_RULES = 50
_FEW_RULES = 4  # more are listed without their runs
_FEW_RUNS = 40  # more are summarised
_WORST = 5  # of many runs, those with the largest regret that are listed


@click.command(short_help="Show what a rule would have done.")
@log_options
@rule_options
@table_options
@unit_option()
@cost_option
@click.option("--reasons", is_flag=True, help="Say of every run why it stops.")
@click.option(
    "--write",
    metavar="FOLDER",
    help="With --run: a new folder for Parquet files of what every run would have done.",
)
@click.option("--all", "every", is_flag=True, help="List every run, however many there are.")
@workers_option
@machine_options
def replay(
    logs: LogOptions,
    options: RuleOptions,
    columns: TableOptions | None,
    unit: str | None,
    cost: Price | None,
    reasons: bool,
    write: str | None,
    every: bool,
    workers: int,
    machine: Machine,
) -> None:
    """Show what a rule would have done to runs that are over.

    LOGS are files, folders, glob patterns, or - for the standard input: while that goes on, a stop
    is printed as soon as the rule decides on it ('earlystop watch' ends the run). Several values or
    rules are compared. What is used and saved is in the unit of the logs: steps, else epochs,
    else checks; "regret" is how much worse the best value up to the stop is than the best of the
    whole log.

    \b
    earlystop replay runs/ --monitor val_loss --patience 20
    earlystop replay log.csv --monitor val_loss --patience 5,10,20 --csv > answers.csv
    earlystop replay runs/ --monitor val_loss --patience 20 --unit elapsed_seconds --cost '$2.5/h'
    earlystop replay 'runs/*/metrics.csv' --rule 'Patience("val_loss", 20) | NonFinite("loss")'
    earlystop replay store/*.parquet --run run_id --step step --monitor val_loss --patience 20
    """
    if columns is not None:
        if reasons or every:
            raise click.UsageError("a table (--run) is summed up: --write FOLDER writes every run")
        replay_in_parts(logs, options, columns, workers, unit, cost, write, machine)
        return
    if write is not None:
        raise click.UsageError("--write is for tables, with --run: --csv lists all runs of logs")
    results = replayed(streamed(logs, options), options, workers, unit=unit)
    if cost is not None:
        require_time(results)
    if machine == "json":
        history = results[0].history
        write_json(
            {
                "read": report_of(history),
                **({} if cost is None else {"price": price_row(cost)}),
                "rules": [rule_row(result, cost) for result in results],
                "runs": [row for result in results for row in _rows(result, reasons, cost)],
            }
        )
    elif machine == "csv":
        write_csv([row for result in results for row in _rows(result, reasons, cost)])
    else:
        _print(results, reasons, every, cost)


def replayed(
    logs: LogOptions,
    options: RuleOptions,
    workers: int = 1,
    most: int = _MOST_RULES,
    also: tuple[str, ...] = (),
    unit: str | None = None,
) -> list[Replay]:
    """What the rules would have done.

    also: further metrics to read. unit: of cost.
    """
    import earlystop as es

    require_few(options, most)
    history, options = load(logs, options, also, unit)
    rules = options.rules()
    saves = [options.save(rule) for rule in rules]
    results = [
        es.replay(
            rule,
            history,
            save=save,
            on_missing=options.on_missing,
            unit=unit,
            workers=workers,
            progress=logs.progress,
        )
        for rule, save in zip(rules, saves, strict=True)
    ]
    note_mixed_units(results[0].replayed, results[0].unit)
    return results


def _rows(result: Replay, reasons: bool, price: Price | None) -> list[dict[str, Any]]:
    """One row per run, with None for unknown values."""
    columns: dict[str, list[Any]] = {"rule": [repr(result.stop)] * len(result), **result.to_dict()}
    if "best" in columns:
        columns["best_of_log_epoch"] = result.whole_log.saved_epoch.tolist()
        columns["best_of_log"] = result.whole_log.best.tolist()
    if price is not None:
        columns["cost"] = [price.of(hours) for hours in result.hours.tolist()]
        saved = (result.hours_logged - result.hours).tolist()
        columns["cost_saved"] = [price.of(hours) for hours in saved]
    names = list(columns)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for number_of_run, row in enumerate(rows):
        if row["saved_epoch"] < 0:
            row["saved_epoch"] = None
            row.update({name: None for name in ("saved_step", "best") if name in row})
        if row.get("best_of_log_epoch", 0) < 0:
            row.update(best_of_log_epoch=None, best_of_log=None, regret=None)
        if reasons:
            row["reason"] = _reason(result, number_of_run)
    return rows


def _reason(result: Replay, run: int) -> str | None:
    if not result.stopped[run]:
        return None
    return result.decisions(run)[-1].reason


def _print(results: list[Replay], reasons: bool, every: bool, price: Price | None) -> None:

    history = results[0].history
    few = every or history.runs <= _FEW_RUNS
    if len(results) > 1:
        print_rules(results, price)
    for result in results:
        if few and (len(results) <= _FEW_RULES or every):
            runs = range(history.runs)
            print_runs(result, runs, str(result.stop), reasons or history.runs == 1, price)
            print_time(result, price)
        elif len(results) == 1:
            print_summary(result, reasons, price, _WORST)
    monitors = [best.monitor for result in results if (best := result.best_rule) is not None]
    if monitors:
        say(f"Regret: how much worse the {monitors[0]} kept is than the best of the whole log.")
    if not few:
        say(f"{count(history.runs, 'run')} are summed up: --all lists them, --csv gives them all.")
    print_skipped(history)
