"""The files of Keras callbacks: paths with metrics in them, and weights as NumPy arrays."""

from __future__ import annotations

import functools
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from earlystop.checkpoints import format_name, template_fields
from earlystop.errors import CheckpointError

__all__ = ["formatted_path", "path_fields", "read_weights", "write_weights"]


def formatted_path(template: str, values: Mapping[str, Any], missing: str | None = None) -> Path:
    """The path with its fields formatted; a field cannot add folders to it.

    missing: what is written for a field without a value; by default, it is an error.

    Raises what `format_name` raises.

    >>> formatted_path("models/{epoch:02d}-{loss:.1f}.keras", {"epoch": 3, "loss": 0.5}).name
    '03-0.5.keras'
    """
    names = _split(template)
    return Path("".join(format_name(x, values, missing) if "{" in x else x for x in names))


@functools.lru_cache(maxsize=64)
def path_fields(template: str) -> frozenset[str]:
    """The names of the values that a path asks for.

    Raises RuleError for text that is not a template.

    >>> sorted(path_fields("models/{epoch:02d}-{val_loss:.2f}.keras"))
    ['epoch', 'val_loss']
    """
    return frozenset(template_fields(template))


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
    """The weights that `write_weights` wrote, in the types of this model's weights.

    Raises CheckpointError for a file that is missing, damaged, or of another model.
    """
    kinds = [np.asarray(array) for array in model.get_weights()]
    try:
        with np.load(path, allow_pickle=False) as saved:
            if len(saved.files) != len(kinds):
                raise ValueError(f"it has {len(saved.files)} arrays, this model {len(kinds)}")
            weights = [saved[f"arr_{n}"].view(kind.dtype) for n, kind in enumerate(kinds)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"the weights of the best epoch cannot be read from {str(path)!r}: {error}"
        ) from error
    for saved_array, kind in zip(weights, kinds, strict=True):
        if saved_array.shape != kind.shape:
            raise CheckpointError(
                f"the weights of the best epoch in {str(path)!r} are of another model: an array "
                f"of shape {saved_array.shape} where this one has {kind.shape}"
            )
    return weights
