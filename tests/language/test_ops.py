"""Every operation: the same on numbers, on arrays, and in generated code."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.engine.scalar import compile_scalar
from earlystop.engine.source import Names, define, expression, operand_text
from earlystop.language import ops
from earlystop.language.tape import Ref, Trace
from earlystop.language.tracing import Traced, kind_of, operand_of
from tests.support.random_rules import rules_with_a_dtype

nan, inf = math.nan, math.inf
VALUES = [0.0, -0.0, 1.0, -1.0, 2.5, 5e-324, 1e308, nan, inf, -inf]
# The largest float32, where rounding turns infinite, the smallest of each kind, and ties.
_LARGEST, _SMALLEST = (2 - 2**-23) * 2.0**127, 2.0**-149
NEAR_FLOAT32 = [_LARGEST, _LARGEST + 2.0**102, _LARGEST + 2.0**103, -_LARGEST - 2.0**103, 1e39]
NEAR_FLOAT32 += [_SMALLEST, _SMALLEST / 2, _SMALLEST * 0.75, 2.0**-126, 2.0**-126 * (1 - 2**-24)]
NEAR_FLOAT32 += [1 + 2**-24, 1 + 3 * 2**-24, 1 - 1e-9, 0.1, 2**24 + 1.0]
WINDOWS = list(itertools.product([0.0, -1.0, 0.1, nan, inf], repeat=3))

OPERATIONS: dict[str, tuple[Callable[..., Any], list[tuple[Any, ...]]]] = {
    "where": (ops.where, [(c, a, b) for c in (True, False) for a, b in itertools.pairwise(VALUES)]),
    "invert": (ops.invert, [(True,), (False,)]),
    "isfinite": (ops.isfinite, [(a,) for a in VALUES]),
    "isnan": (ops.isnan, [(a,) for a in VALUES]),
    "absolute": (ops.absolute, [(a,) for a in VALUES]),
    "divide": (ops.divide, list(itertools.product(VALUES, VALUES))),
    "as_float32": (ops.as_float32, [(a,) for a in [*VALUES, *NEAR_FLOAT32]]),
    "sqrt": (ops.sqrt, [(a,) for a in VALUES]),
    "better": (lambda a, b: ops.better(a, b, "min"), list(itertools.product(VALUES, VALUES))),
    "improves": (
        lambda a, b: ops.improves(a, b, "max", 0.5),
        list(itertools.product(VALUES, VALUES)),
    ),
    "improves in float32": (
        lambda a, b: ops.improves(a, b, "min", 0.0, "float32"),
        list(itertools.product([*VALUES, *NEAR_FLOAT32], repeat=2)),
    ),
    "push": (lambda *w: ops.push(w[:3], w[3])[2], [(*w, 7.0) for w in WINDOWS]),
    "total": (lambda *w: ops.total(w), WINDOWS),
    "lowest": (lambda *w: ops.lowest(w), WINDOWS),
    "deviation": (lambda *w: ops.deviation(w), WINDOWS),
}


def bits(value: Any) -> str:
    return "nan" if value != value else float(value).hex()


def test_every_operation_of_the_library_is_in_the_table() -> None:
    named = {name for name in ops.__all__ if isinstance(getattr(ops, name), ops.Operation)}
    assert len(named) > 9
    assert named <= set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_numbers_arrays_and_generated_code_agree_to_the_last_bit(name: str) -> None:
    operation, cases = OPERATIONS[name]
    numbers = [bits(operation(*case)) for case in cases]
    columns = [np.array(column) for column in zip(*cases, strict=True)]
    with np.errstate(all="ignore"):
        arrays = operation(*columns)
    assert [bits(value) for value in np.broadcast_to(arrays, len(cases))] == numbers
    trace, names = Trace(), Names()
    refs = [Ref(f"a{i}", kind_of(trace, x)) for i, x in enumerate(cases[0])]
    result = operation(*(Traced(trace, ref) for ref in refs))
    lines = [f"{line.result.name} = {expression(line, {}, names)}" for line in trace.lines]
    arguments = ", ".join(ref.name for ref in refs)
    end = f"return {operand_text(operand_of(trace, result), {})}"
    written = define("\n    ".join([f"def advance({arguments}):", *lines, end]), names, "a test")
    assert [bits(written(*case)) for case in cases] == numbers


@given(st.floats())
def test_rounding_to_float32_is_that_of_numpy(value: float) -> None:
    with np.errstate(all="ignore"):
        expected = bits(np.float32(value))
    assert bits(ops.as_float32(value)) == expected
    assert bits(ops.as_float32(np.array([value]))[0]) == expected


@given(st.floats(), st.floats())
def test_rounding_to_float32_keeps_the_order(a: float, b: float) -> None:
    if a <= b:
        assert ops.as_float32(a) <= ops.as_float32(b)


@given(st.floats(width=32))
def test_a_float32_is_rounded_to_itself(value: float) -> None:
    assert bits(ops.as_float32(value)) == bits(value)


def test_rounding_beyond_float32_is_infinite_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ops.as_float32(np.array([1e39, -1e39, 1e-60])).tolist() == [inf, -inf, 0.0]
    assert [ops.as_float32(value) for value in (1e39, -1e39, 1e-60)] == [inf, -inf, 0.0]


@pytest.mark.parametrize("rule", rules_with_a_dtype())
def test_a_comparison_in_float64_rounds_nothing(rule: es.Rule) -> None:
    called = [
        " ".join(compile_scalar((each, es.Never()), "raise").__code__.co_names)
        for each in (rule, rule.replace(dtype="float32"))
    ]
    assert ["float32" in names for names in called] == [False, True]


def test_division_by_zero_is_that_of_ieee() -> None:
    assert bits(ops.divide(1.0, -0.0)) == bits(-inf)
    assert bits(ops.divide(-1.0, 0.0)) == bits(-inf)
    assert bits(ops.divide(0.0, 0.0)) == "nan"


def test_the_lowest_of_a_window_with_a_nan_is_nan() -> None:
    assert math.isnan(ops.lowest((1.0, nan, 0.5)))
    assert math.isnan(ops.lowest((nan, 1.0, 0.5)))
    assert ops.lowest((1.0, 0.25, 0.5)) == 0.25


def test_where_takes_windows_and_states() -> None:
    mask = np.array([True, False])
    chosen = ops.where(mask, (1.0, (2.0,)), (3.0, (4.0,)))
    assert chosen[0].tolist() == [1.0, 3.0]
    assert chosen[1][0].tolist() == [2.0, 4.0]


def test_a_user_s_operation_needs_no_name_in_numpy_to_run_on_many_runs() -> None:
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
