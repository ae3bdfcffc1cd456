"""A small curve in text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .._text import number

__all__ = ["text_curve"]

_BLOCKS = " ▁▂▃▄▅▆▇█"
_PLAIN = " .:-=+*#@"


def text_curve(
    values: Sequence[float], width: int = 60, height: int = 4, *, unicode: bool = True
) -> list[str]:
    """The lines of a curve, from the first value to the last, beside its highest and its lowest.

    width, height: of the curve, in characters; more values than fit are averaged.
    unicode: whether to draw with blocks; otherwise the curve is one line of plain characters.

    >>> for line in text_curve([4.0, 3.0, 2.0, 1.0], height=2):
    ...     print(line)
    4 █▃
    1 ██▇▂
    """
    shown = [value for value in values if math.isfinite(value)]
    if not shown:
        return []
    columns = _averaged(shown, width)
    low, high = min(columns), max(columns)
    rows, blocks = (height, _BLOCKS) if unicode else (1, _PLAIN)
    most = rows * 8 - 2
    levels = [2 + round(most * ((v - low) / (high - low) if high > low else 0.0)) for v in columns]
    labels = ["" for _ in range(rows)]
    labels[-1], labels[0] = number(low), number(high)
    wide = max(map(len, labels))
    lines = []
    for row in range(rows):
        floor = 8 * (rows - 1 - row)
        drawn = "".join(blocks[max(0, min(8, level - floor))] for level in levels)
        lines.append(f"{labels[row]:>{wide}} {drawn}".rstrip())
    return lines


def _averaged(values: Sequence[float], width: int) -> list[float]:
    """At most `width` values: the means of neighbours."""
    if len(values) <= width:
        return list(values)
    ends = [round((place + 1) * len(values) / width) for place in range(width)]
    starts = [0, *ends[:-1]]
    return [sum(values[start:end]) / (end - start) for start, end in zip(starts, ends, strict=True)]
