"""The state of all random generators that a training may use: Python's, NumPy's, PyTorch's."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from typing import Any

import torch

from earlystop.errors import StateError

__all__ = ["check_random_states", "random_state", "set_random_state"]


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


def check_random_states(states: list[Any] | None, ranks: int, where: str) -> None:
    """Raise StateError unless a random state was saved for every rank."""
    if states is None or len(states) != ranks:
        saved = "no" if states is None else f"{len(states)} ranks'"
        raise StateError(
            f"`Training(rng=True)`: the run {where} saved {saved} random state, and this is one of "
            f"{ranks}; pass rng=False to resume without it"
        )


def set_random_state(state: Mapping[str, Any]) -> None:
    """Restore a `random_state`; generators of devices that this machine lacks are skipped."""
    version, keys, gauss = state["python"]
    random.setstate((version, tuple(keys), gauss))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
    if "numpy" in state:
        import numpy

        kind, keys, *rest = state["numpy"]
        numpy.random.set_state((kind, numpy.array(keys, dtype=numpy.uint32), *rest))
