"""The files of Keras callbacks: paths with metrics in them, and weights as NumPy arrays."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from earlystop.checkpoints import format_name

__all__ = ["formatted_path", "read_weights", "write_weights"]


def formatted_path(template: str, values: Mapping[str, Any]) -> Path:
    """The path with its fields formatted; a field cannot add folders to it.

    Raises what `format_name` raises.

    >>> formatted_path("models/{epoch:02d}-{loss:.1f}.keras", {"epoch": 3, "loss": 0.5}).name
    '03-0.5.keras'
    """
    names = _split(template)
    return Path("".join(format_name(name, values) if "{" in name else name for name in names))


@functools.lru_cache(maxsize=64)
def _split(template: str) -> tuple[str, ...]:
    """The names in a path and their separators, except for separators inside fields."""
    return tuple(re.split(rf"([/{re.escape(os.sep)}])(?![^{{}}]*\}})", template))


def write_weights(path: Path, model: Any) -> None:
    """Write the weights of a model as an .npz file.

    Types that NumPy does not have, such as bfloat16, are written as the integers of their bits.
    """
    with open(path, "wb") as file:
        arrays = [np.asarray(array) for array in model.get_weights()]
        np.savez(file, *[x if x.dtype.isbuiltin else x.view(f"u{x.itemsize}") for x in arrays])


def read_weights(path: Path, model: Any) -> list[Any]:
    """The weights that `write_weights` wrote, in the types of this model's weights."""
    types = [np.asarray(array).dtype for array in model.get_weights()]
    with np.load(path, allow_pickle=False) as saved:
        return [saved[f"arr_{n}"].view(dtype) for n, dtype in enumerate(types)]
