"""A model's weights, under its own names whatever wraps it: saved, loaded, and copied in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch.nn.parameter import is_lazy

from earlystop.engine.decision import Place
from earlystop.errors import CheckpointError, CheckpointWarning, StateError, warn_caller

__all__ = [
    "BestInMemory",
    "ModelWeights",
    "check_weights",
    "load_weights",
    "own_name",
    "unwrapped",
    "weights_of",
]

_COMPILED = "_orig_mod."  # the prefix that torch.compile adds to names


class ModelWeights(NamedTuple):
    """A model, and the weights to load into it.

    label: says which one it is, at the beginning of an error.
    """

    model: torch.nn.Module
    weights: Any
    label: str = ""


def unwrapped(model: torch.nn.Module) -> torch.nn.Module:
    """The model itself, without the wrappers of torch.compile and data parallelism.

    >>> model = torch.nn.Linear(1, 1)
    >>> unwrapped(torch.compile(model)) is model
    True
    """
    while True:
        inner = getattr(model, "_orig_mod", None)  # torch.compile's
        if isinstance(model, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
            inner = model.module
        if not isinstance(inner, torch.nn.Module):
            return model
        model = inner


def weights_of(model: torch.nn.Module) -> dict[str, Any]:
    """The state of a model, under names without the prefixes of torch.compile."""
    weights: dict[str, Any] = model.state_dict()
    if any(_COMPILED in name for name in weights):
        for name in list(weights):  # all of them, to keep their order
            weights[own_name(name)] = weights.pop(name)
    return weights


def own_name(name: str) -> str:
    """The name of a weight without the prefixes of torch.compile."""
    return name.replace(_COMPILED, "")


def load_weights(models: Sequence[ModelWeights], undo: ExitStack) -> Callable[[], None]:
    """Check weights from `weights_of`, and load those into models whose loading may fail half-way.

    Returns a function that loads the others, which load as PyTorch's own modules do: that cannot
    fail, so no copy of their weights is needed.

    undo: is given what takes back the models that were loaded.

    Raises StateError for the weights of another model.
    """
    check_weights(models)
    plain = [each for each in models if _loads_plainly(each.model)]
    for each in models:
        if not _loads_plainly(each.model):
            _will_take_back(each.model, undo)
            _load(each)

    def load_plain() -> None:
        for each in plain:
            _load(each)

    return load_plain


def _load(each: ModelWeights) -> None:
    weights = each.weights
    own = {own_name(name): name for name in each.model.state_dict()}
    if any(name != of_compiled for name, of_compiled in own.items()):
        weights = {own.get(name, name): value for name, value in weights.items()}
    try:
        each.model.load_state_dict(weights)
    except Exception as error:
        raise StateError(f"{each.label}its weights are not of this model: {error}") from error


def check_weights(models: Sequence[ModelWeights]) -> None:
    """Raise StateError for the weights of another model, as far as that can be known beforehand."""
    for each in models:
        problem = _misfit(each.model, each.weights) if _loads_plainly(each.model) else ""
        if problem:
            raise StateError(f"{each.label}its weights are not of this model: {problem}")


def _loads_plainly(model: torch.nn.Module) -> bool:
    return all(_is_plain(module) for module in model.modules())


def _will_take_back(model: torch.nn.Module, undo: ExitStack) -> None:
    state: Any = model.state_dict()
    known = [name for name, value in state.items() if not is_lazy(value)]
    if len(known) == len(state):
        undo.callback(model.load_state_dict, copied(state))
    else:  # what has no value yet cannot lose one
        before = {name: copied(state[name]) for name in known}
        undo.callback(model.load_state_dict, before, strict=False)


def _misfit(model: torch.nn.Module, weights: Any) -> str:
    """Why weights are not of this model: other names, shapes or types; "" if they are."""
    own = weights_of(model)
    if not isinstance(weights, dict):
        return f"they should be a dict of tensors, got {weights!r:.80}"
    lacking = [name for name in own if name not in weights]
    if lacking:
        return f"{_some(lacking)} of the model was not saved"
    foreign = [name for name in weights if name not in own]
    if foreign:
        return f"the model has no {_some(foreign)}, which was saved"
    problems = ((name, _difference(own[name], weights[name])) for name in own)
    return next((f"{name} {problem}" for name, problem in problems if problem), "")


def _difference(own: Any, saved: Any) -> str:
    if not isinstance(own, torch.Tensor) or is_lazy(own):  # the extra state of a module
        return ""
    if not isinstance(saved, torch.Tensor):
        return f"should be a tensor, saved was {saved!r:.80}"
    if own.is_nested or saved.is_nested:  # have no shape
        return ""
    if own.shape != saved.shape:
        return f"has shape {tuple(own.shape)}, saved was {tuple(saved.shape)}"
    if own.dtype is not saved.dtype:
        kind, of_saved = (str(each.dtype).removeprefix("torch.") for each in (own, saved))
        return f"has type {kind}, saved was {of_saved}: convert the model by `model.to(...)`"
    return ""


def _some(names: list[Any]) -> str:
    return ", ".join(map(str, names[:3])) + (f" and {len(names) - 3} more" if names[3:] else "")


def _is_plain(module: torch.nn.Module) -> bool:
    """Whether a module loads its state as PyTorch does, so that what fits is known before."""
    hooks = ("_state_dict_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks")
    if any(getattr(module, name, None) for name in hooks):
        return False
    methods = ("state_dict", "load_state_dict", "_load_from_state_dict", "set_extra_state")
    homes = (getattr(type(module), name).__module__ for name in methods)
    return all(home.startswith(("torch.nn.modules.", "torch.nn.parallel.")) for home in homes)


class BestInMemory:
    """A copy of the best weights, and the memory of the previous copy, which the next one reuses.

    A copy becomes the best only when it is complete, so an interrupted copy does no harm. Reusing
    memory saves more time than the copying itself takes.

    weights: the best weights; None before the first.
    to_cpu: whether to keep them on the CPU instead of the model's device.
    """

    def __init__(self, to_cpu: bool) -> None:
        # The best and what the next copy may write over: in one, as an interrupt between the two
        # would leave the best to be written over.
        self._both: tuple[dict[str, Any] | None, dict[str, Any] | None] = (None, None)
        self._to_cpu = to_cpu

    @property
    def weights(self) -> dict[str, Any] | None:
        return self._both[0]

    @weights.setter
    def weights(self, weights: dict[str, Any] | None) -> None:
        self._both = weights, None

    def take(self, weights: dict[str, Any]) -> None:
        """Copy these weights as the best."""
        earlier, spare = self._both
        self._both = earlier, None
        best = copied(weights, spare, self._to_cpu)
        self._both = best, earlier if self._to_cpu else None  # memory on a device is freed instead

    def read_best(self, place: Place | None) -> dict[str, Any]:
        """The weights as the entry "model" of a file; None without a best.

        place: where the best stands as the stopper knows it.

        Raises CheckpointError if that is of a time before these weights were kept.
        """
        if self.weights is None and place is not None:
            raise CheckpointError(
                f"the best, {place}, is not in memory: this Training has not seen it, and it "
                "was in no file that was loaded"
            )
        return {"model": self.weights, "parts": {}}

    def resume(self, weights: dict[str, Any] | None, place: Place | None) -> None:
        """Go on with the best weights of a file; warn now if it does not have them.

        place: where the best stands as the stopper knows it.
        """
        self.weights = weights
        if self.weights is None and place is not None:
            warn_caller(
                f"the best of this run, {place}, is not in the file: it was lost before the "
                "file was saved. `restore_best` fails until an epoch is better",
                CheckpointWarning,
            )


def copied(value: Any, spare: Any = None, to_cpu: bool = False) -> Any:
    """A copy of a state, dicts in dicts and all, in the memory of another one where it fits."""
    if isinstance(value, torch.Tensor):
        if _fits(spare, value):
            return spare.copy_(value.detach() if value.requires_grad else value)
        return value.detach().to("cpu" if to_cpu else None, copy=True)
    if not isinstance(value, dict):
        return copy.deepcopy(value)
    same = type(spare) is type(value) and list(spare) == list(value)
    copies = spare if same else copy.copy(value)  # with the attributes, such as _metadata
    if same and hasattr(value, "__dict__"):
        copies.__dict__.clear()
        copies.__dict__.update(value.__dict__)
    for name, each in value.items():
        copies[name] = copied(each, spare[name] if same else None, to_cpu)
    return copies


def _fits(spare: Any, value: Any) -> bool:
    """Whether the memory of one value can hold the other."""
    return (
        isinstance(spare, torch.Tensor)
        and type(spare) is type(value)
        and spare.dtype is value.dtype
        and spare.layout is value.layout is torch.strided
        and not value.is_nested  # has no shape
        and spare.shape == value.shape
        and not spare.is_quantized
        and (not spare.is_inference() or torch.is_inference_mode_enabled())
    )
