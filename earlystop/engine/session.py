"""A session: one run of a stopper inside a training framework. All adapters are built on it.

An adapter turns a framework's events into these calls, and carries out the decisions:

    session = Session(stopper, "MyCallback")              when the run begins
    values = session.collect(metrics)                     after each epoch: floats, elapsed time
    decision = session.step(values)                       ... and the decision on them
    state = session.state_dict()                          wherever the framework saves its own state
    session.load_state_dict(state)                        where it resumes
    session.finish()                                      when the run ends

The adapter is responsible for files, models and the framework's own objects; the session for rules,
time, state and agreement between ranks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable, Mapping
from typing import Any, SupportsFloat, TypeVar

from ..errors import MetricError, RuleTypeError, StateError
from ..language.positions import ELAPSED, EPOCH, STEP
from ..language.state import number_from_json
from .decision import Decision, Place
from .metrics import as_floats
from .missing import MissingMetrics, OnMissingMetric
from .positions import Positions, place_of
from .ranks import OneProcess, Ranks, agree, on_first
from .stopper import Stopper
from .stopwatch import Stopwatch

__all__ = ["Session", "forget_decision"]

_Result = TypeVar("_Result")
_NO_METRICS: Mapping[str, Any] = {}
_NOTHING: tuple[None, None, None] = (None, None, None)


class Session:
    """One run of a stopper inside a framework: time, metrics, one decision per check, state.

    stopper: decides. Several sessions may share one.
    owner: the name of the adapter that the user called, for messages.
    on_missing: how to treat an epoch that lacks a metric: see `MissingMetrics`. None leaves it to
        the stopper, which is right for a stopper that the user made.
    advice: how the user makes the framework report a metric, for the error if no epoch did.
    to_floats: converts reported metrics to a new dict of floats. A framework with tensors on a
        device passes one that transfers them all at once.
    ranks: the processes of a distributed run; all of them make the same calls.
    average: decide on the mean of the metrics over all ranks instead of those of rank 0.
    stopwatch: measures the time of the run; by default, a new one that starts now.

    Raises RuleTypeError if `stopper` is not a Stopper.

    An adapter for a framework that reports to a callback, and can be interrupted:

    >>> import earlystop as es
    >>> class Callback:
    ...     def __init__(self, stopper):
    ...         self.session = es.Session(stopper, "Callback")
    ...     def on_epoch_end(self, framework, logs):
    ...         decision = self.session.step(self.session.collect(logs))
    ...         if decision.save:
    ...             framework["saved"] = decision.epoch
    ...         framework["stop"] = decision.stop
    >>> framework, callback = {}, Callback(es.EarlyStopping("val_loss", patience=1))
    >>> callback.on_epoch_end(framework, {"val_loss": 0.5})
    >>> state = callback.session.state_dict()
    >>> resumed = Callback(es.EarlyStopping("val_loss", patience=1))
    >>> resumed.session.load_state_dict(state)
    >>> resumed.on_epoch_end(framework, {"val_loss": 0.7})
    >>> framework
    {'saved': 0, 'stop': True}
    """

    def __init__(
        self,
        stopper: Stopper,
        owner: str = "Session",
        *,
        on_missing: OnMissingMetric | None = None,
        advice: str = "report it in some epochs",
        to_floats: Callable[[Mapping[str, Any]], dict[str, float]] = as_floats,
        ranks: Ranks | None = None,
        average: bool = False,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        if not isinstance(stopper, Stopper):
            raise RuleTypeError(
                f"`{owner}(stopper)` must be a Stopper, such as EarlyStopping('val_loss'), "
                f"got {stopper!r}"
            )
        self.stopper = stopper
        self.owner = owner
        self.ranks: Ranks = OneProcess() if ranks is None else ranks
        self._average = average
        self._to_floats = to_floats
        names = stopper.stop.all_metrics + stopper.save.all_metrics
        self.needed: tuple[str, ...] = tuple(dict.fromkeys(names))  # without repetition
        self._missing: MissingMetrics | None = None
        if on_missing is not None:
            self._missing = MissingMetrics(owner, self.needed, on_missing, advice)
        self._needs_place = not {EPOCH, STEP}.isdisjoint(self.needed)
        self._key = object()
        if stopwatch is None:
            stopwatch = Stopwatch()
            stopwatch.start()
        self.stopwatch = stopwatch

    @property
    def elapsed_seconds(self) -> float:
        """The time since the run began, in seconds, including its parts before it was resumed."""
        return self.stopwatch.seconds

    # One check -------------------------------------------------------------------------------

    def collect(
        self,
        metrics: Mapping[str, Any] | None = None,
        more: Mapping[str, Any] = _NO_METRICS,
        *,
        own: bool = False,
    ) -> dict[str, float]:
        """The metrics to decide on: the reported ones, as floats, and the elapsed time.

        metrics: the reported metrics, as a mapping.
        more: metrics that were reported as keywords.
        own: return this rank's metrics instead of those that all ranks decide on.

        Raises MetricError for a value that is not a number, and for a metric reported twice; in a
        distributed run, on every rank.
        """
        if self.ranks.size > 1 and not own:
            collect = functools.partial(self.collect, metrics, more, own=True)
            return agree(self.ranks, collect, self._average)
        if more or type(metrics) is not dict:
            metrics = more if metrics is None else _joined(metrics, more)
        values = self._to_floats(metrics)
        if ELAPSED not in values:
            values[ELAPSED] = self.stopwatch.seconds
        return values

    def step(
        self,
        values: dict[str, float],
        *,
        epoch: SupportsFloat | None = None,
        step: SupportsFloat | None = None,
        at: Hashable = None,
    ) -> Decision:
        """Decide on the metrics of one check, as returned by `collect`.

        epoch, step: where the check stands, in the framework's count; see `Stopper.step`.
        at: the framework's number of the check. Sessions that share a stopper pass it: the first
            of them steps the stopper, the others get the same decision.

        Raises what `Stopper.step` and `MissingMetrics.check` raise, and then changes nothing.
        """
        if self._missing is not None:
            seen = {**values, **_given(epoch, step)} if self._needs_place else values
            self._missing.check(seen)
        stopper = self.stopper
        if at is None:
            return stopper.step(values, epoch, step)
        decision = self.decision_at(at)
        if decision is not None:
            return decision
        before = stopper.snapshot()
        try:
            decision = stopper.step(values, epoch, step)
            stopper._latest = at, self._key, decision
        except BaseException:  # an interrupt between the two would leave the others to step again
            stopper.restore(before)
            forget_decision(stopper)
            raise
        return decision

    def skip(self) -> None:
        """Count a check whose decision could not be carried out, as one without metrics."""
        position = self.stopper.snapshot()
        self.stopper.restore(position._replace(checks=position.checks + 1))

    def count_from(self, epoch: int, *, from_zero: bool = True) -> None:
        """Say which epoch the first check is of, counted from 0, where the framework knows.

        Checks that the stopper has taken without positions become the epochs from this one on. A
        stopper that has come further, in an earlier run, begins again at this epoch.

        from_zero: whether whole epochs that `step` will be given count from 0, too; else they are
            how many are done.
        """
        position = self.stopper.snapshot()
        told, before = position.positions or Positions(), epoch - from_zero
        if told.epoch is None:
            best = None if position.best_check is None else before + 1 + position.best_check
            told = told._replace(epoch=before + position.checks, best_epoch=best)
        elif told.epoch > epoch:
            told = told._replace(epoch=before, step=None)
        told = told._replace(from_zero=from_zero, first=None)
        self.stopper.restore(position._replace(positions=told))

    @property
    def place(self) -> Place:
        """Where the last check stands; before the first, its number is -1."""
        position = self.stopper.snapshot()
        return place_of(position.positions, position.checks - 1)

    @property
    def best_place(self) -> Place | None:
        """Where the last saved check stands; None before the first."""
        position = self.stopper.snapshot()
        if position.best_check is None:
            return None
        told = position.positions or Positions()
        return Place(position.best_check, told.best_epoch, told.best_step)

    def decision_at(self, at: Hashable) -> Decision | None:
        """The decision of another session with the same stopper at this check; None if none."""
        latest_at, key, decision = self.stopper._latest or _NOTHING
        return decision if latest_at == at and key is not self._key else None

    def finish(self) -> None:
        """End the run and stop the stopwatch.

        Raises MissingMetricError for a metric that no epoch reported, unless `on_missing` skips it.
        """
        self.stopwatch.stop()
        if self._missing is not None:
            self._missing.check_reported()

    # State -----------------------------------------------------------------------------------

    def state_dict(self, elapsed_seconds: float | None = None) -> dict[str, Any]:
        """The state needed to resume as if never interrupted, as plain JSON data.

        An adapter may add its own entries.

        elapsed_seconds: the time to save, such as that of the last check; by default, the time now.
        """
        seconds = self.stopwatch.seconds if elapsed_seconds is None else elapsed_seconds
        return {"elapsed_seconds": seconds, "stopper": self.stopper.state_dict()}

    def load_state_dict(self, state: object, *, changed_rules: bool = False) -> None:
        """Resume from `state_dict()`; the time since the stopwatch started is added to its time.

        changed_rules: accept a state saved by rules with other numbers, as
            `Stopper.load_state_dict` does.

        Raises StateError, and changes nothing, for a state that is damaged or of other rules.
        """
        entries = state if isinstance(state, Mapping) else {}
        missing = [name for name in ("elapsed_seconds", "stopper") if name not in entries]
        if missing:
            raise StateError(f"the state is damaged: it lacks {', '.join(missing)}")
        seconds = number_from_json(entries["elapsed_seconds"], "elapsed_seconds")
        if not 0 <= seconds < math.inf:
            raise StateError(f"elapsed_seconds should be a time of at least 0, got {seconds}")
        before = self.snapshot()
        try:
            self.stopper.load_state_dict(entries["stopper"], changed_rules=changed_rules)
            self.stopwatch.earlier = seconds
        except BaseException:  # an interrupt, too, leaves both or neither
            self.restore(before)
            raise
        if self._missing is not None:
            self._missing.assume_reported()

    def snapshot(self) -> tuple[Any, ...]:
        """The position of the run, cheaply; for `restore` if saving fails after a step."""
        return self.stopper.snapshot(), self.stopwatch.earlier

    def restore(self, snapshot: tuple[Any, ...]) -> None:
        """Go back to a `snapshot` of this session."""
        position, self.stopwatch.earlier = snapshot
        self.stopper.restore(position)
        forget_decision(self.stopper)  # the step that it was about has been undone

    # Ranks -----------------------------------------------------------------------------------

    def on_first(self, action: Callable[[], _Result]) -> _Result:
        """Run an action on rank 0 only, such as writing a file; see `earlystop.engine.ranks`."""
        return on_first(self.ranks, action)

    def __repr__(self) -> str:
        return f"Session({self.stopper!r}, {self.owner!r})"


def _joined(metrics: object, more: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(metrics, Mapping):
        return as_floats(metrics)  # raises an error that says what is wrong
    twice = sorted(set(metrics) & set(more))
    if twice:
        raise MetricError(f"reported twice in one call: {', '.join(twice)}")
    return {**metrics, **more} if more else metrics


def _given(epoch: object, step: object) -> dict[str, float]:
    """The positions that are not None, under their names."""
    placed = {EPOCH: epoch, STEP: step}
    return as_floats({name: value for name, value in placed.items() if value is not None})


def forget_decision(stopper: Stopper) -> None:
    """Forget the last decision of sessions that share a stopper, when it begins another run."""
    stopper._latest = None
