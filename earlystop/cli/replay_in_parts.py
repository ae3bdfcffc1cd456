"""`earlystop replay` of a table, part by part, and the rows that say what rules did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .._text import count
from .log_options import LogOptions
from .output import Machine, say, write_csv, write_json
from .replay_tables import print_rules
from .rule_options import RuleOptions
from .table_options import TableOptions, read_of

if TYPE_CHECKING:
    from ..replaying.of_dataset import ReplayTotals
    from ..replaying.price import Price
    from ..replaying.result import Replay

__all__ = ["price_row", "replay_in_parts", "require_few", "rule_row"]

_MOST_RULES = 50


def require_few(options: RuleOptions, most: int = _MOST_RULES) -> None:
    """Raise UsageError for more rules than a replay takes."""
    if options.rule_count > most:
        raise click.UsageError(
            f"these are {options.rule_count:,} rules, and this takes {most}: 'earlystop sweep' is "
            "for many"
        )


def price_row(price: Price) -> dict[str, Any]:
    """A price as JSON data."""
    return {"per_hour": price.per_hour, "currency": price.currency}


def rule_row(result: Replay | ReplayTotals, price: Price | None) -> dict[str, Any]:
    """What a rule did, with the rules as JSON data."""
    row = result.summary()
    if price is not None:
        used, logged = price.of(row["hours"]), price.of(row["hours_logged"])
        row |= {"cost_logged": logged, "cost": used, "cost_saved": logged - used}
    data = {"rule_data": result.stop.to_dict(), "save_data": result.save.to_dict()}
    return {**row, **data}


def replay_in_parts(
    logs: LogOptions,
    options: RuleOptions,
    columns: TableOptions,
    workers: int,
    unit: str | None,
    price: Price | None,
    write: str | None,
    machine: Machine,
) -> None:
    """Replay the rules on a table, and print what they did, summed up."""
    import earlystop as es

    from .costs import require_time

    require_few(options)
    if write is not None and options.rule_count > 1:
        raise click.UsageError("--write takes one rule")
    dataset = columns.scan(logs, options)
    results: list[ReplayTotals] = []
    with columns.workers(workers) as who:
        for rule in options.rules():
            result = es.replay(
                rule,
                dataset,
                save=options.save(rule),
                on_missing=options.on_missing,
                unit=unit,
                write=write,
                workers=who,
                progress=logs.progress,
            )
            results.append(result)
    if price is not None:
        require_time(results)
    if machine == "json":
        told = {} if price is None else {"price": price_row(price)}
        read = {"runs": results[0].runs, **read_of(dataset)}
        write_json({"read": read, **told, "rules": [rule_row(each, price) for each in results]})
    elif machine == "csv":
        write_csv([result.summary() for result in results])
    else:
        print_rules(results, price)
        say(f"{count(results[0].runs, 'run')}, in {count(len(dataset), 'part')}.")
