"""`earlystop advise`."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from .costs import unit_option
from .loading import load
from .log_options import LogOptions, log_options
from .options import Output, picture_option, workers_option
from .output import say, write_json
from .plot import write_figure
from .reading import print_skipped, report_of
from .rule_options import RuleOptions, rule_options
from .table_options import TableOptions, read_of, table_options

__all__ = ["advise"]


class Share(click.ParamType):  # type: ignore[type-arg]  # generic in some versions only
    """A number, or a percentage: 0.01 and 1% are the same."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value).strip()
        try:
            if text.endswith("%"):
                return float(text[:-1]) / 100
            return float(text)
        except ValueError:
            self.fail(f"expected a number or a percentage, such as 0.01 or 1%, got {value!r}")


@click.command()
@log_options
@rule_options
@table_options
@click.option(
    "--max-regret",
    type=Share(),
    required=True,
    metavar="SHARE",
    help="What a run may lose: 1%, 0.01; or, with --unit metric, a number in its unit.",
)
@click.option(
    "--at-most",
    type=Share(),
    metavar="SHARE",
    help="Promise that, with --confidence, at most this share of runs loses more; without it, "
    "that the expected regret is at most --max-regret.",
)
@click.option(
    "--confidence", type=Share(), default=0.9, show_default=True, help="Of --at-most.", metavar="P"
)
@click.option(
    "--unit",
    type=click.Choice(["improvement", "best", "metric"]),
    default="improvement",
    show_default=True,
    help="What regret counts in: a share of the run's own improvement, of its best value, or the "
    "metric's own unit.",
)
@unit_option("--cost-unit")
@click.option(
    "--family",
    type=click.Choice(["adaptive", "patience", "all"]),
    default="adaptive",
    show_default=True,
    help="The rules to choose from: AdaptivePatience, plain patience, or both and more, which "
    "takes more runs. --patience, --rule and the like say it in full.",
)
@click.option("--bound", type=float, help="What a run can lose at most, in the other units.")
@click.option(
    "--complete/--stopped-early",
    default=None,
    help="Whether runs were logged to their end; by default inferred from the logs.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the runs that choose.")
@picture_option("Draw the trade-off, too: .png, .svg, .pdf, .html, ...", piped=False)
@workers_option
@click.option("--json", "machine", flag_value="json", help="Print JSON.")
def advise(
    logs: LogOptions,
    options: RuleOptions,
    columns: TableOptions | None,
    max_regret: float,
    at_most: float | None,
    confidence: float,
    unit: Any,
    cost_unit: str | None,
    family: Any,
    bound: float | None,
    complete: bool | None,
    seed: int,
    out: Output | None,
    workers: int,
    machine: str | None,
) -> None:
    """Say which patience to use, with a promise about new runs.

    LOGS are files, folders, glob patterns, or - for the standard input: complete runs of the kind
    that is to be stopped early. The advice is what uses the least among what is promised
    to lose at most --max-regret of a run's improvement, if its best check is kept. --family says
    what to choose from; so do --patience, --min-delta and the like, for plain patience, and --rule,
    which may come several times.

    \b
    earlystop advise runs/ --monitor val_loss --max-regret 1%
    earlystop advise runs/ --monitor val_loss --max-regret 1% --at-most 10% --confidence 95%
    earlystop advise runs/ --monitor val_loss --max-regret 1% --patience 1:201 --min-delta 0,1e-3
    """
    import earlystop as es

    if options.monitor is None:
        raise click.UsageError("say which metric the advice is about, with --monitor val_loss")
    if options.save_text is not None:
        raise click.UsageError("--save says nothing here: the best of --monitor is kept")
    history: Any
    if columns is not None:
        history = columns.scan(logs, options)
    else:
        history, options = load(logs, options, unit=cost_unit, unit_option="--cost-unit")
    written = options.texts or options.framework
    candidates: Any = options.rules() if written else dict(options.fields) or None
    with contextlib.nullcontext(workers) if columns is None else columns.workers(workers) as who:
        advice = es.advise(
            history,
            str(options.monitor),
            mode=options.mode,  # type: ignore[arg-type]  # `--mode` allows no other
            max_regret=max_regret,
            confidence=confidence,
            at_most=at_most,
            unit=unit,
            bound=bound,
            family=family,
            candidates=candidates,
            complete=complete,
            cost_unit=cost_unit,
            seed=seed,
            on_missing=options.on_missing,
            workers=who,
            progress=logs.progress,
        )
    if machine == "json":
        read = report_of(history) if columns is None else read_of(history)
        write_json({"read": read, **advice.to_dict()})
    else:
        for line in str(advice).splitlines():
            say(line)
    if out is not None:
        write_figure(advice.plot(), repr(advice), out, aside=machine is not None)
    if columns is None:
        print_skipped(history)
