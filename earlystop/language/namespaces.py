"""Which library an array belongs to: NumPy, JAX, torch, or any that follows the array API."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["array_function", "namespace_of"]


def namespace_of(array: Any) -> Any:
    """The module whose functions (`where`, `isfinite`, ...) take this array.

    This is the array's own `__array_namespace__()` if it has one. torch tensors have none, and
    neither do NumPy 1 arrays, so NumPy is the default. Only libraries already in use are imported.

    >>> import numpy as np
    >>> namespace_of(np.zeros(3)) is np
    True
    """
    own = getattr(array, "__array_namespace__", None)
    if own is not None:
        return own()
    if any(cls.__module__.partition(".")[0] == "torch" for cls in type(array).__mro__):
        return sys.modules["torch"]
    import numpy

    return numpy


def array_function(array: Any, name: str) -> Callable[..., Any]:
    """The function of this name for this array, combined with other arrays or plain numbers."""
    if name == "divide":  # torch's function requires a tensor first, the operator does not
        return operator.truediv
    function: Callable[..., Any] = getattr(namespace_of(array), name)
    return function
