"""What the advised rule does on new runs, and what changed since an earlier advice."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import RuleTypeError
from ..history.history import History
from ..replaying.replay import replay
from ..rules import Best, Never
from .counts import Counts
from .findings import Findings
from .regret_scale import Floats, RegretScale
from .text import amount_text, percent, promise_text
from .watching import PromiseReport, bounds_at_any_time, rank_test

__all__ = ["changes_text", "check_new_runs"]


def check_new_runs(advice: Findings, history: History, complete: bool) -> PromiseReport:
    """See `Advice.check`."""
    if not isinstance(history, History):
        raise RuleTypeError(f"`check` takes a History of new runs, got {type(history).__name__}")
    mode: Literal["min", "max"] = "min" if advice.mode == "min" else "max"
    save = Best(advice.monitor, mode=mode)
    history.require([advice.monitor], "`check`")
    done = replay(advice.rule, history, save=save, on_missing=advice.on_missing)
    seen = done.replayed.history
    scale = RegretScale(seen, save, advice.unit)
    scale.require_numbers("check")
    usable = scale.usable
    lost = scale.lost(done.regret, slice(0, seen.runs))[usable]
    whole = max(int(seen.lengths.max()), advice.stops.greatest)  # as long as runs go
    cut = done.stopped & (done.checks >= seen.lengths) & (seen.lengths < whole)
    unseen = 0 if complete else int(np.count_nonzero(cut[usable]))
    likeness = rank_test(advice.stops, Counts.of(done.checks[usable]))
    numbers = (np.nan,) * 3
    if not unseen and len(lost) and advice.rule != Never():
        numbers = _so_far(advice, lost)
    level = advice.max_regret if advice.at_most is None else advice.at_most
    observed, low, high = numbers
    return PromiseReport(
        runs=len(lost),
        old_runs=advice.stops.total,
        unseen=unseen,
        likeness=likeness,
        promise=promise_text(advice),
        level=level,
        observed=observed,
        low=low,
        high=high,
        in_metric=advice.at_most is None and advice.unit == "metric",
    )


def _so_far(advice: Findings, lost: Floats) -> tuple[float, float, float]:
    """What the promise is about, observed on these runs, and bounds on it for all such runs."""
    if advice.at_most is not None:
        over = (lost > advice.max_regret).astype(np.float64)
        return (float(over.mean()), *bounds_at_any_time(over))
    bound = advice.bound or 1.0
    shares = np.minimum(lost, bound) / bound
    low, high = bounds_at_any_time(shares)
    return float(shares.mean()) * bound, low * bound, high * bound


def changes_text(advice: Findings, earlier: Findings) -> str:
    """See `Advice.changes_from`."""
    lines = []
    if advice.runs != earlier.runs:
        lines.append(f"It rests on {advice.runs:,} runs, before on {earlier.runs:,}.")
    asked = ("monitor", "max_regret", "unit", "at_most", "cost_unit")
    for name in asked:
        now, before = getattr(advice, name), getattr(earlier, name)
        if now != before:
            lines.append(f"Another question: {name} is {now!r}, before {before!r}.")
    if advice.rule == earlier.rule:
        lines.append(f"The rule is the same: {advice.rule!r}.")
    else:
        lines.append(f"The rule is {advice.rule!r}, before {earlier.rule!r}.")
    lines.append(
        f"Saved: {percent(advice.saved)}, before {percent(earlier.saved)}. Mean regret on the "
        f"logs: {amount_text(advice, advice.observed)}, before "
        f"{amount_text(earlier, earlier.observed)}."
    )
    new = [warning for warning in advice.warnings if warning not in earlier.warnings]
    lines += [f"New: {warning}." for warning in new]
    return "\n".join(lines)
