"""What subclasses of Keras's callbacks read, set and override: the metric and how it is compared.

A rule compares values itself. A subclass with a comparison of its own, `_is_improvement` or
`monitor_op`, is asked after every epoch, and its improvements are counted. The rules then watch the
count, which rises with each improvement.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.language.direction import Direction
from earlystop.language.ops import worst
from earlystop.language.state import number_to_json

from .callback import RuleCallback
from .metrics import metric_direction, monitored

__all__ = ["MonitorCallback"]

_LESS, _GREATER = (
    (keras.ops.less, np.less, operator.lt),
    (keras.ops.greater, np.greater, operator.gt),
)
_DIRECTIONS: dict[Any, Direction] = {
    **dict.fromkeys(_LESS, "min"),
    **dict.fromkeys(_GREATER, "max"),
}


class MonitorCallback(RuleCallback):
    """A callback of one metric, with the attributes and methods of Keras's.

    monitor_op: compares two values; None before the first epoch. A subclass may set it.
    min_delta: as in Keras, negative once `monitor_op` is known to be `less`.
    """

    monitor: str
    mode: str
    min_delta: float = 0
    baseline: float | None = None
    start_from_epoch: int = 0
    monitor_op: Callable[[Any, Any], Any] | None = None
    _follows_monitor = True  # whether Keras's arguments decide, not rules
    _found_op: Callable[[Any, Any], Any] | None = None  # `monitor_op`, if no subclass has set it
    _compares = False  # a subclass has a comparison of its own
    _best: float | None = None
    _improvements = 0  # as a subclass compares
    _improvements_on_baseline = 0

    # Hooks -----------------------------------------------------------------------------------

    def get_monitor_value(self, logs: Mapping[str, Any] | None) -> Any:
        """The value of the metric in the logs of an epoch; None if there is none.

        A subclass may compute it. It is not asked if rules take the place of `monitor`.
        """
        return (logs or {}).get(self.monitor)

    def _is_improvement(self, monitor_value: Any, reference_value: Any) -> Any:
        """Whether a value is better than another by more than `min_delta`; a subclass may decide.

        Without a subclass, the rules decide.
        """
        if reference_value is None or self.monitor_op is None:
            return True
        return self.monitor_op(monitor_value - self.min_delta, reference_value)

    def _set_monitor_op(self) -> None:
        """Set `monitor_op`, once the metrics of the model are known."""
        mode = metric_direction(self.model, self.monitor, self.mode, type(self).__name__)
        self.monitor_op = keras.ops.less if mode == "min" else keras.ops.greater
        self.min_delta = abs(self.min_delta) * (-1 if mode == "min" else 1)
        self._found_op = self.monitor_op

    @property
    def best(self) -> float | None:
        """The best value so far; None before the first. Setting it sets what is to be beaten."""
        return self._best

    @best.setter
    def best(self, value: Any) -> None:
        self._best = value
        if self._stopper is not None and self._follows_monitor:
            self._set_reference(self._stopper)

    # For the callbacks -------------------------------------------------------------------------

    def _direction(self) -> Direction | None:
        """The direction of the metric; None if a subclass has a comparison of its own."""
        if (
            self.monitor_op is None or self.monitor_op is self._found_op
        ):  # the model may be another one
            self._set_monitor_op()
        found = None
        if type(self)._is_improvement is MonitorCallback._is_improvement:
            found = _DIRECTIONS.get(self.monitor_op)
        self._compares = found is None
        return found

    @property
    def _counts(self) -> tuple[str, str, str]:
        """Names for the rules: of improvements that beat the baseline, of all, and of the value."""
        return self.monitor, f"{self.monitor} improvements", f"{self.monitor} value"

    def _with_monitored(self, logs: Mapping[str, Any] | None) -> dict[str, Any]:
        """The logs, with the metric as `get_monitor_value` has it."""
        known = dict(logs or {})
        if not self._follows_monitor:
            return known
        value = self.get_monitor_value(logs)
        if value is not known.get(self.monitor):
            known[self.monitor] = value
            if value is None:  # the subclass has none, which is not a None in the logs
                del known[self.monitor]
        return known

    def _compared(self, values: dict[str, float], epoch: int) -> dict[str, float]:
        """The values to decide on; improvements are counted where a subclass compares."""
        if not self._compares or self.monitor not in values:
            return values
        value = values[self.monitor]
        if epoch >= self.start_from_epoch and self._is_improvement(value, self.best):
            self._improvements += 1
            if self.baseline is None or self._is_improvement(value, self.baseline):
                self._improvements_on_baseline += 1
        seen = (self._improvements_on_baseline, self._improvements, value)
        return {**values, **dict(zip(self._counts, map(float, seen), strict=True))}

    def _best_of(self, stopper: Stopper, metrics: Mapping[str, float] | None) -> float | None:
        """The value of the metric that makes the best, among those of an epoch."""
        return (metrics or {}).get(self._watched(stopper))

    def _watched(self, stopper: Stopper) -> str:
        """The metric whose value is `best`; empty if there is none."""
        return self.monitor if self._follows_monitor else monitored(stopper.save)

    def _saved_best(self, stopper: Stopper) -> float | None:
        """The value that was the best when the stopper was saved."""
        metrics = stopper.best_metrics
        return (metrics or {}).get(self._counts[2], self._best_of(stopper, metrics))

    def _begin_session(self, epoch: int) -> Session:
        session = super()._begin_session(epoch)
        stopper = session.stopper
        if self._follows_monitor and stopper.checks == 0 and self.best is not None:
            self._set_reference(stopper)
        known = stopper.best_metrics or {}
        if self._compares:
            counts = [int(known.get(name, 0)) for name in self._counts[:2]]
            self._improvements_on_baseline, self._improvements = counts
        return session

    def _set_reference(self, stopper: Stopper) -> None:
        """Make `best` what the rules compare with."""
        if self._compares:
            return
        mode: Direction = "min" if _DIRECTIONS.get(self.monitor_op) == "min" else "max"
        best = worst(mode) if self._best is None else float(self._best)
        to_beat = best
        if self.baseline is not None:
            to_beat = min(best, self.baseline) if mode == "min" else max(best, self.baseline)
        state = stopper.state_dict()
        stopping, saving = state["stop_state"], state["save_state"]
        if isinstance(stopping, dict) and "reference" in stopping:
            stopping["reference"] = number_to_json(to_beat)
        if isinstance(saving, dict):
            saving = saving.get("inner", saving)  # behind a Warmup
            saving["best"] = number_to_json(best)
        stopper.load_state_dict(state)
