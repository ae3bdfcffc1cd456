"""What a notebook shows of histories, replays, sweeps and advice: small tables.

Results stand below this, and find it by `_plots.shown` when a notebook asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._html import facts, folded, table
from ._text import count, number
from .advising.text import advice_text, guarantee_text
from .language.units import mean_cell, unit_words
from .replaying.run_columns import run_columns
from .replaying.text import used_text

if TYPE_CHECKING:
    from .advising.result import Advice
    from .history.history import History
    from .replaying.result import Replay
    from .sweeping.result import Sweep

__all__ = ["advice_html", "history_html", "replay_html", "sweep_html"]

_METRICS, _RUNS, _SETTINGS = 30, 20, 20  # that are listed, at most or about


def history_html(history: History) -> str:
    """The metrics of a history: how many runs and values each has, its lowest and highest value."""
    names = list(history.metrics)
    caption = f"{count(history.runs, 'run')}, up to {count(history.epochs, 'row')}"
    if history.coordinates:
        caption += f", by {', '.join(history.coordinates)}"
    if len(names) > _METRICS:
        caption += f"; the first {_METRICS} of {len(names):,} metrics:"
    rows = [_metric(history, name) for name in names[:_METRICS]]
    return table(caption, ["metric", "runs", "values", "lowest", "highest"], rows)


def _metric(history: History, name: str) -> list[str]:
    runs = values = 0
    low, high = np.inf, -np.inf
    for part in history.parts():
        found, reported = history.reported_in(part, name)
        runs += int(reported.any(axis=1).sum())
        values += int(reported.sum())
        finite = found[reported & np.isfinite(found)]
        if len(finite):
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    ends = [number(low), number(high)] if low <= high else ["-", "-"]
    return [name, f"{runs:,}", f"{values:,}", *ends]


def replay_html(result: Replay) -> str:
    """What the rule would have done, over all runs and on the first of them."""
    row = result.summary()
    listed = range(min(len(result), _RUNS))
    columns = {
        "run": [result.history.names[run] for run in listed],
        **run_columns(result, listed),
    }
    caption = (
        f"{result.stop!r}: {row['stopped']:,} of {count(row['runs'], 'run')} stopped, "
        f"{used_text(row)} used, {row['share_saved']:.1%} saved"
    )
    if len(result) > _RUNS:
        caption += f"; the first {_RUNS} runs:"
    return table(caption, list(columns), zip(*columns.values(), strict=True))


def sweep_html(sweep: Sweep) -> str:
    """What the settings cost and lose: evenly spaced if there are many, the knee always."""
    step = max(1, -(-len(sweep) // _SETTINGS))
    knee = [] if sweep.knee is None else [sweep.knee]
    listed = sorted({*range(0, len(sweep), step), len(sweep) - 1, *knee})
    rows = [
        [
            ", ".join(str(value) for value in sweep.settings[index].values()),
            mean_cell(float(sweep.mean_used[index]), sweep.unit),
            f"{sweep.share_saved[index]:.1%}",
            number(float(sweep.mean_regret[index])),
            "knee: longer brings next to nothing" if index in knee else "",
        ]
        for index in listed
    ]
    axes = ", ".join(sweep.settings[0])
    some = "" if len(listed) == len(sweep) else f"{len(listed)} of "
    caption = f"{sweep.rule!r}: {some}{count(len(sweep), 'setting')}, {count(sweep.runs, 'run')}"
    headings = [axes, f"mean {unit_words(sweep.unit)}", "saved", "mean regret", ""]
    return table(caption, headings, rows)


def advice_html(advice: Advice) -> str:
    """The rule, its promise and what it saves; the whole text, folded."""
    told = {
        "rule": repr(advice.rule),
        "promise": guarantee_text(advice),
        "saved": f"{advice.saved:.1%}",
        "rests on": count(advice.runs, "run"),
    }
    if advice.plain is not None:
        told["plain patience"] = f"{advice.plain.rule!r} keeps it, too: {advice.plain.saved:.1%}"
        told["plain patience"] += " saved"
    for number_of, warning in enumerate(advice.warnings, start=1):
        told[f"warning {number_of}" if len(advice.warnings) > 1 else "warning"] = warning
    return facts(f"Advice on {advice.monitor}", told) + folded("in full", advice_text(advice))
