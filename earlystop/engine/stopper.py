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

from collections.abc import Mapping
from typing import Any, SupportsFloat

from ..errors import MissingMetricError, RuleTypeError, StoppedError, name_advice
from ..language.keywords import by_keyword
from ..language.rule import OnMissing, Rule
from ..language.settings import validated
from ..rules import ELAPSED, Best, Never
from .decision import Decision
from .metrics import as_floats, with_string_names
from .position import Position, beginning, explained
from .scalar import compile_scalar

__all__ = ["Stopper"]

_new_tuple = tuple.__new__  # Decision(...) without the extra call of a NamedTuple
_EPOCH, _STOPPED, _REASON, _BEST_EPOCH, _BEST_METRICS = map(
    Position._fields.index, ("epoch", "stopped", "reason", "best_epoch", "best_metrics")
)


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

    __slots__ = ("__weakref__", "_advance", "_on_missing", "_position", "_save", "_stop")

    # The fields of a `Position`, as a plain tuple, which is cheaper to make. It is replaced as a
    # whole, so that an interrupt never leaves half a step.
    _position: tuple[Any, ...]

    @by_keyword("on_missing")
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
            real number (a Python or NumPy number, an array or tensor of one element), except text.
            Names are strings; they are checked when an epoch is saved.

        Raises MetricError for a value that is not one number, MissingMetricError if a rule's metric
        is missing and `on_missing` is "raise", StoppedError after a stop. After an error the
        stopper is unchanged.
        """
        leaves, epoch, stopped, reason, best_epoch, best_metrics, _ = self._position
        if stopped:
            raise StoppedError(
                f"this stopper has stopped at epoch {epoch - 1} ({reason}): "
                "leave the loop on `decision.stop`, or call `reset()` to begin another run"
            )
        if type(metrics) is not dict:
            metrics = as_floats(metrics)
        else:
            for value in metrics.values():
                if type(value) is not float:
                    metrics = as_floats(metrics)
                    break
        try:
            after, stop, save = self._advance(leaves, metrics, epoch)
        except KeyError as error:
            raise self._missing_error(error.args[0], metrics) from None
        last_check = None
        if stop:
            reason = explained(self._stop, leaves, metrics, epoch)
            last_check = leaves, with_string_names(metrics)
        if save:
            best_epoch, best_metrics = epoch, with_string_names(metrics)
        self._position = (after, epoch + 1, stop, reason, best_epoch, best_metrics, last_check)
        return _new_tuple(Decision, (epoch, stop, save, reason))

    def _missing_error(self, name: str, metrics: Mapping[str, Any]) -> MissingMetricError:
        needed = dict.fromkeys(self._stop.all_metrics + self._save.all_metrics)
        name = next((metric for metric in needed if metric not in metrics), name)
        if name == ELAPSED:
            hint = f"add {ELAPSED!r} yourself, or use an adapter, which does"
        else:
            hint = 'if some epochs lack it on purpose, pass on_missing="skip"'
        return MissingMetricError(
            f"no metric {name!r} at epoch {self.epoch}: {name_advice(name, metrics)} ({hint})"
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
        stopped: bool = self._position[_STOPPED]
        return stopped

    @property
    def reason(self) -> str:
        """Why the stopper has stopped; "" before that."""
        reason: str = self._position[_REASON]
        return reason

    @property
    def epoch(self) -> int:
        """How many epochs have been taken, which is also the number of the next one."""
        epoch: int = self._position[_EPOCH]
        return epoch

    @property
    def best_epoch(self) -> int | None:
        """The last epoch that was saved, counted from 0; None before the first."""
        best_epoch: int | None = self._position[_BEST_EPOCH]
        return best_epoch

    @property
    def best_metrics(self) -> dict[str, float] | None:
        """All metrics of the last epoch that was saved; None before the first."""
        metrics = self._position[_BEST_METRICS]
        return None if metrics is None else dict(metrics)

    @property
    def best(self) -> float | None:
        """The monitored value at the last saved epoch if `save` is a `Best`; None otherwise."""
        metrics = self._position[_BEST_METRICS]
        if metrics is None or not isinstance(self._save, Best):
            return None
        best: float = metrics[self._save.monitor]
        return best

    # Reset, undo and resume ------------------------------------------------------------------

    def reset(self) -> None:
        """Go back to the state before the first epoch."""
        self.restore(beginning(self._stop, self._save))

    def snapshot(self) -> Position:
        """The position of the run, for `restore`: cheap, for this object only, not for files.

        >>> from earlystop import EarlyStopping
        >>> stopper = EarlyStopping("val_loss", patience=3)
        >>> before = stopper.snapshot()
        >>> decision = stopper.step({"val_loss": 0.5})
        >>> stopper.restore(before)
        >>> stopper.epoch, stopper.best
        (0, None)
        """
        return Position(*self._position)

    def restore(self, snapshot: Position) -> None:
        """Go back to a `snapshot` of this stopper.

        An adapter does so if a decision could not be carried out, so that the epoch can be stepped
        again. See `snapshot` for an example.
        """
        self._position = tuple(snapshot)

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
        from .stopper_state import dump

        return dump(Position(*self._position), self._stop, self._save)

    def load_state_dict(self, state: Mapping[str, Any], *, changed_rules: bool = False) -> None:
        """Resume from `state_dict()`. The rules must be the same; they are not loaded.

        changed_rules: accept a state that was saved by rules of the same kinds and metrics with
            other numbers, and go on with the numbers of this stopper. A run that had stopped goes
            on unless they stop it at the same epoch, too.

        Raises StateError, and changes nothing, for a state of other rules (the error names both),
        of a newer version, or that is damaged.

        >>> from earlystop import EarlyStopping
        >>> first = EarlyStopping("val_loss", patience=1)
        >>> [first.step({"val_loss": value}).stop for value in (0.5, 0.6)]
        [False, True]
        >>> second = EarlyStopping("val_loss", patience=3)
        >>> second.load_state_dict(first.state_dict(), changed_rules=True)
        >>> [second.step({"val_loss": value}).stop for value in (0.6, 0.6)]
        [False, True]
        """
        from .stopper_state import load

        self.restore(load(state, self._stop, self._save, changed_rules=changed_rules))

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
