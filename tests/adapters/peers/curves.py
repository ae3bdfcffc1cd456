"""Curves on which ours and a peer's must decide alike, and what ours decides on them."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

import earlystop as es

nan, inf = math.nan, math.inf

# Multiples of 1/64: float32, float64 and every form of the comparison agree on them exactly, so
# that ties and gains of exactly min_delta come up all the time.
grid = st.integers(-200, 200).map(lambda n: n / 64)

any_float = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6)

modes = st.sampled_from(["min", "max"])


def curves(values: st.SearchStrategy[float] = grid) -> st.SearchStrategy[list[float]]:
    """Curves up to 40 long: noise, and falling ones that turn."""
    falling = st.tuples(st.integers(1, 30), st.lists(grid, min_size=1, max_size=30)).map(
        lambda made: [3.0 - i / 64 + noise / 32 for i, noise in enumerate(made[1] * 2)]
    )
    return st.lists(values, min_size=1, max_size=40) | falling


def ours(rule: es.Rule, curve: list[float], save: es.Rule | None = None) -> tuple[int, list[int]]:
    """The epoch of the stop (-1: none), and the epochs saved."""
    stopper = es.Stopper(rule, save)
    saves = []
    for value in curve:
        decision = stopper.step({"loss": value})
        if decision.save:
            saves.append(decision.epoch)
        if decision.stop:
            return decision.epoch, saves
    return -1, saves


def patience(n: int, mode: str = "min", **settings: Any) -> es.Patience:
    return es.Patience("loss", n, mode=mode, **settings)
