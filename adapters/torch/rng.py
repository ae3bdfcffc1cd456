"""The state of all random generators that a training may use: Python's, NumPy's, PyTorch's."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch

from earlystop.engine.ranks import Ranks
from earlystop.errors import StateError

__all__ = ["load_random_state", "random_state", "set_random_state"]


def random_state() -> dict[str, Any]:
    """The state of every generator, in plain types and tensors; NumPy's only if it is loaded."""
    state: dict[str, Any] = {"python": random.getstate(), "torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    if "numpy" in sys.modules:
        kind, keys, *rest = sys.modules["numpy"].random.get_state()
        state["numpy"] = [kind, keys.tolist(), *rest]
    return state


def load_random_state(states: Any, ranks: Ranks, undo: ExitStack) -> None:
    """Restore the state of this rank from those of all ranks.

    undo: is given what takes the generators back to where they were.

    Raises StateError unless a state was saved for every rank, and for one that is damaged.
    """
    if states is None or len(states) != ranks.size:
        saved = "no" if states is None else f"{len(states)} ranks'"
        raise StateError(
            f"`Training(rng=True)`: the run saved {saved} random state, and this is one of "
            f"{ranks.size}; pass rng=False to resume without it"
        )
    undo.callback(set_random_state, random_state())
    try:
        set_random_state(states[ranks.rank])
    except Exception as error:
        raise StateError(f"its random state is damaged: {type(error).__name__}: {error}") from error


def set_random_state(state: Mapping[str, Any]) -> None:
    """Restore a `random_state`; generators of devices that this machine lacks are skipped."""
    version, keys, gauss = state["python"]
    random.setstate((version, tuple(keys), gauss))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
    if "numpy" in state:
        import numpy

        kind, keys, *rest = state["numpy"]
        numpy.random.set_state((kind, numpy.array(keys, dtype=numpy.uint32), *rest))
