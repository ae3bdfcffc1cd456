"""A replay whose arguments have been checked."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..language.rule import OnMissing
from .checks import Checks
from .decide import decide
from .missing import require_reported
from .result import Replay

__all__ = ["replayed"]


def replayed(
    stopper: Stopper,
    checks: Checks,
    on_missing: OnMissing,
    unit: str | None,
    workers: int = 1,
    progress: bool = False,
) -> Replay:
    """What the rules of a stopper would have done at these checks; see `replay`."""
    rules = stopper.stop, stopper.save
    needed = stopper.stop.all_metrics + stopper.save.all_metrics
    stepped = checks.positions.for_rules(needed)
    unit = checks.positions.default_unit() if unit is None else unit
    checks.positions.amount(unit, stepped.lengths)  # refuses an unknown unit
    outcome = decide(*rules, stepped, workers=workers, progress=progress)
    if on_missing == "raise":
        require_reported(needed, stepped, outcome.epochs, slice(0, stepped.runs))
    return Replay(*outcome, *rules, on_missing, checks.log, unit, checks)
