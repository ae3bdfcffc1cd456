"""What orbax's manager keeps of a run, and `Checkpoints` with the settings of its preset."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orbax import checkpoint

import earlystop as es

Mode = Literal["min", "max"]

curves = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1e30]), min_size=1, max_size=6)


def kept_by_orbax(curve: list[float], most: int, mode: Mode) -> list[int]:
    known: Any = checkpoint
    with tempfile.TemporaryDirectory() as folder:
        options = known.CheckpointManagerOptions(
            max_to_keep=most,
            best_fn=lambda metrics: metrics["loss"],
            best_mode=mode,
            enable_async_checkpointing=False,
        )
        with known.CheckpointManager(folder, options=options) as manager:
            for epoch, value in enumerate(curve):
                saved = known.args.StandardSave({"weight": np.zeros(1)})
                manager.save(epoch, args=saved, metrics={"loss": value})
            return sorted(manager.all_steps())


def kept_by_ours(curve: list[float], most: int, mode: Mode) -> list[int]:
    with tempfile.TemporaryDirectory() as folder:
        policy: dict[str, Any] = {"ties": "later", "keep_last": 0, "keep_best": most}
        with es.Checkpoints(folder, monitor="loss", mode=mode, **policy) as checkpoints:
            for epoch, value in enumerate(curve):
                checkpoints.save(_write, epoch=epoch, metrics={"loss": value})
            return [int(entry.epoch) for entry in checkpoints.entries if entry.epoch is not None]


def _write(path: Path) -> None:
    path.touch()


@given(curve=curves, most=st.integers(1, 3), mode=st.sampled_from(["min", "max"]))
@settings(max_examples=25, deadline=None)
def test_what_orbax_keeps_is_kept(curve: list[float], most: int, mode: Mode) -> None:
    assert kept_by_ours(curve, most, mode) == kept_by_orbax(curve, most, mode)


@pytest.mark.parametrize(("curve", "best"), [([3.0, math.nan, 1.0], 0), ([2.0, math.nan, 1.0], 0)])
def test_differs_a_nan_is_never_among_the_best_where_orbax_may_delete_the_best(
    curve: list[float], best: int
) -> None:
    assert kept_by_ours(curve, 1, "max") == [best]
    assert kept_by_orbax(curve, 1, "max") != [best]


def test_differs_an_infinity_on_the_wrong_side_is_never_among_the_best() -> None:
    assert kept_by_ours([math.inf], 1, "min") == []
    assert kept_by_orbax([math.inf], 1, "min") == [0]
