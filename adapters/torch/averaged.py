"""An average of a model's weights (EMA, SWA), which is validated, kept and restored for the model.

A file has the averaged weights as "model", under the model's own names, and the weights in training
as the state of a part, "averaged".
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch

from earlystop.errors import RuleError, RuleTypeError, StateError

from .weights import own_name, unwrapped, weights_of

__all__ = ["Averaged", "averages_of", "weights_in_training"]

PART = "averaged"


class Averaged:
    """The averaged weights of a model, and, as a part of a training, what else it needs to resume.

    average: holds a copy of each of the model's weights, and has `state_dict` and
        `load_state_dict`: an `AveragedModel`, or another module with a copy of the model.
    model: the model, without wrappers.

    Raises RuleTypeError for an object without a state, RuleError for one that does not hold the
    model's weights exactly once.

    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> average = torch.optim.swa_utils.AveragedModel(model)
    >>> list(average.state_dict()), list(Averaged(average, model).weights())
    (['n_averaged', 'module.weight'], ['weight'])
    """

    def __init__(self, average: Any, model: torch.nn.Module) -> None:
        self.average = unwrapped(average) if isinstance(average, torch.nn.Module) else average
        self.model = model
        methods = ("state_dict", "load_state_dict")
        if not all(callable(getattr(self.average, method, None)) for method in methods):
            raise RuleTypeError(
                "`Training(averaged=...)` must have `state_dict` and `load_state_dict`, such as "
                f"torch.optim.swa_utils.AveragedModel(model), got {average!r:.80}"
            )
        own = weights_of(model)
        state = self.average.state_dict()
        self._prefix = _prefix_of(own, state)
        for name, key in self._keys(state).items():
            shapes = [getattr(value, "shape", None) for value in (own[name], state[key])]
            if shapes[0] != shapes[1]:
                raise RuleError(
                    f"`Training(averaged=...)` is no average of this model: its {name} has the "
                    f"shape {shapes[1]}, that of the model {shapes[0]}"
                )

    def weights(self) -> dict[str, Any]:
        """The averaged weights, under the model's own names."""
        state = self.average.state_dict()
        weights: OrderedDict[str, Any] = OrderedDict(
            (name, state[key]) for name, key in self._keys(state).items()
        )
        versions = getattr(state, "_metadata", None)  # of the modules, by their names
        if versions is not None:
            whole = {own_name(name) + "." if name else "": of for name, of in versions.items()}
            length = len(self._prefix)
            weights._metadata = OrderedDict(  # type: ignore[attr-defined]  # as PyTorch keeps it
                (name[length:-1], of) for name, of in whole.items() if name.startswith(self._prefix)
            )
        return weights

    def state_dict(self) -> dict[str, Any]:
        """The weights of the model in training, and what the average holds besides weights."""
        state = self.average.state_dict()
        averaged = set(self._keys(state).values())
        rest = {own_name(key): value for key, value in state.items() if key not in averaged}
        return {"weights": weights_of(self.model), "rest": rest}

    def state_with(self, weights: Any, saved: Mapping[str, Any] | None) -> Any:
        """The state of the average for these averaged weights, to be loaded into it.

        saved: a `state_dict()` whose other entries to take; None to leave those as they are.

        Raises StateError for weights of another model, and for what is no `state_dict()`.
        """
        state = copy.copy(self.average.state_dict())
        keys = self._keys(state)
        if not isinstance(weights, Mapping) or set(keys) != set(weights):
            raise StateError("the averaged weights are not of this model")
        rest = {} if saved is None else dict(saved["rest"])
        by_own_name = {own_name(key): key for key in state}
        given = {**{self._prefix + name: value for name, value in weights.items()}, **rest}
        for name, value in given.items():
            state[by_own_name.get(name, name)] = value
        if isinstance(self.average, torch.nn.Module):  # whose weights are loaded by own names
            for key in list(state):
                state[own_name(key)] = state.pop(key)
        return state

    def _keys(self, state: Mapping[str, Any]) -> dict[str, str]:
        """Where the average has each of the model's weights."""
        by_name = {own_name(key): key for key in state}
        return {name: by_name[self._prefix + name] for name in weights_of(self.model)}


def averages_of(averaged: Any, model: Any) -> dict[str, Averaged]:
    """The averages of a training, by the names of their parts.

    averaged: the average of the model; of several models, a dict of averages by their names.
    """
    if averaged is None:
        return {}
    if not isinstance(model, Mapping):
        return {PART: Averaged(averaged, model)}
    if not isinstance(averaged, Mapping) or not averaged or not set(averaged) <= set(model):
        raise RuleTypeError(
            "`Training(averaged=...)` must be a dict of averages by the names of their models, "
            f"{', '.join(model)}; got {averaged!r:.80}"
        )
    return {f"{PART}.{name}": Averaged(average, model[name]) for name, average in averaged.items()}


def weights_in_training(saved: Any) -> Any:
    """The weights of the model in `Averaged.state_dict()`. Raises StateError for something else."""
    if not isinstance(saved, Mapping) or set(saved) != {"weights", "rest"}:
        raise StateError("what was saved as `averaged` is no average of a Training")
    return saved["weights"]


def _prefix_of(own: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """What stands before the model's own names in the state of an average."""
    found = {own_name(key) for key in state}
    first = next(iter(own), "")
    ends = (name[: len(name) - len(first)] for name in found if name.endswith(first))
    prefixes = [prefix for prefix in ends if all(prefix + name in found for name in own)]
    if len(prefixes) == 1 and own:
        return prefixes[0]
    if not prefixes or not own:
        raise RuleError(
            "`Training(averaged=...)` is no average of this model: its state has "
            f"{_listed(found)}, the model {_listed(own)}"
        )
    raise RuleError(
        "`Training(averaged=...)` holds several copies of the model, as "
        f"{', '.join(sorted(map(repr, prefixes)))}: pass the one that you validate"
    )


def _listed(names: Any) -> str:
    some = sorted(names)
    return ", ".join(some[:5]) + (", ..." if len(some) > 5 else "") if some else "nothing"
