"""The operations that a rule's `step` is written in; see `earlystop.language.ops`.

>>> from earlystop.ops import improves, where
>>> where(improves(0.25, 0.5, mode="min", min_delta=0.0), 0.25, 0.5)
0.25
"""

from .language.ops import (
    Operation,
    absolute,
    any_nonfinite,
    better,
    deviation,
    divide,
    improves,
    invert,
    isfinite,
    isnan,
    lowest,
    push,
    replaced,
    reported,
    sqrt,
    total,
    where,
    worst,
)

__all__ = [
    "Operation",
    "absolute",
    "any_nonfinite",
    "better",
    "deviation",
    "divide",
    "improves",
    "invert",
    "isfinite",
    "isnan",
    "lowest",
    "push",
    "replaced",
    "reported",
    "sqrt",
    "total",
    "where",
    "worst",
]
