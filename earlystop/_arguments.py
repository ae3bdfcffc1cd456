"""How messages name an argument: as in Python, or as the surface in use does (a command line).

The library does not know who reads its messages. So it names no argument itself but asks
`argument`, and a surface that has other names for the same things says so with `named_by`.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Naming", "argument", "as_in_python", "named_by"]

Naming = Callable[[str, Any, str], "str | None"]
"""Takes an argument's name, value (... for any) and owner ("" for none); gives its name elsewhere.

None where the surface has no other name for it.
"""

_naming: contextvars.ContextVar[Naming | None] = contextvars.ContextVar("naming", default=None)


def argument(name: str, value: Any = ..., owner: str = "") -> str:
    """The argument, for a message.

    value: what it is set to; ... for any.
    owner: what takes it, where the message has not said so.

    >>> argument("complete", True), argument("encoding"), argument("seed", owner="advise")
    ('complete=True', 'encoding=...', '`advise(seed=...)`')
    >>> with named_by(lambda name, value, owner: f"--{name}"):
    ...     argument("complete", True), argument("seed", owner="advise")
    ('--complete', '--seed')
    """
    naming = _naming.get()
    elsewhere = None if naming is None else naming(name, value, owner)
    if elsewhere is not None:
        return elsewhere
    text = f"{name}={'...' if value is ... else repr(value)}"
    return f"`{owner}({text})`" if owner else text


@contextlib.contextmanager
def named_by(naming: Naming | None) -> Iterator[None]:
    """Within this context, messages name arguments by `naming`; None: as in Python."""
    token = _naming.set(naming)
    try:
        yield
    finally:
        _naming.reset(token)


def as_in_python() -> contextlib.AbstractContextManager[None]:
    """Within this context, messages name arguments as in Python, for what is written in Python."""
    return named_by(None)
