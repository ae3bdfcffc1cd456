"""The stopper: two rules bound to one run, and the decisions they make.

            step(metrics) -> Decision(stop=False)
              +-----------+
              |           |
              v           |                step(metrics) -> Decision(stop=True, reason)
    new --> RUNNING ------+-----------------------------------------------------> STOPPED
              ^                                                                     |  step()
              +------------------------------ reset() ------------------------------+  is an error

    load_state_dict() and restore() lead from any state to the one that was saved.

The stopper is the only mutable object of the engine. A step happens either completely or, if the
metrics are refused, not at all. No clock, no file and no framework is involved.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, SupportsFloat

from ..errors import MissingMetricError, RuleTypeError, StoppedError, name_advice
from ..language.rule import OnMissing, Rule
from ..language.settings import validated
from ..language.state import flatten, unflatten
from ..rules import ELAPSED, Best, Never
from .decision import Decision
from .metrics import MissingAsNaN, as_floats, with_string_names
from .scalar import compile_scalar

__all__ = ["Stopper"]

# What a step changes, in the order of `stopper_state.Position`.
_CHANGES = ("_state", "_epoch", "_stopped", "_reason", "_best_epoch", "_best_metrics")
_position_of = operator.attrgetter(*_CHANGES)
_new_tuple = tuple.__new__  # Decision(...) without the extra call of a NamedTuple


class Stopper:
    """Takes the metrics of one epoch after another and decides: continue, stop, save.

    stop: the rule that ends the run.
    save: the rule that decides which epochs to save; usually `Best(monitor)`. By default, none.
    on_missing: how to treat an epoch that lacks a metric of a rule. "raise": raise an error that
        lists the reported metrics. "skip": that rule keeps its state and does not fire.

    Raises RuleTypeError for arguments that are not rules, RuleError for a custom rule that cannot
    be recorded (see `earlystop.language.tracing`).

    >>> from earlystop import Best, NonFinite, Patience, Stopper
    >>> stopper = Stopper(Patience("val_loss", 2) | NonFinite("loss"), save=Best("val_loss"))
    >>> print(stopper.step({"loss": 0.9, "val_loss": 0.8}))
    epoch 0: save, continue
    >>> print(stopper.step({"loss": float("inf"), "val_loss": 0.7}))
    epoch 1: save, stop: loss is inf
    >>> stopper.best, stopper.best_epoch, stopper.stopped
    (0.7, 1, True)
    """

    __slots__ = ("__weakref__", "_advance", "_on_missing", "_save", "_stop", *_CHANGES)

    _state: tuple[Any, ...]  # the leaves of both rules' states
    _epoch: int
    _stopped: bool
    _reason: str
    _best_epoch: int | None
    _best_metrics: dict[str, float] | None

    def __init__(
        self, stop: Rule, save: Rule | None = None, *, on_missing: OnMissing = "raise"
    ) -> None:
        save = Never() if save is None else save
        for name, rule in (("stop", stop), ("save", save)):
            if not isinstance(rule, Rule):
                raise RuleTypeError(
                    f"`Stopper({name}=...)` must be a rule, such as Patience('val_loss', 10), "
                    f"got {rule!r}"
                )
        validated(OnMissing, on_missing, "Stopper(on_missing=...)")
        self._stop, self._save, self._on_missing = stop, save, on_missing
        self._advance = compile_scalar((stop, save), on_missing)
        self.reset()

    # One epoch -------------------------------------------------------------------------------

    def step(self, metrics: Mapping[str, SupportsFloat]) -> Decision:
        """Take the metrics of the next epoch and decide.

        metrics: a mapping from name to value. A value is anything that `float()` accepts as one
            real number (a Python or NumPy number, a 0-d tensor), except text. Names are strings;
            they are checked when an epoch is saved.

        Raises MetricError for a value that is not one number, MissingMetricError if a rule's metric
        is missing and `on_missing` is "raise", StoppedError after a stop. After an error the
        stopper is unchanged.
        """
        if self._stopped:
            raise StoppedError(
                f"this stopper has stopped at epoch {self._epoch - 1} ({self._reason}): "
                "leave the loop on `decision.stop`, or call `reset()` to begin another run"
            )
        if type(metrics) is not dict:
            metrics = as_floats(metrics)
        else:
            for value in metrics.values():
                if type(value) is not float:
                    metrics = as_floats(metrics)
                    break
        epoch = self._epoch
        try:
            state, stop, save = self._advance(self._state, metrics, epoch)
        except KeyError as error:
            raise self._missing_error(error.args[0], metrics) from None
        reason = self._explain(metrics) if stop else ""
        if save:
            self._best_metrics = with_string_names(metrics)
            self._best_epoch = epoch
        if stop:
            self._stopped, self._reason = True, reason
        self._state = state
        self._epoch = epoch + 1
        return _new_tuple(Decision, (epoch, stop, save, reason))

    def _missing_error(self, name: str, metrics: Mapping[str, Any]) -> MissingMetricError:
        needed = dict.fromkeys(self._stop.all_metrics + self._save.all_metrics)
        name = next((metric for metric in needed if metric not in metrics), name)
        if name == ELAPSED:
            hint = f"add {ELAPSED!r} yourself, or use an adapter, which does"
        else:
            hint = 'if some epochs lack it on purpose, pass on_missing="skip"'
        return MissingMetricError(
            f"no metric {name!r} at epoch {self._epoch}: {name_advice(name, metrics)} ({hint})"
        )

    def _explain(self, metrics: Any) -> str:
        before = unflatten(self._stop.init(), iter(self._state))
        return (
            self._stop.explain(before, MissingAsNaN(metrics), self._epoch)
            or f"{self._stop!r} fires"
        )

    # The run so far ---------------------------------------------------------------------------

    @property
    def stop(self) -> Rule:
        """The rule that ends the run."""
        return self._stop

    @property
    def save(self) -> Rule:
        """The rule that decides which epochs to save."""
        return self._save

    @property
    def on_missing(self) -> OnMissing:
        """How to treat an epoch that lacks a metric: "raise" or "skip"."""
        return self._on_missing

    @property
    def stopped(self) -> bool:
        """Whether the stop rule has ended the run."""
        return self._stopped

    @property
    def reason(self) -> str:
        """Why the stopper has stopped; "" before that."""
        return self._reason

    @property
    def epoch(self) -> int:
        """How many epochs have been taken, which is also the number of the next one."""
        return self._epoch

    @property
    def best_epoch(self) -> int | None:
        """The last epoch that was saved, counted from 0; None before the first."""
        return self._best_epoch

    @property
    def best_metrics(self) -> dict[str, float] | None:
        """All metrics of the last epoch that was saved; None before the first."""
        return None if self._best_metrics is None else dict(self._best_metrics)

    @property
    def best(self) -> float | None:
        """The monitored value at the last saved epoch if `save` is a `Best`; None otherwise."""
        if self._best_metrics is None or not isinstance(self._save, Best):
            return None
        return self._best_metrics[self._save.monitor]

    # Reset, undo and resume ------------------------------------------------------------------

    def reset(self) -> None:
        """Go back to the state before the first epoch."""
        self._state = tuple(flatten((self._stop.init(), self._save.init())))
        self._epoch = 0
        self._stopped = False
        self._reason = ""
        self._best_epoch = None
        self._best_metrics = None

    def snapshot(self) -> tuple[Any, ...]:
        """The position of the run, for `restore`: cheap, for this object only, not for files.

        >>> from earlystop import EarlyStopping
        >>> stopper = EarlyStopping("val_loss", patience=3)
        >>> before = stopper.snapshot()
        >>> decision = stopper.step({"val_loss": 0.5})
        >>> stopper.restore(before)
        >>> stopper.epoch, stopper.best
        (0, None)
        """
        position: tuple[Any, ...] = _position_of(self)
        return position

    def restore(self, snapshot: tuple[Any, ...]) -> None:
        """Go back to a `snapshot` of this stopper.

        An adapter does so if a decision could not be carried out, so that the epoch can be stepped
        again. See `snapshot` for an example.
        """
        for name, value in zip(_CHANGES, snapshot, strict=True):
            setattr(self, name, value)

    def state_dict(self) -> dict[str, Any]:
        """The state needed to resume as if never interrupted, as plain JSON data.

        >>> import json
        >>> from earlystop import EarlyStopping
        >>> first = EarlyStopping("val_loss", patience=3)
        >>> decision = first.step({"val_loss": 0.5})
        >>> text = json.dumps(first.state_dict(), allow_nan=False)
        >>> second = EarlyStopping("val_loss", patience=3)
        >>> second.load_state_dict(json.loads(text))
        >>> second.epoch, second.best
        (1, 0.5)
        """
        from .stopper_state import Position, dump

        return dump(Position(*self.snapshot()), self._stop, self._save)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from `state_dict()`. The rules must be the same; they are not loaded.

        Raises StateError, and changes nothing, for a state of other rules (the error names both),
        of a newer version, or that is damaged.
        """
        from .stopper_state import load

        self.restore(load(state, self._stop, self._save))

    def __reduce__(self) -> tuple[Any, ...]:
        # For copy.deepcopy and process pools. The compiled step cannot be pickled; it is rebuilt.
        arguments = (self._stop, self._save, self._on_missing)
        return _restored, (type(self), *arguments, self.state_dict())

    def __repr__(self) -> str:
        skip = "" if self._on_missing == "raise" else f", on_missing={self._on_missing!r}"
        save = "" if isinstance(self._save, Never) else f", save={self._save!r}"
        return f"Stopper({self._stop!r}{save}{skip})"


def _restored(
    cls: type[Stopper], stop: Rule, save: Rule, on_missing: OnMissing, state: dict[str, Any]
) -> Stopper:
    stopper = cls.__new__(cls)
    Stopper.__init__(stopper, stop, save, on_missing=on_missing)
    stopper.load_state_dict(state)
    return stopper
