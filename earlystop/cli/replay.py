"""`earlystop replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .._text import count, number
from .loading import load
from .log_options import LogOptions, log_options
from .options import machine_options, workers_option
from .output import Machine, say, write_csv, write_json
from .reading import print_skipped, report_of
from .rule_options import RuleOptions, rule_options
from .tables import print_table

if TYPE_CHECKING:
    from ..replaying.replay import Replay

__all__ = ["replay", "replayed"]

_MOST_RULES = 50
_FEW_RUNS = 40  # more are summarised
_WORST = 5  # of many runs, those with the largest regret that are listed


@click.command(short_help="Tell what a rule would have done.")
@log_options
@rule_options
@click.option("--reasons", is_flag=True, help="Say of every run why it stops.")
@click.option("--all", "every", is_flag=True, help="List every run, however many there are.")
@workers_option
@machine_options
def replay(
    logs: LogOptions,
    options: RuleOptions,
    reasons: bool,
    every: bool,
    workers: int,
    machine: Machine,
) -> None:
    """Tell what a rule would have done to runs that are over.

    LOGS are files, folders, glob patterns, or - for the standard input. Several values or rules
    are compared. Epochs count from 0; "regret" is how much worse the best value up to the stop is
    than the best of the whole log.

    \b
    earlystop replay runs/ --monitor val_loss --patience 20
    earlystop replay log.csv --monitor val_loss --patience 5,10,20 --csv > answers.csv
    earlystop replay 'runs/*/metrics.csv' --rule 'Patience("val_loss", 20) | NonFinite("loss")'
    """
    results = replayed(logs, options, workers)
    if machine == "json":
        history = results[0].history
        write_json(
            {
                "read": report_of(history),
                "rules": [_rule_row(result) for result in results],
                "runs": [row for result in results for row in _rows(result, reasons)],
            }
        )
    elif machine == "csv":
        write_csv([row for result in results for row in _rows(result, reasons)])
    else:
        _print(results, reasons, every)


def replayed(
    logs: LogOptions,
    options: RuleOptions,
    workers: int = 1,
    most: int = _MOST_RULES,
    also: tuple[str, ...] = (),
) -> list[Replay]:
    """What the rules would have done; also: further metrics to read."""
    import earlystop as es

    if options.rule_count > most:
        raise click.UsageError(
            f"these are {options.rule_count:,} rules, and this takes {most}: 'earlystop sweep' is "
            "for many"
        )
    history, options = load(logs, options, also)
    rules = options.rules()
    saves = [options.save(rule) for rule in rules]
    return [
        es.replay(
            rule,
            history,
            save=save,
            on_missing=options.on_missing,
            workers=workers,
            progress=logs.progress,
        )
        for rule, save in zip(rules, saves, strict=True)
    ]


def _rule_row(result: Replay) -> dict[str, Any]:
    """What a rule did, with the rules as JSON data."""
    data = {"rule_data": result.stop.to_dict(), "save_data": result.save.to_dict()}
    return {**result.summary(), **data}


def _rows(result: Replay, reasons: bool) -> list[dict[str, Any]]:
    """One row per run, with None for unknown values."""
    columns: dict[str, list[Any]] = {"rule": [repr(result.stop)] * len(result), **result.to_dict()}
    if "best" in columns:
        columns["best_of_log_epoch"] = result.whole_log.saved_epoch.tolist()
        columns["best_of_log"] = result.whole_log.best.tolist()
    names = list(columns)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for number_of_run, row in enumerate(rows):
        if row["saved_epoch"] < 0:
            row["saved_epoch"] = None
            row.update({name: None for name in ("best",) if name in row})
        if row.get("best_of_log_epoch", 0) < 0:
            row.update(best_of_log_epoch=None, best_of_log=None, regret=None)
        if reasons:
            row["reason"] = _reason(result, number_of_run)
    return rows


def _reason(result: Replay, run: int) -> str | None:
    if not result.stopped[run]:
        return None
    return result.decisions(run)[-1].reason


def _print(results: list[Replay], reasons: bool, every: bool) -> None:
    import earlystop as es

    history = results[0].history
    few = every or history.runs <= _FEW_RUNS
    if len(results) > 1:
        _print_rules(results)
    for result in results:
        if few and (len(results) <= 4 or every):
            _print_runs(result, _rows(result, reasons or history.runs == 1), str(result.stop))
        elif len(results) == 1:
            _print_summary(result, reasons)
    monitors = [result.save.monitor for result in results if isinstance(result.save, es.Best)]
    if monitors:
        say(f"Regret: how much worse the {monitors[0]} kept is than the best of the whole log.")
    if not few:
        say(f"{count(history.runs, 'run')} are summed up: --all lists them, --csv gives them all.")
    print_skipped(history)


def _print_rules(results: list[Replay]) -> None:
    rows = []
    for result in results:
        row = result.summary()
        rows.append(
            [
                row["rule"],
                f"{row['stopped']:,} of {row['runs']:,}",
                f"{row['epochs']:,}",
                f"{row['share_saved']:.1%}",
                number(row["mean_regret"]),
                number(row["max_regret"]),
            ]
        )
    print_table(
        ["<rule", "stopped", "epochs", "saved", "mean\nregret", "worst\nregret"],
        rows,
    )


def _print_runs(result: Replay, rows: list[dict[str, Any]], title: str) -> None:
    table = []
    for row in rows:
        best = [] if "best" not in row else [number(row["best"]), number(row["regret"])]
        saved = "-" if row["saved_epoch"] is None else f"{row['saved_epoch']:,}"
        how = "rule" if row["stopped"] else "log"
        table.append([row["run"], f"{row['logged']:,}", f"{row['epochs']:,}", how, saved, *best])
    headings = ["<run", "epochs\nlogged", "epochs\nused", "ended\nby", "epoch\nkept"]
    if rows and "best" in rows[0]:
        headings += ["value\nkept", "\nregret"]
    print_table(headings, table, title=title)
    for row in rows:
        if row.get("reason"):
            say(f"{row['run']}: epoch {row['epochs'] - 1}: stop: {row['reason']}")


def _print_summary(result: Replay, reasons: bool) -> None:
    import numpy as np

    row = result.summary()
    say(
        f"{result.stop!r}: {row['stopped']:,} of {count(row['runs'], 'run')} stopped, "
        f"{row['epochs']:,} of {row['logged']:,} epochs used, {row['share_saved']:.1%} saved"
    )
    columns: dict[str, Any] = {
        "epochs logged": result.logged,
        "epochs used": result.epochs,
        "share used": result.epochs / np.maximum(result.logged, 1),
    }
    regret = result.known_regret
    if len(regret):
        columns["regret"] = regret
    shares = (0.0, 0.1, 0.5, 0.9, 1.0)
    table = [
        [name, *(number(float(x)) for x in np.quantile(values, shares, method="nearest"))]
        for name, values in columns.items()
    ]
    print_table(["<over the runs", "least", "10 %", "median", "90 %", "most"], table)
    if not len(regret):
        return
    say(f"No regret in {int((regret == 0).sum()):,} of {count(len(regret), 'run')}.")
    order = np.argsort(np.where(np.isnan(result.regret), -1.0, result.regret), kind="stable")
    worst = order[::-1][:_WORST]
    rows = _rows_of(result, worst, reasons)
    _print_runs(result, rows, f"The {len(rows)} runs with the largest regret")


def _rows_of(result: Replay, runs: Any, reasons: bool) -> list[dict[str, Any]]:
    rows = _rows(result, reasons=False)
    picked = []
    for run in runs.tolist():
        picked.append(rows[run])
        if reasons:
            picked[-1]["reason"] = _reason(result, run)
    return picked
