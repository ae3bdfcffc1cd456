"""Every operation: the same on numbers, on lanes, and written out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import earlystop as es
from earlystop.engine.source import Names, define, expression, operand_text
from earlystop.language import ops
from earlystop.language.tape import Ref, Trace
from earlystop.language.tracing import Traced, kind_of, operand_of

nan, inf = math.nan, math.inf
VALUES = [0.0, -0.0, 1.0, -1.0, 2.5, 5e-324, 1e308, nan, inf, -inf]
WINDOWS = list(itertools.product([0.0, -1.0, 0.1, nan, inf], repeat=3))

OPERATIONS: dict[str, tuple[Callable[..., Any], list[tuple[Any, ...]]]] = {
    "where": (ops.where, [(c, a, b) for c in (True, False) for a, b in itertools.pairwise(VALUES)]),
    "invert": (ops.invert, [(True,), (False,)]),
    "isfinite": (ops.isfinite, [(a,) for a in VALUES]),
    "isnan": (ops.isnan, [(a,) for a in VALUES]),
    "absolute": (ops.absolute, [(a,) for a in VALUES]),
    "divide": (ops.divide, list(itertools.product(VALUES, VALUES))),
    "sqrt": (ops.sqrt, [(a,) for a in VALUES]),
    "better": (lambda a, b: ops.better(a, b, "min"), list(itertools.product(VALUES, VALUES))),
    "improves": (
        lambda a, b: ops.improves(a, b, "max", 0.5),
        list(itertools.product(VALUES, VALUES)),
    ),
    "push": (lambda *w: ops.push(w[:3], w[3])[2], [(*w, 7.0) for w in WINDOWS]),
    "total": (lambda *w: ops.total(w), WINDOWS),
    "lowest": (lambda *w: ops.lowest(w), WINDOWS),
    "deviation": (lambda *w: ops.deviation(w), WINDOWS),
}


def bits(value: Any) -> str:
    return "nan" if value != value else float(value).hex()


@pytest.mark.parametrize("name", OPERATIONS)
def test_numbers_lanes_and_written_out_agree_to_the_last_bit(name: str) -> None:
    operation, cases = OPERATIONS[name]
    numbers = [bits(operation(*case)) for case in cases]
    columns = [np.array(column) for column in zip(*cases, strict=True)]
    with np.errstate(all="ignore"):
        lanes = operation(*columns)
    assert [bits(value) for value in np.broadcast_to(lanes, len(cases))] == numbers
    trace, names = Trace(), Names()
    refs = [Ref(f"a{i}", kind_of(trace, x)) for i, x in enumerate(cases[0])]
    result = operation(*(Traced(trace, ref) for ref in refs))
    lines = [f"{line.result.name} = {expression(line, {}, names)}" for line in trace.lines]
    arguments = ", ".join(ref.name for ref in refs)
    end = f"return {operand_text(operand_of(trace, result), {})}"
    written = define("\n    ".join([f"def advance({arguments}):", *lines, end]), names, "a test")
    assert [bits(written(*case)) for case in cases] == numbers


def test_division_by_zero_is_that_of_ieee() -> None:
    assert bits(ops.divide(1.0, -0.0)) == bits(-inf)
    assert bits(ops.divide(-1.0, 0.0)) == bits(-inf)
    assert bits(ops.divide(0.0, 0.0)) == "nan"


def test_the_lowest_of_a_window_with_a_nan_is_nan() -> None:
    assert math.isnan(ops.lowest((1.0, nan, 0.5)))
    assert math.isnan(ops.lowest((nan, 1.0, 0.5)))
    assert ops.lowest((1.0, 0.25, 0.5)) == 0.25


def test_where_takes_windows_and_states() -> None:
    lanes = np.array([True, False])
    chosen = ops.where(lanes, (1.0, (2.0,)), (3.0, (4.0,)))
    assert chosen[0].tolist() == [1.0, 3.0]
    assert chosen[1][0].tolist() == [2.0, 4.0]


def test_an_operation_of_one_s_own_needs_no_name_in_numpy_to_run_on_many_runs() -> None:
    halved = ops.Operation(lambda value: value / 2)

    class Halved(es.Rule):
        monitor: str

        def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
            return state, halved(metrics[self.monitor]) < halved(halved(4.0))

    curve = [3.0, 2.5, 1.75, 1.0]
    history = es.History.from_runs(
        [{"loss": curve[shift:]} for shift in (0, 1, 2) for _ in "ab"] * 9
    )
    assert es.replay(Halved("loss"), history).epochs.tolist() == [3, 3, 2, 2, 1, 1] * 9
