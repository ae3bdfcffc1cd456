"""`IdNames`: names of runs that are numbers, made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy.typing as npt

__all__ = ["IdNames"]


class IdNames(Sequence[str]):
    """Different whole numbers as text. There may be millions, and few are ever looked at.

    >>> import numpy as np
    >>> names = IdNames(np.array([3, 17]))
    >>> names[1], len(names), tuple(names)
    ('17', 2, ('3', '17'))
    """

    def __init__(self, ids: npt.NDArray[Any]) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return map(str, self._ids.tolist())

    def __getitem__(self, which: Any) -> Any:
        found = self._ids[which]
        return IdNames(found) if isinstance(which, slice) else str(found)
