"""A model's weights, under its own names whatever wraps it: saved, loaded, and copied in memory."""

from __future__ import annotations

import copy
from typing import Any

import torch

from earlystop.errors import RuleError, StateError

__all__ = ["BestInMemory", "check_not_sharded", "load_weights", "unwrapped", "weights_of"]

_COMPILED = "_orig_mod."  # the prefix that torch.compile adds to names


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


def check_not_sharded(model: torch.nn.Module) -> None:
    """Raise RuleError for a model of which this process holds only a part."""
    flat = any(hasattr(module, "_fsdp_wrapped_module") for module in model.modules())
    for name, parameter in model.named_parameters():
        if flat or hasattr(parameter, "full_tensor"):
            raise RuleError(
                f"`Training(model)`: {name} is sharded over the ranks; rank 0, which writes, has "
                "only a part of it"
            )


def weights_of(model: torch.nn.Module) -> dict[str, Any]:
    """The state of a model, under names without the prefixes of torch.compile."""
    weights: dict[str, Any] = model.state_dict()
    if any(_COMPILED in name for name in weights):
        for name in list(weights):  # all of them, to keep their order
            weights[name.replace(_COMPILED, "")] = weights.pop(name)
    return weights


def load_weights(model: torch.nn.Module, weights: dict[str, Any]) -> None:
    """Load weights from `weights_of` into a model. Raises StateError for those of another model."""
    own = {name.replace(_COMPILED, ""): name for name in model.state_dict() if _COMPILED in name}
    if own:
        weights = {own.get(name, name): value for name, value in weights.items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise StateError(f"its weights are not of this model: {error}") from None


class BestInMemory:
    """A copy of the best weights, and the memory of the previous copy, which the next one reuses.

    A copy becomes the best only when it is complete, so an interrupted copy does no harm. Reusing
    memory saves more time than the copying itself takes.

    weights: the best weights; None before the first.
    to_cpu: whether to keep them on the CPU instead of the model's device.
    """

    def __init__(self, to_cpu: bool) -> None:
        self.weights: dict[str, Any] | None = None
        self._spare: dict[str, Any] | None = None
        self._to_cpu = to_cpu

    def take(self, weights: dict[str, Any]) -> None:
        """Copy these weights as the best."""
        spare, self._spare = self._spare, None
        if spare is None or type(spare) is not type(weights) or list(spare) != list(weights):
            spare = copy.copy(weights)  # with the attributes of a state_dict, such as _metadata
            for name, value in weights.items():
                spare[name] = self._copy(value)
        else:
            self._overwrite(spare, weights)
        if self._to_cpu:  # memory on a device is freed instead
            self._spare = self.weights
        self.weights = spare

    def _overwrite(self, spare: dict[str, Any], weights: dict[str, Any]) -> None:
        if hasattr(weights, "__dict__"):
            spare.__dict__.clear()
            spare.__dict__.update(weights.__dict__)
        for name, value in weights.items():
            if _fits(spare[name], value):
                spare[name].copy_(value.detach() if value.requires_grad else value)
            else:
                spare[name] = self._copy(value)

    def _copy(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return copy.deepcopy(value)
        return value.detach().to("cpu" if self._to_cpu else None, copy=True)


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
