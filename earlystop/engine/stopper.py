"""The stopper: two rules bound to one run, and the decisions they take.

            step(metrics) -> Decision(stop=False)
              +-----------+
              |           |
              v           |                step(metrics) -> Decision(stop=True, reason)
    new --> RUNNING ------+-----------------------------------------------------> STOPPED
              ^                                                                     |  step()
              +------------------------------ reset() ------------------------------+  is an error

    load_state_dict() leads to the very place where state_dict() was taken, from anywhere.

The stopper is the only object here that changes. A step either happens whole or, when the metrics
are refused, not at all. There is no clock, no file and no framework in it.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Mapping
from typing import Any, NamedTuple, SupportsFloat

from ..errors import (
    MetricError,
    MissingMetricError,
    RuleError,
    RuleTypeError,
    StateError,
    StoppedError,
    name_advice,
)
from ..language.direction import Mode
from ..language.rule import OnMissing, Rule
from ..language.state import (
    decode_state,
    encode_state,
    flatten,
    number_from_json,
    number_to_json,
    unflatten,
)
from ..rules import ELAPSED, Best, Never, Patience
from .scalar import compile_scalar

__all__ = ["Decision", "EarlyStopping", "Stopper", "as_floats"]

_FORMAT, _VERSION = "earlystop.Stopper", 1


class Decision(NamedTuple):
    """What to do after an epoch. Save and stop may come together.

    epoch: the epoch it is about, counted from 0.
    stop: end the run.
    save: keep the model of this epoch.
    reason: why it stops; empty when it does not.

    It has no truth value: ask for `.stop` or `.save`.

    >>> print(Decision(12, stop=False, save=True, reason=""))
    epoch 12: save, continue
    """

    epoch: int
    stop: bool
    save: bool
    reason: str

    def __bool__(self) -> bool:
        raise TypeError("a Decision has no truth value: ask for its `.stop` or its `.save`")

    def __str__(self) -> str:
        save = "save, " if self.save else ""
        return f"epoch {self.epoch}: {save}{f'stop: {self.reason}' if self.stop else 'continue'}"


# All of a Stopper that a step changes.
_CHANGES = ("_state", "_epoch", "_stopped", "_reason", "_best_epoch", "_best_metrics")
_position_of = operator.attrgetter(*_CHANGES)
_new_tuple = tuple.__new__  # Decision(...) without the call that a NamedTuple adds


class Stopper:
    """Takes the metrics of one epoch after another and decides: continue, stop, save.

    stop: the rule that ends the run.
    save: the rule that says which epochs are worth keeping; `Best(monitor)` in most cases.
    on_missing: what an epoch means that lacks a metric of a rule. "raise": an error that lists the
        metrics there are. "skip": that rule keeps its state and does not fire.

    Raises RuleTypeError for anything but rules, RuleError for a rule of one's own that cannot be
    recorded (see `earlystop.language.tracing`).

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

    _state: tuple[Any, ...]  # the leaves of both rules' states (see trace.py)
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
        if on_missing not in ("raise", "skip"):
            raise RuleError(
                f'`Stopper(on_missing=...)` must be "raise" or "skip", got {on_missing!r}'
            )
        self._stop, self._save, self._on_missing = stop, save, on_missing
        self._advance = compile_scalar((stop, save), on_missing)
        self.reset()

    # One epoch -------------------------------------------------------------------------------

    def step(self, metrics: Mapping[str, SupportsFloat]) -> Decision:
        """Take the metrics of one epoch, in order, and decide.

        metrics: from name to value; a value is anything that `float()` takes as one real number
            (a Python or NumPy number, a 0-d tensor), but no text. Names are strings; they are
            looked at when an epoch is saved.

        Raises MetricError for a value that is not one number, MissingMetricError where a rule's
        metric is missing and `on_missing` is "raise", StoppedError after a stop. After an error
        the stopper is as it was before the call.
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
            raise self._missing(error.args[0], metrics) from None
        reason = self._explained(metrics) if stop else ""
        if save:
            self._best_metrics = _with_text_names(metrics)
            self._best_epoch = epoch
        if stop:
            self._stopped, self._reason = True, reason
        self._state = state
        self._epoch = epoch + 1
        return _new_tuple(Decision, (epoch, stop, save, reason))

    def _missing(self, name: str, metrics: Mapping[str, Any]) -> MissingMetricError:
        needs = dict.fromkeys(self._stop.all_metrics + self._save.all_metrics)
        name = next((need for need in needs if need not in metrics), name)
        if name == ELAPSED:
            way_out = f"add {ELAPSED!r} yourself, or use an adapter, which does"
        else:
            way_out = 'if some epochs lack it on purpose, pass on_missing="skip"'
        return MissingMetricError(
            f"no metric {name!r} at epoch {self._epoch}: {name_advice(name, metrics)} ({way_out})"
        )

    def _explained(self, metrics: Any) -> str:
        before = unflatten(self._stop.init(), iter(self._state))
        return (
            self._stop.explain(before, _Reported(metrics), self._epoch) or f"{self._stop!r} fires"
        )

    # What has come of the run so far ---------------------------------------------------------

    @property
    def stop(self) -> Rule:
        """The rule that ends the run."""
        return self._stop

    @property
    def save(self) -> Rule:
        """The rule that says which epochs are worth keeping."""
        return self._save

    @property
    def on_missing(self) -> OnMissing:
        """What an epoch means that lacks a metric: "raise" or "skip"."""
        return self._on_missing

    @property
    def stopped(self) -> bool:
        """Has the stop rule ended the run?"""
        return self._stopped

    @property
    def reason(self) -> str:
        """Why it has stopped; empty while it has not."""
        return self._reason

    @property
    def epoch(self) -> int:
        """How many epochs have been taken: the number of the next one."""
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
        """The monitored value at the last saved epoch, when `save` is a `Best`; else None."""
        if self._best_metrics is None or not isinstance(self._save, Best):
            return None
        return self._best_metrics[self._save.monitor]

    # Beginning again, and going on -----------------------------------------------------------

    def reset(self) -> None:
        """Go back to before the first epoch."""
        self._state = tuple(flatten((self._stop.init(), self._save.init())))
        self._epoch = 0
        self._stopped = False
        self._reason = ""
        self._best_epoch = None
        self._best_metrics = None

    def snapshot(self) -> tuple[Any, ...]:
        """Where the run stands, as cheap as can be: for whoever may have to take a step back."""
        position: tuple[Any, ...] = _position_of(self)
        return position

    def restore(self, position: tuple[Any, ...]) -> None:
        for name, value in zip(_CHANGES, position, strict=True):
            setattr(self, name, value)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on later as if never interrupted, as plain JSON data.

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
        shapes = (self._stop.init(), self._save.init())
        stop_state, save_state = unflatten(shapes, iter(self._state))
        metrics = self._best_metrics
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "stop": self._stop.to_dict(),
            "save": self._save.to_dict(),
            "epoch": self._epoch,
            "stopped": self._stopped,
            "reason": self._reason,
            "best_epoch": self._best_epoch,
            "best_metrics": (
                None
                if metrics is None
                else {name: number_to_json(x) for name, x in metrics.items()}
            ),
            "stop_state": encode_state(stop_state),
            "save_state": encode_state(save_state),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict()` was taken. The rules must be the same; they are not loaded.

        Raises StateError, and changes nothing, for a state of other rules (both are named), of a
        newer version, or one that is damaged.
        """
        if not isinstance(state, Mapping) or state.get("format") != _FORMAT:
            raise StateError(
                f'expected a state from `Stopper.state_dict()` ("format": "{_FORMAT}"), '
                f"got {_shortened(state)}"
            )
        version = state.get("version")
        if version != _VERSION or isinstance(version, bool):
            newer = isinstance(version, int) and version > _VERSION
            raise StateError(
                f"the state has version {version!r}, this library reads version {_VERSION}"
                + (": upgrade earlystop" if newer else "")
            )
        missing = sorted(set(self.state_dict()) - set(state))
        if missing:
            raise StateError(f"the state is damaged: it lacks {', '.join(missing)}")
        for name, rule in (("stop", self._stop), ("save", self._save)):
            if not _is_of(state[name], rule):
                raise StateError(
                    f"the state was saved by other rules: its {name} rule is "
                    f"{_rule_text(state[name])}, this stopper's is {rule!r}; make the stopper with "
                    "the rules it was saved with"
                )
        epoch = decode_state(state["epoch"], 0, "epoch")
        stopped = decode_state(state["stopped"], False, "stopped")
        reason = state["reason"]
        if not isinstance(reason, str) or bool(reason) != stopped:
            raise StateError(f"reason should be a text, empty unless stopped, got {reason!r}")
        best_epoch, best_metrics = _best_from(state)
        monitor = self._save.monitor if isinstance(self._save, Best) else None
        if monitor is not None and best_metrics is not None and monitor not in best_metrics:
            raise StateError(f"best_metrics lacks {monitor!r}, got {best_metrics!r}")
        if epoch < 0 or (stopped and epoch == 0) or (best_epoch or 0) >= max(epoch, 1):
            raise StateError(
                f"epoch {epoch} does not fit best_epoch {best_epoch}, stopped {stopped}"
            )
        stop_state = decode_state(state["stop_state"], self._stop.init(), "stop_state")
        save_state = decode_state(state["save_state"], self._save.init(), "save_state")
        self._state = tuple(flatten((stop_state, save_state)))
        self._epoch, self._stopped, self._reason = epoch, stopped, reason
        self._best_epoch, self._best_metrics = best_epoch, best_metrics

    def __reduce__(self) -> tuple[Any, ...]:
        # Lets copy.deepcopy and process pools take a stopper; the compiled steps are made anew.
        made_of = (self._stop, self._save, self._on_missing)
        return _restored, (type(self), *made_of, self.state_dict())

    def __repr__(self) -> str:
        skip = "" if self._on_missing == "raise" else f", on_missing={self._on_missing!r}"
        save = "" if isinstance(self._save, Never) else f", save={self._save!r}"
        return f"Stopper({self._stop!r}{save}{skip})"


