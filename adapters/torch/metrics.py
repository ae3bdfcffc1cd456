"""Metrics in PyTorch loops: numbers, and tensors on any device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from earlystop.engine.metrics import as_floats
from earlystop.errors import MetricError

__all__ = ["numbers"]


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as floats; 0-d tensors are transferred from their device all at once.

    Raises MetricError for a value that is not one real number.

    >>> numbers({"loss": torch.tensor(0.5), "accuracy": 1, "lr": torch.tensor(0.25)})
    {'loss': 0.5, 'accuracy': 1.0, 'lr': 0.25}
    """
    try:
        return _floats(dict(metrics))
    except MetricError:
        raise
    except Exception as error:
        for name, value in metrics.items():
            problem = _problem(value)
            if problem:
                raise MetricError(
                    f"the metric {name!r} must be one real number, got {problem}"
                ) from error
        raise


def _floats(values: dict[str, Any]) -> dict[str, float]:
    """These values, which are overwritten, as floats; PyTorch's own errors come out as they are."""
    on_device: dict[torch.device, list[str]] = {}
    is_plain = True
    for name, value in values.items():
        if type(name) is not str:
            is_plain = False
        if type(value) is float:
            continue
        number = value
        if isinstance(value, torch.Tensor) and not value.dim():
            if value.is_cpu:
                number = values[name] = value.item()
            elif not value.is_complex():
                on_device.setdefault(value.device, []).append(name)
        if type(number) is not float:
            is_plain = False
    for device, names in on_device.items():
        wide = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
        together = torch.stack([values[name].detach().to(wide) for name in names])
        values.update(zip(names, together.tolist(), strict=True))
    return values if is_plain else as_floats(values)


def _problem(value: Any) -> str:
    """Why a tensor has no value to take; "" for anything else.

    A tensor on a real device may fail for another reason, such as a kernel that failed before.
    """
    if is_lazy(value):
        return "a parameter that is not initialized yet, of a lazy module"
    if not isinstance(value, torch.Tensor):
        return ""
    if value.is_meta:
        return "a tensor on the meta device, which has a shape but no value"
    if value.is_nested:
        return "a nested tensor: reduce it to one number first"
    try:
        if value.is_cpu or hasattr(value, "fake_device"):  # a FakeTensor's
            value.item()
        else:
            value.untyped_storage()  # inside vmap it has none
    except RuntimeError as error:  # NotImplementedError is one
        return f"a {type(value).__name__} that has no value ({error})"
    return ""
