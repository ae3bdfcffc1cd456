"""Keras's metrics: the values in `logs`, their directions, and the type for comparing them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from earlystop.engine.metrics import as_floats
from earlystop.language.direction import Direction, direction
from earlystop.language.ops import Dtype
from earlystop.language.rule import Rule
from earlystop.rules import Best

__all__ = ["LogReader", "backend_dtype", "metric_direction", "monitored"]

# Accuracy has an old name, and scripts use either.
_OTHER_NAME = {"acc": "accuracy", "accuracy": "acc"}
_ALIASES = [
    (prefix + name, prefix + alias)
    for prefix in ("", "val_")
    for name, alias in _OTHER_NAME.items()
]


class LogReader:
    """Turns the `logs` of an epoch into floats.

    needed: the metrics of the rules.
    template: a file name; metrics in it may be given by either of their names.

    >>> read = LogReader({"val_acc"})
    >>> read({"loss": np.float32(0.5), "val_accuracy": 0.75, "confusion": np.zeros((2, 2))})
    {'loss': 0.5, 'val_accuracy': 0.75, 'val_acc': 0.75}
    """

    def __init__(self, needed: Iterable[str], template: str = "") -> None:
        self._needed = frozenset(needed)
        self._aliases = [
            (name, alias)
            for name, alias in _ALIASES
            if alias in self._needed or f"{{{alias}" in template
        ]

    def __call__(self, logs: Mapping[str, Any]) -> dict[str, float]:
        """The metrics of an epoch.

        Arrays that no rule reads are left out. Raises MetricError for an array that a rule reads.
        """
        values: dict[str, float] = {}
        for name, value in logs.items():
            if type(value) is float:
                values[name] = value
            elif value is not None and (name in self._needed or not np.ndim(value)):
                values.update(as_floats({name: value}))
        for name, alias in self._aliases:
            if name in values:
                values.setdefault(alias, values[name])
        return values


def metric_direction(model: Any, monitor: str, mode: str, owner: str) -> Direction:
    """The direction of a metric: by the mode, else by the compiled metric, else by its name.

    owner: the class that the user called, for errors.

    Raises RuleError if the direction is unknown.
    """
    if mode != "auto":
        return direction(monitor, mode, owner)
    name = monitor.removeprefix("val_")
    found: Direction | None = "min" if name == "loss" else None
    names = {name, _OTHER_NAME.get(name, name)}
    for metric in _flat(getattr(model, "metrics", [])):
        compiled = getattr(metric, "_direction", None)
        if metric.name in names and compiled is not None:
            found = "max" if compiled == "up" else "min"
    return found or direction(monitor, "auto", owner)


def _flat(metrics: Any) -> list[Any]:
    flat: list[Any] = []
    for metric in metrics:
        inner = getattr(metric, "metrics", None)  # compiled metrics are grouped in one
        flat += [metric] if inner is None else _flat(inner)
    return flat


def backend_dtype() -> Dtype:
    """The type in which Keras's own callbacks compare: float32, except on its NumPy backend."""
    return "float64" if keras.backend.backend() == "numpy" else "float32"


def monitored(rule: Rule) -> str:
    """The metric of the `Best` in a rule; empty if there is none.

    >>> from earlystop import Warmup
    >>> monitored(Warmup(Best("val_loss"), 3))
    'val_loss'
    """
    if isinstance(rule, Best):
        return rule.monitor
    return next((name for name in map(monitored, rule.children) if name), "")
