"""Choices between two arrays: one is copied over the other where a condition holds.

A masked copy takes longer the more often the mask changes between true and false. Where few lanes
differ from the others it is the fastest way; where many do it is the slowest, and copying by number
is faster. Where a condition holds is found once for all choices that depend on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["choose", "others", "places"]

_MIXED = 12  # by the mask if a smaller part of the lanes differs from the others


def places(condition: Any) -> Any:
    """Where a condition holds: None for nowhere, True for everywhere, else a mask or numbers.

    condition: a mask of shape (lanes,). It is returned as it is, or, if it changes often, as the
        numbers of the lanes at which it holds.

    >>> places(np.zeros(3, np.bool_)), places(np.array([True, False, True]))
    (None, array([0, 2]))
    """
    true, lanes = np.count_nonzero(condition), len(condition)
    if not true:
        return None
    if true == lanes:
        return True
    return condition.nonzero()[0] if _MIXED * min(true, lanes - true) > lanes else condition


def others(condition: Any) -> Any:
    """Where a condition does not hold, in the form that `places` returns.

    >>> others(np.ones(3, np.bool_)), others(np.array([True, False, True, True]))
    (None, array([1]))
    """
    true = np.count_nonzero(condition)
    return None if true == len(condition) else places(np.logical_not(condition))


def choose(found: Any, value: Any, target: Any) -> None:
    """Copy a value into an array at the places that `places` found.

    value: shape (lanes,), or one number.

    >>> target = np.zeros(3)
    >>> choose(places(np.array([True, False, True])), np.arange(1.0, 4.0), target)
    >>> target
    array([1., 0., 3.])
    """
    if found is None:
        return
    if found is True or found.dtype == np.bool_:
        np.copyto(target, value, where=found)
    else:
        target[found] = value[found] if isinstance(value, np.ndarray) and value.ndim else value
