"""Steps rules over a batch: by a compiled program if possible, otherwise by their own `step`.

Rules that keep windows of values are not compiled for arrays: their `step` is called directly, on
arrays with one lane per run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine.vectorized import VectorProgram, compile_vectorized
from ..history import History
from ..language.rule import Rule, advance
from .batches import Epoch, TooManyLanesError
from .tuning import DEFAULT, Tuning

__all__ = ["EpochMetrics", "InterpretedSteps", "steps_for"]


def steps_for(
    rules: tuple[Rule, ...], history: History, tuning: Tuning = DEFAULT
) -> VectorProgram | InterpretedSteps:
    """A program that steps these rules over batches of a history."""
    names = tuple(history.metrics)
    with_gaps = frozenset(name for name in names if history.gaps(name) is not None)
    return compile_vectorized(rules, names, with_gaps) or InterpretedSteps(rules, names, tuning)


class InterpretedSteps:
    """The steps of rules that do not compile for arrays, with the interface of `VectorProgram`."""

    def __init__(
        self, rules: tuple[Rule, ...], names: tuple[str, ...], tuning: Tuning = DEFAULT
    ) -> None:
        self._rules, self._names, self._tuning = rules, names, tuning
        self.metrics = len(names)
        self._states: list[Any] = []
        self._most_bytes: float = tuning.window_bytes

    def start(self, lanes: int, epochs: int) -> None:
        """Begin `lanes` runs. A single run cannot be halved, so it has no memory limit."""
        self._most_bytes = self._tuning.window_bytes if lanes > 1 else np.inf
        self._states = [rule.init() for rule in self._rules]

    def keep(self, lanes: Any) -> None:
        """Drop all other lanes."""
        self._states = [_lanes_of(state, lanes) for state in self._states]

    def __call__(self, epoch: Epoch) -> tuple[Any, ...]:
        """Take one epoch; return whether each rule fires.

        Raises TooManyLanesError if the states of the rules exceed the memory limit.
        """
        if self._state_bytes() > self._most_bytes:
            raise TooManyLanesError
        metrics = EpochMetrics(epoch, self._names)
        stepped = [
            advance(rule, state, metrics, epoch.number)
            for rule, state in zip(self._rules, self._states, strict=True)
        ]
        self._states = [after for after, _ in stepped]
        return tuple(fires for _, fires in stepped)

    def _state_bytes(self) -> int:
        # A row of a block keeps the whole block alive.
        wholes = [array if array.base is None else array.base for array in _arrays(self._states)]
        return sum({id(whole): whole.nbytes for whole in wholes}.values())


def _arrays(state: Any) -> Iterator[Any]:
    if isinstance(state, (list, tuple)):
        for branch in state:
            yield from _arrays(branch)
    elif isinstance(state, np.ndarray):
        yield state


def _lanes_of(state: Any, lanes: Any) -> Any:
    if isinstance(state, tuple):
        branches = [_lanes_of(branch, lanes) for branch in state]
        return type(state)(*branches) if hasattr(state, "_fields") else tuple(branches)
    return state[lanes] if isinstance(state, np.ndarray) and state.ndim else state


class EpochMetrics:
    """The metrics of one epoch of a batch, with the interface that rules expect.

    replacements: values that replace those of the batch, by name.
    """

    def __init__(
        self, epoch: Epoch, names: tuple[str, ...], replacements: dict[str, Any] | None = None
    ) -> None:
        self._epoch, self._names, self._replacements = epoch, names, replacements or {}

    def __getitem__(self, name: str) -> Any:
        if name in self._replacements:
            return self._replacements[name]
        return self._epoch.row(name) if name in self._names else np.nan

    def reported(self, names: tuple[str, ...]) -> Any:
        present: Any = True
        for name in names:
            present = present & (name in self._names and self._epoch.present(name))
        return present

    def replaced(self, name: str, value: Any) -> EpochMetrics:
        return EpochMetrics(self._epoch, self._names, {**self._replacements, name: value})

    def any_nonfinite(self) -> Any:
        found: Any = False
        for name in self._names:
            found = found | (self.reported((name,)) & ~np.isfinite(self[name]))
        return found
