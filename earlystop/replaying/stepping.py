"""A logged run as steps: what a live stopper is given at each of its checks.

Whatever goes through a log check by check asks here, so that it decides as `replay` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..engine.stopper import Stopper
from ..history import History
from ..language.positions import DERIVED
from .checks import Checks, checks_of, looked_at
from .position_columns import position_names

__all__ = ["LoggedStep", "checks_for", "steps_of"]


class LoggedStep(NamedTuple):
    """One check of a logged run: `stopper.step(metrics, **place)` decides on it.

    metrics: what was reported, by name.
    place: its epoch and step, as far as the log has them.
    """

    metrics: dict[str, float]
    place: dict[str, float]


def checks_for(stopper: Stopper, history: History, *, are_all: bool = True) -> Checks:
    """The checks of a history under the rules of a stopper.

    are_all: whether these are all runs there are, so that one of them must report each metric.

    Raises MissingMetricError for a metric of its rules that no row reports, HistoryError for a
    position or unit that goes back within a run.
    """
    rules = stopper.stop, stopper.save
    told = position_names(history)
    for each in rules if are_all else ():
        history.require((name for name in each.all_metrics if name not in told), repr(each))
    checks = checks_of(history, looked_at(rules) if stopper.on_missing == "skip" else ())
    for name in stopper.stop.all_units + stopper.save.all_units:
        checks.positions.require_growing(name)
    return checks


def steps_of(stopper: Stopper, checks: Checks, run: int | str) -> Iterator[LoggedStep]:
    """The steps of one run, given by number or name. Raises HistoryError for an unknown run.

    >>> from earlystop import History, Patience, Stopper
    >>> stopper = Stopper(Patience("val_loss", 1), on_missing="skip")
    >>> log = History({"val_loss": [0.5, None, 0.6]}, coordinates={"step": [10, 20, 30]})
    >>> for step in steps_of(stopper, checks_for(stopper, log), 0):
    ...     print(stopper.step(step.metrics, **step.place))
    step 10: continue
    step 30: stop: val_loss has not improved on 0.5 (step 10) by more than 0 for 1 check
    """
    needed = stopper.stop.all_metrics + stopper.save.all_metrics
    history = checks.positions.for_rules(needed)
    places = checks.positions.of_run(history.row(run))
    for metrics, place in zip(history.iter_records(run), places, strict=True):
        reported = {name: value for name, value in metrics.items() if name not in DERIVED}
        yield LoggedStep(reported, place)
