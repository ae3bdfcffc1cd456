"""`earlystop report`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from .advise import Share
from .costs import cost_option, require_time, unit_option
from .log_options import LogOptions, log_options
from .options import Output, report_option, workers_option
from .reading import print_skipped
from .replay import replayed
from .rule_options import RuleOptions, rule_options

if TYPE_CHECKING:
    from ..advising.result import Advice
    from ..language.rule import Rule
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
    "--max-regret",
    type=Share(),
    default=0.01,
    show_default="1%",
    metavar="SHARE",
    help="What a run may lose, for the advice: a share of its improvement.",
)
@click.option(
    "--advice/--no-advice",
    "with_advice",
    default=True,
    show_default=True,
    help="Say which patience to use, as 'earlystop advise' does.",
)
@click.option(
    "--sweep/--no-sweep",
    "with_sweep",
    default=True,
    show_default=True,
    help="Let the reader try other values of the patience.",
)
@click.option("--rows", type=click.IntRange(min=1), default=1000, help="Runs that are listed.")
@workers_option
@click.pass_context
def report(
    context: click.Context,
    logs: LogOptions,
    options: RuleOptions,
    out: Output,
    unit: str | None,
    cost: Price | None,
    title: str | None,
    max_regret: float,
    with_advice: bool,
    with_sweep: bool,
    rows: int,
    workers: int,
) -> None:
    """Write a report: the answer, the advice, a slider over settings, every run, in one HTML file.

    LOGS are files, folders, glob patterns, or - for the standard input. The file needs nothing but
    itself: it can be sent, archived and printed. Without a rule or a patience, it is about 5, 10
    and 20 checks of patience.

    \b
    earlystop report runs/ --monitor val_loss --patience 5,20 -o report.html
    """
    from ..advising.request import requested_guarantee
    from ..report.pdf import find_browser, printed
    from ..report.report import report_page

    if out.kind == "pdf":
        find_browser()
    requested_guarantee(max_regret, 0.9, None, "improvement", None)  # before anything is read
    asked = options.or_usual_patiences()
    results = replayed(logs, asked, workers, most=_MOST_RULES, unit=unit)
    if cost is not None:
        require_time(results)
    advice = _advice(logs, results[0], max_regret, workers) if with_advice else None
    rules = [*([] if advice is None else [advice.rule]), results[0].stop]
    sweeps = _sweeps(logs, results[0], rules, workers) if with_sweep else ()
    named: dict[str, Any] = {} if title is None else {"title": title}
    page = report_page(
        *results,
        sweep=sweeps,
        advice=advice,
        rows=rows,
        cost=cost,
        command=_command(context),
        **named,
    )
    out.write(printed(page) if out.kind == "pdf" else page.encode())
    print_skipped(results[0].history)


def _command(context: click.Context) -> str:
    """The command line, as it is typed."""
    arguments = context.find_root().meta.get("earlystop.arguments", ())
    return shlex.join(["earlystop", *arguments])


def _advice(logs: LogOptions, result: Replay, max_regret: float, workers: int) -> Advice | None:
    """What `advise` says about the metric that says which check is best; None without one."""
    import numpy as np

    import earlystop as es

    best = result.best_rule
    if best is None or not np.isfinite(result.whole_log.best).any():
        return None
    return es.advise(
        result.history,
        best.monitor,
        mode=best.mode,
        max_regret=max_regret,
        cost_unit=result.unit,
        on_missing=result.on_missing,
        workers=workers,
        progress=logs.progress,
    )


def _sweeps(
    logs: LogOptions, result: Replay, rules: Sequence[Rule], workers: int
) -> Iterator[Sweep]:
    """What other values of the patience of each of these rules would have done."""
    import earlystop as es

    save = result.save
    if not isinstance(save, es.Best) or save != es.Best(save.monitor, mode=save.mode):
        return
    longest = int(result.history.lengths.max())
    found = [each for each in (_with_a_dial(rule, longest) for rule in rules) if each is not None]
    for rule, patience in dict(found).items():
        yield es.sweep(
            rule,
            result.history,
            save=save,
            on_missing=result.on_missing,
            unit=result.unit,
            workers=workers,
            progress=logs.progress,
            patience=patience,
        )


def _with_a_dial(rule: Rule, longest: int) -> tuple[Rule, Sequence[float]] | None:
    """The rule with any value of its patience, and the values; None without one, or with two."""
    import earlystop as es

    from ..advising.candidates import DIALS
    from ..sweeping.grid import apply_settings, axes_of, walk

    patience: Sequence[float] = range(1, max(2, min(longest, _LARGEST_PATIENCE)) + 1)
    if any(isinstance(part, es.AdaptivePatience) for part in walk(rule)):
        patience = DIALS
    owners = [part for part in walk(rule) if "patience" in part.settings]
    if len(owners) != 1:
        return None
    axes = axes_of(rule, {"patience": patience})
    return apply_settings(rule, axes, {"patience": patience[0]}), patience
