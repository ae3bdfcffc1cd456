"""Counts by leading bits: what is added in any order gives the same quantiles, near the true."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from earlystop.replaying.binned import Binned

VALUES = st.lists(st.floats(allow_subnormal=False), max_size=60)
APART = st.sampled_from([0, 1, 5, 200])


def binned(*parts: list[float], apart: int = 0) -> Binned:
    total = Binned(apart)
    for part in parts:
        own = Binned(apart)
        own.add(np.array(part))
        total.merge(own)
    return total


@given(VALUES, VALUES, VALUES, st.floats(0, 1), APART)
def test_the_order_in_which_numbers_are_added_does_not_matter(
    one: list[float], two: list[float], three: list[float], q: float, apart: int
) -> None:
    whole = binned([*one, *two, *three], apart=apart).at_least(q)
    np.testing.assert_equal(binned(three, one, two, apart=apart).at_least(q), whole)


@given(VALUES, st.floats(0, 1), APART)
def test_a_quantile_is_one_of_the_numbers_at_most_half_a_per_cent_off(
    values: list[float], q: float, apart: int
) -> None:
    known = sorted(value for value in values if value == value)
    found = binned(values, apart=apart).at_least(q)
    if not known:
        assert np.isnan(found)
        return
    exact = known[int(np.ceil(q * (len(known) - 1)))]
    assert found in known
    if len({*known}) <= apart:
        assert found == exact
    assert found == exact or abs(found - exact) <= 0.0045 * abs(exact)


@given(st.lists(st.integers(0, 512), min_size=1, max_size=60), st.floats(0, 1))
def test_whole_numbers_up_to_512_are_exact(values: list[int], q: float) -> None:
    found = binned([float(value) for value in values]).quantile(q)
    assert found == np.quantile(np.array(values, float), q) or np.isclose(
        found, np.quantile(np.array(values, float), q), rtol=1e-12
    )
