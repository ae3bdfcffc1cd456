"""`RunSoFar`: what a stopper says about its run: its rules, whether it has stopped, its best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, SupportsFloat

from ..language.rule import OnMissing, Rule
from ..language.state import unflatten
from ..rules import Never
from ..rules.best import best_of
from ..rules.standing import standing
from .decision import Place
from .metrics import as_floats
from .position import Position
from .positions import Positions, epochs_by, place_of, seen_by_rules

__all__ = ["RunSoFar"]

_CHECKS, _STOPPED, _REASON, _BEST_CHECK, _BEST_METRICS, _POSITIONS = map(
    Position._fields.index,
    ("checks", "stopped", "reason", "best_check", "best_metrics", "positions"),
)


class RunSoFar:
    """What a stopper says about its run; only a `Stopper` changes it."""

    __slots__ = ("_on_missing", "_position", "_save", "_stop")

    _on_missing: OnMissing
    _save: Rule
    _stop: Rule

    # The fields of a `Position`, as a plain tuple, which is cheaper to make. It is replaced as a
    # whole, so that an interrupt never leaves half a step.
    _position: tuple[Any, ...]

    @property
    def stop(self) -> Rule:
        """The rule that ends the run."""
        return self._stop

    @property
    def save(self) -> Rule:
        """The rule that decides which checks to save."""
        return self._save

    @property
    def on_missing(self) -> OnMissing:
        """How to treat a check that lacks a metric: "raise" or "skip"."""
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
    def checks(self) -> int:
        """How many checks have been taken, which is also the number of the next one."""
        checks: int = self._position[_CHECKS]
        return checks

    @property
    def epoch(self) -> float:
        """How many epochs are done; without positions, every check is one."""
        positions = self._position[_POSITIONS]
        if positions is None or positions.epoch is None:
            return self.checks
        done: float = epochs_by(positions.epoch, positions.from_zero)
        return done

    @property
    def best_check(self) -> int | None:
        """The number of the last check that was saved, from 0; None before the first."""
        best_check: int | None = self._position[_BEST_CHECK]
        return best_check

    @property
    def best_epoch(self) -> float | None:
        """The epoch of the last saved check, as in `Decision.epoch`; None before the first."""
        positions = self._position[_POSITIONS]
        if positions is None or positions.epoch is None:
            return self.best_check
        best_epoch: float | None = positions.best_epoch
        return best_epoch

    @property
    def best_step(self) -> float | None:
        """The step of the last check that was saved; None before the first, or without steps."""
        positions = self._position[_POSITIONS]
        return None if positions is None else positions.best_step

    @property
    def best_metrics(self) -> dict[str, float] | None:
        """All metrics of the last check that was saved; None before the first."""
        metrics = self._position[_BEST_METRICS]
        return None if metrics is None else dict(metrics)

    @property
    def best(self) -> float | None:
        """The value of the one `Best` in `save` at the last saved check; None if there is none."""
        metrics, best = self._position[_BEST_METRICS], best_of(self._save)
        return None if metrics is None or best is None else metrics.get(best.monitor)

    def explain(self, metrics: Mapping[str, SupportsFloat] | None = None) -> str:
        """Where the run stands after its last check, in words: how long it waits, and for what.

        metrics: those of the last check, for rules that compare them with a limit, such as
            `Threshold` or `TimeLimit`; the stopper itself does not keep them.

        >>> from earlystop import EarlyStopping
        >>> stopper = EarlyStopping("val_loss", patience=10)
        >>> for value in [0.5, 0.412, 0.42, 0.43]:
        ...     decision = stopper.step({"val_loss": value})
        >>> stopper.explain()
        'val_loss: 2 of 10 epochs without improvement, needs < 0.412'
        """
        position = Position(*self._position)
        if position.stopped:
            return f"stopped at {self._last_place()}: {position.reason}"
        if not position.checks:
            return "no check yet"
        positions = position.positions or Positions()
        seen = {**dict(positions.units), **as_floats(metrics or {})}
        if position.positions is not None:
            seen = seen_by_rules(seen, positions)
        state = unflatten(self._stop.init(), iter(position.leaves))
        told = standing(self._stop, state, seen, position.checks - 1)
        if told:
            return told
        if isinstance(self._stop, Never):
            return "goes on: no rule ends it"
        return f"goes on until {self._stop!r}"

    def _last_place(self) -> Place:
        return place_of(self._position[_POSITIONS], self.checks - 1)
