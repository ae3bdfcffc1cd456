"""The parts saved next to the model, by name: optimizers, schedulers, generators."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import torch

from earlystop.errors import RuleError, RuleTypeError, StateError, name_advice

from .optimizers import load_optimizer, scheduler_problem, will_take_back
from .weights import ModelWeights, unwrapped

__all__ = [
    "check_names",
    "checked_parts",
    "load_states",
    "models_of",
    "named_parts",
    "states_of",
]

WhichParts = bool | str | Collection[str]


def checked_parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a training, by name; models among them are unwrapped.

    Lists and dicts of parts are taken apart: `optimizers=[a, b]` are the parts "optimizers.0" and
    "optimizers.1". None is no part.

    Raises RuleTypeError for a part without a state, RuleError for two parts of one name.

    >>> generator = torch.Generator()
    >>> list(checked_parts({"rng": {"data": generator, "noise": generator}, "scheduler": None}))
    ['rng.data', 'rng.noise']
    """
    checked: dict[str, Any] = {}
    for argument, value in parts.items():
        for name, part in _taken_apart(argument, value):
            if name in checked:
                raise RuleError(f"`Training({argument}=...)`: there are two parts named {name!r}")
            checked[name] = unwrapped(part) if isinstance(part, torch.nn.Module) else part
    return checked


def _taken_apart(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if value is None:
        return
    if _has_state(value):
        yield name, value
    elif isinstance(value, (Mapping, list, tuple)):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, part in items:
            yield from _taken_apart(f"{name}.{key}", part)
    else:
        raise RuleTypeError(
            f"`Training({name}=...)` must have `state_dict` and `load_state_dict`, or be a "
            f"torch.Generator, or a list or dict of such parts, got {value!r:.80}"
        )


def _has_state(part: Any) -> bool:
    methods = ("state_dict", "load_state_dict")
    has_methods = all(callable(getattr(part, method, None)) for method in methods)
    return isinstance(part, torch.Generator) or (has_methods and not isinstance(part, type))


def named_parts(parts: Mapping[str, Any], which: WhichParts, call: str) -> dict[str, Any]:
    """The parts that are asked for: all, none, or those of these names.

    The name of a list or dict of parts stands for all of them.

    Raises RuleTypeError for anything else, RuleError for a name that no part has.

    >>> parts = {"optimizer.body": 1, "optimizer.head": 2, "scheduler": 3}
    >>> named_parts(parts, ["optimizer"], "restore_best")
    {'optimizer.body': 1, 'optimizer.head': 2}
    """
    if isinstance(which, bool):
        return dict(parts) if which else {}
    names = [which] if isinstance(which, str) else which
    if not isinstance(names, (list, tuple, set, frozenset)) or not all(
        isinstance(name, str) for name in names
    ):
        raise RuleTypeError(f"`{call}(parts=...)` must be True, False or names, got {which!r:.80}")
    for name in names:
        if not any(_is_of(part, name) for part in parts):
            advice = name_advice(name, parts, "parts")
            raise RuleError(f"`{call}(parts=...)`: no part is named {name!r}: {advice}")
    return {name: part for name, part in parts.items() if any(_is_of(name, each) for each in names)}


def _is_of(part: str, name: str) -> bool:
    return part == name or part.startswith(f"{name}.")


def check_names(parts: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    """Raise StateError for saved states that are not of these parts."""
    if set(states) != set(parts):
        raise StateError(
            f"it saved {_listed(states)} next to the model, this Training has {_listed(parts)}: "
            "pass the same to resume, or changed_parts=True to go on with those that both have"
        )


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(map(str, names))) or "nothing"


def states_of(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The state of every part."""
    return {
        name: part.get_state() if isinstance(part, torch.Generator) else part.state_dict()
        for name, part in parts.items()
    }


def load_states(parts: Mapping[str, Any], states: Mapping[str, Any], undo: ExitStack) -> None:
    """Load the state of every part that has one among these, but for models: see `models_of`.

    undo: is given what takes each part back to where it was.

    Raises StateError, which names the part, for a state that does not fit.
    """
    for name, part in parts.items():
        if name not in states or isinstance(part, torch.nn.Module):
            continue
        try:
            _load(part, states[name], undo)
        except Exception as error:
            known = isinstance(error, StateError)
            told = str(error) if known else f"{type(error).__name__}: {error}"
            raise StateError(
                f"the part {name!r} ({type(part).__name__}) does not fit what was saved: {told}"
            ) from error


def models_of(parts: Mapping[str, Any], states: Mapping[str, Any]) -> list[ModelWeights]:
    """The models among these parts, with the weights that were saved of them."""
    return [
        ModelWeights(part, states[name], f"the part {name!r}: ")
        for name, part in parts.items()
        if name in states and isinstance(part, torch.nn.Module)
    ]


def _load(part: Any, state: Any, undo: ExitStack) -> None:
    if isinstance(part, torch.Generator):
        undo.callback(part.set_state, part.get_state())
        part.set_state(state)
        return
    if isinstance(part, torch.optim.Optimizer):
        load_optimizer(part, state, undo)
        return
    problem = scheduler_problem(part, state)
    if problem:
        raise StateError(problem)
    will_take_back(part, undo)
    part.load_state_dict(state)
