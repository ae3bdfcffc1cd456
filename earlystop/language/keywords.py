"""Arguments that have to be named, or are elsewhere: what to write instead."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from ..errors import RuleTypeError

__all__ = ["by_keyword"]

_LONGEST = 60  # characters of a value

Function = TypeVar("Function", bound=Callable[..., Any])


def by_keyword(
    meant: str, elsewhere: Mapping[str, str] | None = None
) -> Callable[[Function], Function]:
    """Decorate a function with keyword-only arguments: an error that says how to write them.

    meant: the argument that a single surplus value most likely is. Several are taken for the
        keyword arguments of the signature, in its order.
    elsewhere: arguments that the function does not have, and what to do instead.

    The decorated function raises RuleTypeError, which is a TypeError, as Python would.

    >>> @by_keyword("patience")
    ... def stop(monitor, *, min_delta=0.0, patience=0):
    ...     return patience
    >>> stop("loss", patience=5)
    5
    >>> stop("loss", 5)
    Traceback (most recent call last):
        ...
    earlystop.errors.RuleTypeError: `stop(...)` takes only monitor by position: write patience=5
    >>> stop("loss", 0.1, 5)
    Traceback (most recent call last):
        ...
    earlystop.errors.RuleTypeError: `stop(...)` takes only monitor by position: write \
min_delta=0.1, patience=5, if that is what they are
    >>> by_keyword("patience", {"delta": "write min_delta"})(lambda loss: loss)(delta=1)
    Traceback (most recent call last):
        ...
    earlystop.errors.RuleTypeError: `<lambda>(...)` has no `delta`: write min_delta
    """

    def decorated(function: Function) -> Function:
        code, others = function.__code__, elsewhere or {}
        positional = code.co_varnames[: code.co_argcount]
        named = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            extra = args[len(positional) :]
            unknown = next((name for name in options if name in others), None)
            if not extra and unknown is None:
                return function(*args, **options)
            owner = function.__qualname__.removesuffix(".__init__")
            if unknown is not None:
                raise RuleTypeError(f"`{owner}(...)` has no `{unknown}`: {others[unknown]}")
            taken = ", ".join(name for name in positional if name not in ("self", "cls"))
            names = [meant] if len(extra) == 1 else [each for each in named if each not in options]
            raise RuleTypeError(
                f"`{owner}(...)` takes {f'only {taken}' if taken else 'nothing'} by position: "
                f"write {_written(names, extra)}"
            )

        return cast("Function", call)

    return decorated


def _written(names: Iterable[str], values: tuple[Any, ...]) -> str:
    """The values as keyword arguments; a mapping already has the names."""
    if len(values) == 1 and isinstance(values[0], Mapping):
        return f"**{_brief(values[0])}"
    text = ", ".join(f"{name}={_brief(value)}" for name, value in zip(names, values, strict=False))
    return text if len(values) == 1 else f"{text}, if that is what they are"


def _brief(value: object) -> str:
    """The value as Python code, if that is short."""
    text = repr(value)
    return text if len(text) <= _LONGEST and text.isprintable() else "..."
