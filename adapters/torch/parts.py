"""The parts saved next to the model, by name: optimizers, schedulers, generators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from earlystop.errors import RuleTypeError, StateError

from .weights import unwrapped

__all__ = ["check_names", "checked_parts", "load_states", "states_of"]


def checked_parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a training, by name; models among them are unwrapped.

    Raises RuleTypeError for a part without a state.
    """
    return {name: _checked(name, part) for name, part in parts.items()}


def _checked(name: str, part: Any) -> Any:
    if isinstance(part, torch.nn.Module):
        return unwrapped(part)
    methods = ("state_dict", "load_state_dict")
    has_state = all(callable(getattr(part, method, None)) for method in methods)
    if not has_state and not isinstance(part, torch.Generator):
        raise RuleTypeError(
            f"`Training({name}=...)` must have `state_dict` and `load_state_dict`, or be a "
            f"torch.Generator, got {part!r:.80}"
        )
    return part


def check_names(parts: Mapping[str, Any], states: Mapping[str, Any], where: str) -> None:
    """Raise StateError for saved states that are not of these parts."""
    if set(states) != set(parts):
        raise StateError(
            f"the run {where} saved {_listed(states)} next to the model, this Training has "
            f"{_listed(parts)}: pass the same to resume"
        )


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(map(str, names))) or "nothing"


def states_of(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The state of every part."""
    return {
        name: part.get_state() if isinstance(part, torch.Generator) else part.state_dict()
        for name, part in parts.items()
    }


def load_states(parts: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    """Load every part's state."""
    for name, part in parts.items():
        if isinstance(part, torch.Generator):
            part.set_state(states[name])
        else:
            part.load_state_dict(states[name])
