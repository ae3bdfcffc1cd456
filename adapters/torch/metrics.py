"""Metrics in PyTorch loops: numbers, and tensors on any device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from earlystop.engine.metrics import as_floats

__all__ = ["numbers"]


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as floats; 0-d tensors are transferred from their device all at once.

    Raises MetricError for a value that is not one real number.

    >>> numbers({"loss": torch.tensor(0.5), "accuracy": 1, "lr": torch.tensor(0.25)})
    {'loss': 0.5, 'accuracy': 1.0, 'lr': 0.25}
    """
    values: dict[str, Any] = dict(metrics)
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
