"""The frameworks' own classes beside our presets, on random curves and settings.

`pytest --hypothesis-profile=many` looks at 3,000 curves each, as does
`python -m benchmarks.agreement.peers`, which prints a table and knows some that tests do not
install.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.driven import DRIVEN, GO_ON, difference, random_curve

NOT_INSTALLED = {"ray", "ultralytics"}
INSTALLED = [name for name in DRIVEN if name.partition(".")[0] not in NOT_INSTALLED]


@pytest.mark.filterwarnings("ignore")  # of what is not finite, in their arithmetic
@pytest.mark.parametrize("name", INSTALLED)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_framework_s_class_decides_as_our_preset(name: str, seed: int) -> None:
    chance = random.Random(seed)
    curve = random_curve(chance)
    case = DRIVEN[name](chance, curve)
    found = difference(case, curve, goes_on=name in GO_ON)
    assert not found or case.differs, curve
