"""Exact sums: what comes out does not depend on order, parts or rounding."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from earlystop.replaying.exact_sum import ExactSums
from earlystop.sweeping.totals import sums_over_ranges

AMOUNTS = st.one_of(
    st.floats(min_value=0, allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 5e-324, 2.0**-1022, 0.1, 1.0, 2.0**53, 1.7976931348623157e308]),
)


def mean(values: list[float], count: int) -> float:
    """The exact sum, divided and rounded once."""
    return float(sum(map(Fraction, values), Fraction(0)) / count) if count else math.nan


@given(values=st.lists(AMOUNTS, max_size=30), cut=st.integers(0, 30), count=st.integers(1, 10**9))
def test_a_mean_is_the_exact_sum_divided_and_rounded_once(
    values: list[float], cut: int, count: int
) -> None:
    sums = ExactSums(3)
    for part in (values[cut:], values[:cut]):
        sums.add(1, np.array(part, dtype=np.float64))
    if values:  # else there is nothing to be the mean of so many
        count = max(count, len(values))
    means = sums.means(np.array([0, count, 1]))
    assert math.isnan(means[0])
    assert means[1:].tolist() == [mean(values, count), 0.0]


@given(
    data=st.lists(
        st.tuples(st.integers(0, 8), st.integers(0, 8), AMOUNTS, st.booleans()), max_size=30
    )
)
def test_a_range_adds_its_value_to_every_sum_within_it(data: list[Any]) -> None:
    ranges = [(min(a, b), max(a, b), value) for a, b, value, _ in data]
    parts, other = [ExactSums(8), ExactSums(8)], ExactSums(8)
    for part, chosen in zip(parts, (False, True), strict=True):
        ours = [each for each, (*_, which) in zip(ranges, data, strict=True) if which is chosen]
        if ours:
            begin, end, values = map(np.array, zip(*ours, strict=True))
            part.add_ranges(begin, end, values)
    backwards = np.arange(8)[::-1]
    for part in parts:
        other.merge(part, backwards)
    counts = np.full(8, 30)
    found = other.means(counts)[::-1].tolist()
    wanted = [[v for begin, end, v in ranges if begin <= index < end] for index in range(8)]
    assert found == [mean(values, 30) for values in wanted]
    if ranges:
        begin, end, _ = map(np.array, zip(*ranges, strict=True))
        assert sums_over_ranges(begin, end, None, 8).tolist() == [len(each) for each in wanted]
