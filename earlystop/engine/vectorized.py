"""The steps of several rules as one program over arrays, with one item per run."""

from __future__ import annotations

import functools
from typing import Any

from ..language.rule import Rule
from ..language.tape import Trace
from ..language.traced_metrics import TracedMetrics
from .merging import record_merged
from .vector_source import VectorCode, live_outputs, write_vector_code

__all__ = ["VectorProgram", "compile_vectorized", "vector_code"]


class VectorProgram:
    """The steps of several rules for many runs. Call it with one epoch after another.

    Its state is kept in arrays, the registers; `start` creates them.

    metrics: how many metrics it reads.
    """

    def __init__(self, code: VectorCode, names: tuple[str, ...]) -> None:
        self._code = code
        self._function = code.function
        self._rows = [name if name in code.rows else "" for name in names]
        self._present = [name if name in code.present else "" for name in names]
        self.metrics = len(code.rows | code.present)
        self._registers: tuple[Any, ...] = ()

    def start(self, lanes: int, epochs: int) -> None:
        """Begin `lanes` runs, each of at most `epochs` epochs."""
        import numpy as np

        small = self._code.growth * epochs < np.iinfo(np.int32).max
        types = {"float": np.float64, "int": np.int32 if small else np.int64, "bool": np.bool_}
        self._registers = tuple(np.empty(lanes, types[kind]) for kind in self._code.kinds)
        for register, value in self._code.initial.items():
            self._registers[register].fill(value)

    def keep(self, lanes: Any) -> None:
        """Drop all other lanes."""
        self._registers = tuple(register[lanes] for register in self._registers)

    def __call__(self, epoch: Any) -> tuple[Any, ...]:
        """Take one epoch (see `replaying/batches.py`); return each rule's answer, an array or bool.

        The arrays are read-only for the caller, and valid until the next call.
        """
        rows = [epoch.row(name) if name else None for name in self._rows]
        present = [epoch.present(name) if name else None for name in self._present]
        answers: tuple[Any, ...]
        answers, self._registers = self._function(rows, present, epoch.number, *self._registers)
        return answers


def compile_vectorized(
    rules: tuple[Rule, ...],
    names: tuple[str, ...],
    with_gaps: frozenset[str],
    finite: frozenset[str] = frozenset(),
) -> VectorProgram | None:
    """The steps of several rules as NumPy operations; None if their states hold windows.

    names: the metrics, in the order of the rows.
    with_gaps: the metrics that some epochs may lack.
    finite: the metrics without NaN and infinity.

    Raises what `record` raises.
    """
    code = vector_code(rules, names, with_gaps, finite)
    return None if code is None else VectorProgram(code, names)


@functools.lru_cache(maxsize=256)
def vector_code(
    rules: tuple[Rule, ...],
    names: tuple[str, ...],
    with_gaps: frozenset[str],
    finite: frozenset[str] = frozenset(),
) -> VectorCode | None:
    def metrics_on(trace: Trace) -> TracedMetrics:
        return TracedMetrics(trace, names, frozenset(names) - with_gaps, finite=finite)

    recording = record_merged(rules, metrics_on)
    live = live_outputs(recording)
    if any(ref.kind == "window" and ref.name in live for ref in recording.inputs):
        return None
    return write_vector_code(recording, names, f"many runs of {[*rules]!r}")