class EarlyStopping(Stopper):
    """Stops when a metric has not improved for `patience` epochs, and saves every new best.

    The `Stopper` of `Patience(monitor, ...)` with `save=Best(monitor)`; arguments and defaults are
    those of Keras's callback of the same name.

    monitor: the metric to watch.
    min_delta: the gain, in units of the metric, that counts as an improvement must exceed it.
    patience: epochs in a row without improvement after which it stops; 0 means 1.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.
    baseline: until it is beaten, nothing counts as an improvement.
    start_from_epoch: so many epochs at the start do not count for stopping.
    on_missing: see `Stopper`.

    Raises what `Patience` and `Stopper` raise.

    >>> from earlystop import EarlyStopping
    >>> stopper = EarlyStopping(monitor="val_loss", patience=2)
    >>> for value in [0.9, 0.7, 0.8, 0.7]:
    ...     decision = stopper.step({"val_loss": value})
    ...     print(decision)
    epoch 0: save, continue
    epoch 1: save, continue
    epoch 2: continue
    epoch 3: stop: val_loss has not improved on 0.7 (epoch 1) by more than 0 for 2 epochs
    >>> stopper.best, stopper.best_epoch
    (0.7, 1)
    """

    __slots__ = ()

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        min_delta: float = 0.0,
        patience: int = 0,
        mode: Mode = "auto",
        baseline: float | None = None,
        start_from_epoch: int = 0,
        on_missing: OnMissing = "raise",
    ) -> None:
        try:
            stop = Patience(
                monitor,
                patience=patience,
                min_delta=min_delta,
                mode=mode,
                baseline=baseline,
                start_from_epoch=start_from_epoch,
            )
        except RuleError as error:  # name what was called
            raise type(error)(str(error).replace("`Patience(", "`EarlyStopping(")) from None
        super().__init__(stop, save=Best(monitor, mode=stop.mode), on_missing=on_missing)


