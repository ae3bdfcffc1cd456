"""Keras's metrics: the values in `logs`, their directions, and the type for comparing them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from earlystop.engine.metrics import as_floats
from earlystop.errors import MetricError
from earlystop.language.direction import Direction, direction
from earlystop.language.ops import Dtype
from earlystop.language.rule import Rule
from earlystop.rules import Best

__all__ = [
    "LogReader",
    "are_built",
    "backend_dtype",
    "is_validation_metric",
    "metric_direction",
    "monitored",
]

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
    named: the metrics in a file name, which may be given by either of their names.

    >>> import numpy as np
    >>> read = LogReader({"val_acc"})
    >>> read({"loss": np.float32(0.5), "val_accuracy": np.array([0.75]), "note": "warm"})
    {'loss': 0.5, 'val_accuracy': 0.75, 'val_acc': 0.75}
    """

    def __init__(self, needed: Iterable[str], named: Iterable[str] = ()) -> None:
        self._needed, self._named = set(needed), set(named)
        asked = self._needed | self._named
        self._aliases = [(name, alias) for name, alias in _ALIASES if alias in asked]
        self._needed.update(name for name, alias in self._aliases if alias in self._needed)
        self._named.update(name for name, alias in self._aliases if alias in self._named)

    def __call__(self, logs: Mapping[str, Any] | None) -> dict[str, float]:
        """The metrics of an epoch.

        What is not a number is left out if neither a rule nor a file name asks for it. Raises
        MetricError if one does; a None in a file name is like a metric that is not there.
        """
        values: dict[str, float] = {}
        for name, value in (logs or {}).items():
            if type(value) is float:
                values[name] = value
            elif name in self._needed or (name in self._named and value is not None):
                values.update(as_floats({name: value}))
            else:
                with contextlib.suppress(MetricError):  # nobody asks for it
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


def is_validation_metric(name: str) -> bool:
    """Whether Keras gives this name to a metric of the validation data."""
    return name.startswith("val_")


def are_built(model: Any) -> bool:
    """Whether the compiled metrics of a model, and so their directions, are known."""
    return all(getattr(metric, "built", True) for metric in getattr(model, "metrics", []))


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
