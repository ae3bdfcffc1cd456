"""Arguments that an adapter does not take: what to write in their place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any, TypeVar, cast

from earlystop.errors import RuleTypeError, name_advice

__all__ = ["known_arguments"]

Function = TypeVar("Function", bound=Callable[..., Any])

_WAITS = "patience rounds stopping_rounds early_stopping_rounds early_stopping_patience od_wait"
_SAME: tuple[frozenset[str], ...] = (  # what frameworks call the same
    frozenset((*_WAITS.split(), "n_iter_no_change")),
    frozenset(("min_delta", "threshold", "early_stopping_threshold", "tol")),
    frozenset(("monitor", "metric", "metric_name")),
    frozenset(("restore_best_weights", "load_best", "save_best", "best_path")),
    frozenset(("mode", "maximize", "lower_is_better", "greater_is_better")),
)


def known_arguments(function: Function) -> Function:
    """Decorate a function or an `__init__`: errors for unknown arguments say what to write instead.

    The error gives the adapter's name for the argument of another framework, if it has one, and
    lists the arguments there are. It is a RuleTypeError, which is a TypeError, as Python would
    raise.

    >>> @known_arguments
    ... def early_stopping(stopping_rounds=5, *, stop=None):
    ...     return stopping_rounds
    >>> early_stopping(patience=3)
    Traceback (most recent call last):
        ...
    earlystop.errors.RuleTypeError: `early_stopping(patience=...)`: there is no such argument: \
write stopping_rounds=...; available arguments: stop, stopping_rounds
    """
    known = [name for name in inspect.signature(function).parameters if name != "self"]

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        for name in options:
            if name not in known:
                owner = function.__qualname__
                if owner.endswith(".__init__"):
                    owner = type(args[0]).__name__
                raise RuleTypeError(
                    f"`{owner}({name}=...)`: there is no such argument: {_instead(name, known)}"
                )
        return function(*args, **options)

    return cast("Function", call)


def _instead(name: str, known: Collection[str]) -> str:
    same = next((names for names in _SAME if name in names), frozenset())
    meant = " or ".join(f"{other}=..." for other in known if other in same)
    advice = name_advice(name, known, "arguments")
    return f"write {meant}; {advice.partition('; did')[0]}" if meant else advice
