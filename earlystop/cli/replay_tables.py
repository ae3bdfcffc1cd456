"""What `earlystop replay` prints for people: tables of rules, of runs, and over many runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._text import count, duration, number
from .output import say
from .tables import print_table

if TYPE_CHECKING:
    from ..replaying.of_dataset import ReplayTotals
    from ..replaying.price import Price
    from ..replaying.result import Replay

__all__ = ["print_rules", "print_runs", "print_summary", "print_time"]


def print_rules(results: Sequence[Replay | ReplayTotals], price: Price | None) -> None:
    """Print one row per rule."""
    from ..language.units import amount_cell, unit_words

    unit = results[0].unit
    timed = results[0].summary()["hours"] is not None
    rows = []
    for result in results:
        row = result.summary()
        cells = [
            row["rule"],
            f"{row['stopped']:,} of {row['runs']:,}",
            amount_cell(row["used"], unit),
            f"{row['share_saved']:.1%}",
            number(row["mean_regret"]),
            number(row["max_regret"]),
        ]
        if timed:
            hours = row["hours_logged"] - row["hours"]
            cells += [duration(3600 * hours), *([] if price is None else [price.text(hours)])]
        rows.append(cells)
    headings = ["<rule", "stopped", f"{unit_words(unit)}\nused", "saved"]
    headings += ["mean\nregret", "worst\nregret"]
    if timed:
        headings += ["time\nsaved", *([] if price is None else ["cost\nsaved"])]
    print_table(headings, rows)


def print_time(result: Replay, price: Price | None) -> None:
    """Print one line about the time that is used and saved, if logs report it."""
    from ..replaying.text import hours_text

    summary = result.summary()
    if summary["hours"] is not None:
        say(f"Time: {hours_text(result, price)}")


def print_runs(
    result: Replay, runs: Sequence[int], title: str, reasons: bool, price: Price | None
) -> None:
    """Print one row for each of these runs, and why it stops."""
    from ..replaying.run_columns import run_columns

    names = result.history.names
    columns = {"<run": [names[run] for run in runs], **run_columns(result, runs, price)}
    table = [list(row) for row in zip(*columns.values(), strict=True)]
    print_table(["\n".join(heading.rsplit(" ", 1)) for heading in columns], table, title=title)
    if not reasons:
        return
    for run in runs:
        if result.stopped[run]:
            say(f"{names[run]}: {_stop_text(result, run)}")


def _stop_text(result: Replay, run: int) -> str:
    """Where a rule stops a run, and why."""
    from ..replaying.text import places_of

    decision = result.decisions(run)[-1]
    place, check = decision.place, result.checks[[run]] - 1
    if place is None:  # as the reason has it
        return f"stops after epoch {decision.epoch}: {decision.reason}"
    return f"stops after {places_of(result.replayed.positions, check, [run])[0]}: {decision.reason}"


def print_summary(result: Replay, reasons: bool, price: Price | None, worst_runs: int) -> None:
    """Print many runs in a few lines, and those with the largest regret."""
    import numpy as np

    from ..language.units import unit_words
    from ..replaying.text import used_text

    row = result.summary()
    say(
        f"{result.stop!r}: {row['stopped']:,} of {count(row['runs'], 'run')} stopped, "
        f"{used_text(row)} used, {row['share_saved']:.1%} saved"
    )
    print_time(result, price)
    print_table(
        ["<over the runs", "least", "10 %", "median", "90 %", "most"],
        _quantiles(result, unit_words(result.unit)),
    )
    regret = result.known_regret
    if not len(regret):
        return
    say(f"No regret in {int((regret == 0).sum()):,} of {count(len(regret), 'run')}.")
    order = np.argsort(np.where(np.isnan(result.regret), -1.0, result.regret), kind="stable")
    worst = order[::-1][:worst_runs].tolist()
    title = f"The {len(worst)} runs with the largest regret"
    print_runs(result, worst, title, reasons, price)


def _quantiles(result: Replay, words: str) -> list[list[str]]:
    """Quantiles over runs of what is logged, used and lost."""
    import numpy as np

    from ..language.units import amount_cell

    def amount(value: float) -> str:
        return amount_cell(value, result.unit)

    rows: list[tuple[str, Any, Any]] = [
        (f"{words} logged", result.logged, amount),
        (f"{words} used", result.used, amount),
        ("share used", result.share_used, number),
        ("regret", result.known_regret, number),
    ]
    table = []
    for name, values, text in rows:
        known = values[~np.isnan(values)]
        if len(known):
            shares = np.quantile(known, (0.0, 0.1, 0.5, 0.9, 1.0), method="nearest")
            table.append([name, *(text(float(each)) for each in shares)])
    return table