class _Reported(dict[str, float]):
    """The metrics of an epoch; what was not reported reads as NaN, as in the compiled steps."""

    def __missing__(self, name: str) -> float:
        return math.nan


def _restored(
    cls: type[Stopper], stop: Rule, save: Rule, on_missing: OnMissing, state: dict[str, Any]
) -> Stopper:
    stopper = cls.__new__(cls)
    Stopper.__init__(stopper, stop, save, on_missing=on_missing)
    stopper.load_state_dict(state)
    return stopper


def as_floats(metrics: Any) -> dict[str, float]:
    """The metrics of an epoch as plain floats: the one door through which they come in.

    Raises MetricError for what is not a mapping from names to single real numbers.
    """
    if not isinstance(metrics, Mapping):
        raise MetricError(
            "`step` takes the metrics of one epoch as a mapping from name to value, such as "
            f"{{'val_loss': 0.5}}, got {_shortened(metrics)}"
        )
    return {name: _number(name, value) for name, value in _with_text_names(metrics).items()}


def _with_text_names(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """A copy, with the names as plain strings: what is kept goes to JSON."""
    for name in metrics:
        if not isinstance(name, str):
            raise MetricError(f"the names of metrics must be strings, got {name!r}")
    return {str.__str__(name): value for name, value in metrics.items()}


def _number(name: str, value: Any) -> float:
    if type(value) is float:
        return value
    what = ""
    shape = getattr(value, "shape", ())
    if value is None:
        what = "None: leave a metric out at an epoch that does not report it"
    elif isinstance(value, (str, bytes, bytearray)):
        what = f"the text {_shortened(value)}"
    elif len(shape) != 0:
        what = f"an array of shape {tuple(shape)}: reduce it to one number first"
    elif _is_complex(value):
        what = f"the complex number {value!r}: report its magnitude, or its parts as two metrics"
    if not what:
        try:
            return float(value)
        except OverflowError:
            what = f"a {type(value).__name__} too large for a float"
        except (TypeError, ValueError, RuntimeError) as error:
            what = f"{_shortened(value)} ({error})"
    raise MetricError(f"the metric {name!r} must be one real number, got {what}")


def _is_complex(value: Any) -> bool:
    if isinstance(value, numbers.Complex):
        return not isinstance(value, numbers.Real)
    return "complex" in str(getattr(value, "dtype", ""))  # 0-d arrays and tensors


def _best_from(state: Mapping[str, Any]) -> tuple[int | None, dict[str, float] | None]:
    epoch, metrics = state["best_epoch"], state["best_metrics"]
    if epoch is None and metrics is None:
        return None, None
    if not isinstance(metrics, Mapping) or not all(isinstance(name, str) for name in metrics):
        raise StateError(f"best_metrics should go with best_epoch {epoch!r}, got {metrics!r}")
    values = {name: number_from_json(x, f"best_metrics.{name}") for name, x in metrics.items()}
    best_epoch: int = decode_state(epoch, 0, "best_epoch")
    if best_epoch < 0:
        raise StateError(f"best_epoch should be at least 0, got {best_epoch}")
    return best_epoch, values


def _is_of(data: Any, rule: Rule) -> bool:
    """Was such a rule saved as this? A setting that there was not yet is as by default."""
    if data == rule.to_dict():
        return True
    try:
        return Rule.from_dict(data) == rule
    except RuleError:
        return False


def _rule_text(data: Any) -> str:
    try:
        return repr(Rule.from_dict(data))
    except RuleError:
        return _shortened(data)


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
