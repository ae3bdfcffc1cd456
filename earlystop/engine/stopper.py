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

from collections.abc import Hashable, Mapping
from typing import Any, SupportsFloat

from ..errors import RuleTypeError, StoppedError, shortened
from ..language.keywords import by_keyword
from ..language.positions import DERIVED, EPOCH, STEP
from ..language.rule import OnMissing, Rule
from ..language.settings import validated
from ..rules import Never
from .decision import Decision, Place
from .metrics import as_floats, with_string_names
from .missing import missing_metric
from .position import Position, beginning, explained
from .positions import advanced, seen_by_rules, with_best
from .run_so_far import RunSoFar
from .scalar import Advance, compile_scalar

__all__ = ["Stopper"]

_new_tuple = tuple.__new__  # Decision(...) and others without the extra call of a NamedTuple
_GIVEN = {  # what the rules see of positions, by which of epoch and step there are
    (False, False): frozenset(),
    (False, True): frozenset((STEP,)),
    (True, False): frozenset((EPOCH, *DERIVED)),
    (True, True): frozenset((EPOCH, STEP, *DERIVED)),
}


class Stopper(RunSoFar):
    """Takes the metrics of one check after another and decides: continue, stop, save.

    stop: the rule that ends the run.
    save: the rule that decides which checks to save; usually `Best(monitor)`. By default, none.
    on_missing: how to treat a check that lacks a metric of a rule. "raise": raise an error that
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

    __slots__ = ("__weakref__", "_advance", "_by_positions", "_latest", "_units")

    # The last decision of the sessions that share it: the check, the key of the session that took
    # it, the decision. It is theirs alone, and no part of the state.
    _latest: tuple[Hashable, object, Decision] | None

    @by_keyword("on_missing")
    def __init__(
        self, stop: Rule, save: Rule | None = None, *, on_missing: OnMissing = "raise"
    ) -> None:
        save = Never() if save is None else save
        for name, rule in (("stop", stop), ("save", save)):
            if not isinstance(rule, Rule):
                raise RuleTypeError(
                    f"`Stopper({name}=...)` must be a rule, such as Patience('val_loss', 10), "
                    f"got {shortened(rule)}{_advice(rule)}"
                )
        validated(OnMissing, on_missing, "Stopper(on_missing=...)")
        self._stop, self._save, self._on_missing = stop, save, on_missing
        self._units = tuple(dict.fromkeys(stop.all_units + save.all_units))
        self._advance = compile_scalar((stop, save), on_missing)
        self._by_positions: dict[tuple[bool, bool], Advance] = {}
        self._latest = None
        self.reset()

    # One check -------------------------------------------------------------------------------

    def step(
        self,
        metrics: Mapping[str, SupportsFloat],
        epoch: SupportsFloat | None = None,
        step: SupportsFloat | None = None,
    ) -> Decision:
        """Take the metrics of the next check and decide.

        metrics: a mapping from name to value. A value is anything that `float()` accepts as one
            real number (a Python or NumPy number, an array or tensor of one element), except text.
            Names are strings; they are checked when a check is saved.
        epoch: where the check stands in the run: a whole number counts epochs from 0 (from 1, if
            the first check is at epoch 1), a fraction such as 0.27 says how many are done. By
            default, every check is an epoch.
        step: the global step of the check. Both may also be among the metrics, as "epoch" and
            "step". Rules see them there; decisions and reasons name them.

        Raises MetricError for a value that is not one number and for a position that goes back,
        MissingMetricError if a rule's metric is missing and `on_missing` is "raise", StoppedError
        after a stop. After an error the stopper is unchanged.

        >>> from earlystop import EarlyStopping
        >>> stopper = EarlyStopping("val_loss", patience=2)
        >>> for step, value in [(500, 0.41), (1000, 0.45), (1500, 0.43)]:
        ...     decision = stopper.step({"val_loss": value}, step=step)
        >>> print(decision)
        step 1,500: stop: val_loss has not improved on 0.41 (step 500) by more than 0 for 2 checks
        >>> decision.check, decision.step, stopper.best_step
        (2, 1500, 500)
        """
        leaves, check, stopped, reason, best_check, best_metrics, _, positions = self._position
        if stopped:
            raise StoppedError(
                f"this stopper has stopped at {self._last_place()} ({reason}): "
                "leave the loop on `decision.stop`, or call `reset()` to begin another run"
            )
        if type(metrics) is not dict:
            metrics = as_floats(metrics)
        else:
            for value in metrics.values():
                if type(value) is not float:
                    metrics = as_floats(metrics)
                    break
        advance, place, at = self._advance, None, check
        if (
            epoch is not None
            or step is not None
            or positions is not None
            or "epoch" in metrics
            or "step" in metrics
        ):
            positions = advanced(positions, check, best_check, metrics, epoch, step, self._units)
            epoch, step = positions.epoch, positions.step
            which = epoch is not None, step is not None
            advance = self._by_positions.get(which) or self._advance_by(which)
            place = _new_tuple(Place, (check, epoch, step))
            at = check if epoch is None else epoch
        try:
            after, stop, save = advance(leaves, metrics, check, positions)
        except KeyError as error:
            needed = self._stop.all_metrics + self._save.all_metrics
            raise missing_metric(needed, error.args[0], metrics, place or Place(check)) from None
        last_check = None
        if stop:
            seen = metrics if positions is None else seen_by_rules(metrics, positions)
            reason = explained(self._stop, leaves, seen, check)
            last_check = leaves, with_string_names(seen)
        if save:
            best_check, best_metrics = check, with_string_names(metrics)
            positions = None if positions is None else with_best(positions)
        state = after, check + 1, stop, reason, best_check, best_metrics, last_check, positions
        self._position = state
        return _new_tuple(Decision, (at, stop, save, reason, place))

    def _advance_by(self, which: tuple[bool, bool]) -> Advance:
        """The compiled step for a run with these positions: the epoch, the step."""
        rules = self._stop, self._save
        advance = compile_scalar(rules, self._on_missing, _GIVEN[which], at=True)
        self._by_positions[which] = advance
        return advance

    # Reset, undo and resume ------------------------------------------------------------------

    def reset(self) -> None:
        """Go back to the state before the first check."""
        self.restore(beginning(self._stop, self._save, self._units))

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
        return _new_tuple(Position, self._position)

    def restore(self, snapshot: Position) -> None:
        """Go back to a `snapshot` of this stopper.

        An adapter does so if a decision could not be carried out, so that the check can be
        repeated. See `snapshot` for an example.
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
            on, unless these numbers stop it at the same check, too.

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


def _advice(given: object) -> str:
    """What to write in place of something near a rule."""
    if isinstance(given, (list, tuple, set)):
        return ": join rules by | or &"
    if isinstance(given, type) and issubclass(given, Rule):
        return f", the class: make a rule of it, {given.__name__}(...)"
    return ": Rule.from_text reads rules" if isinstance(given, str) else ""


def _restored(
    cls: type[Stopper], stop: Rule, save: Rule, on_missing: OnMissing, state: dict[str, Any]
) -> Stopper:
    stopper = cls.__new__(cls)
    Stopper.__init__(stopper, stop, save, on_missing=on_missing)
    stopper.load_state_dict(state)
    return stopper
