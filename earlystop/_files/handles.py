"""File handles that an interrupt can neither lose nor close twice.

Python looks for signals, and with them for Ctrl-C, when a call has returned and when a function of
Python is entered; most likely after the call that took long. Between `os.open` and the assignment
of its result, a handle would belong to nobody. So here the handle goes from `os.open` into a list,
and from there into `os.close`, each time within one call that runs no Python code.

    handle = Handle()
    try:
        handle.open(path, flags)
        ...
    finally:
        handle.close()
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import NoReturn

__all__ = ["Handle"]


class Handle:
    """A file that can be opened once.

    close: close it, if it is open. There is no way back: it cannot be opened again. Raises OSError
        as `os.close` does.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     handle = Handle()
    ...     handle.open(f"{folder}/a", os.O_WRONLY | os.O_CREAT)
    ...     os.write(handle.number, b"text"), handle.is_open
    ...     handle.close(), handle.close()
    ...     handle.is_open
    (4, True)
    (False, False)
    False
    """

    def __init__(self) -> None:
        self._numbers: list[int | None] = [None]
        numbers = iter(self._numbers.pop, None)  # what is taken from it is no longer in the list
        self.close: Callable[[], object] = functools.partial(any, map(os.close, numbers))

    def open(self, path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> None:
        """Open it as `os.open` does, and raise what that raises."""
        self._numbers.extend(map(os.open, (path,), (flags,), (mode,)))

    @property
    def is_open(self) -> bool:
        """Whether it has been opened, and not closed yet."""
        return len(self._numbers) > 1

    @property
    def number(self) -> int:
        """The number by which the system knows it. Raises ValueError if it is not open."""
        number = self._numbers[-1] if self._numbers else None
        if number is None:
            raise ValueError("the file is not open")
        return number

    def __reduce__(self) -> NoReturn:  # a copy would close the number a second time
        raise TypeError("an open file cannot be copied or pickled")
