"""Short names of many things stay apart, whatever they are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from earlystop._text import distinct_names, shared_parts

NAMES = st.lists(st.text("ab/\\_0", max_size=12), min_size=1, max_size=8, unique=True)


@given(NAMES, st.integers(4, 14))
def test_short_names_are_as_many_and_short_enough(names: list[str], most: int) -> None:
    short = distinct_names(names, most)
    assert len(short) == len(names)
    assert max(map(len, short)) <= most + len(" (9)")


@given(NAMES)
def test_what_all_names_share_is_theirs_and_leaves_something_of_each(names: list[str]) -> None:
    start, end = shared_parts(names)
    for name in names:
        assert name.startswith(start)
        assert name.endswith(end)
        assert len(start) + len(end) <= len(name)
    if len(names) == 1:
        assert (start, end) == ("", "")


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=30, unique=True), st.integers(0, 80))
def test_numbered_runs_in_like_folders_stay_apart(numbers: list[int], wide: int) -> None:
    names = [f"runs/{'x' * wide}-{number}-{'y' * wide}/metrics.csv" for number in numbers]
    assert len(set(distinct_names(names, 24))) == len(names)
