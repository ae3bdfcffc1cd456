"""File handles that an interrupt can neither lose nor close twice.

A signal handler, and with it KeyboardInterrupt, runs between two calls of Python, and most likely
after the one that took long. Between `os.open` and the assignment of its result, a handle would
belong to nobody. Here it gets from `os.open` into its owner, and from there into `os.close`, within
a single call each.
"""

from __future__ import annotations

import os
from typing import NoReturn

__all__ = ["Handle"]


class Handle:
    """An open file, closed by `close()` or with the object.

    path, flags, mode: as for `os.open`.

    Raises what `os.open` raises.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     handle = Handle(f"{folder}/a", os.O_WRONLY | os.O_CREAT)
    ...     os.write(handle.number, b"text"), handle.is_open
    ...     handle.close()
    ...     handle.close()
    ...     handle.is_open
    (4, True)
    False
    """

    def __init__(self, path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> None:
        self._numbers: list[int] = []
        self._numbers.extend(map(os.open, (path,), (flags,), (mode,)))

    @property
    def is_open(self) -> bool:
        """Whether `close()` has not been called yet."""
        return bool(self._numbers)

    @property
    def number(self) -> int:
        """The number by which the system knows it."""
        return self._numbers[0]

    def close(self) -> None:
        """Close it; does nothing if it is closed. Raises OSError as `os.close` does."""
        any(map(os.close, map(self._numbers.pop, (-1,) * len(self._numbers))))

    def __del__(self) -> None:
        if hasattr(self, "_numbers"):  # else the constructor was interrupted
            self.close()

    def __reduce__(self) -> NoReturn:  # a copy would close the number a second time
        raise TypeError("an open file cannot be copied or pickled")
