"""Callbacks driven by hand, and the curves they are driven over."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.support.keras_runs import Model, train

nan, inf = math.nan, math.inf


def drive(
    callback: Any, curve: list[float | None], name: str = "m", first: int = 0, **more: float
) -> tuple[int, Model]:
    """A whole fit over the values of one metric, as in `train`; None is an epoch without it."""
    logs = [{**({} if value is None else {name: value}), **more} for value in curve]
    stop, model = train(callback, logs, first)
    callback.on_train_end()
    return stop, model


small = st.integers(-200, 200).map(lambda n: n / 64)
decimal = st.integers(-50, 50).map(lambda n: n / 10)  # ties at a min_delta of 0.1 up to rounding
any_float = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6)
value = small | decimal | any_float
curves = st.lists(value, min_size=1, max_size=40) | st.tuples(
    value, st.lists(value | st.sampled_from([nan, inf, -inf]), max_size=30)
).map(lambda made: [made[0], *made[1]])
modes = st.sampled_from(["min", "max"])


@contextlib.contextmanager
def printed() -> Iterator[io.StringIO]:
    """What is printed inside."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        yield output
