"""Arguments that an adapter does not take: what to write in their place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, cast

from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleTypeError, name_advice, shortened
from earlystop.language.rule import Rule
from earlystop.language.settings import validated

__all__ = ["checked", "known_arguments"]

Function = TypeVar("Function", bound=Callable[..., Any])

_WAITS = "patience rounds stopping_rounds early_stopping_rounds early_stopping_patience od_wait"
_SAME: tuple[frozenset[str], ...] = (  # what frameworks call the same
    frozenset((*_WAITS.split(), "n_iter_no_change")),
    frozenset(("min_delta", "threshold", "early_stopping_threshold", "tol")),
    frozenset(("monitor", "metric", "metric_name")),
    frozenset(("mode", "maximize", "lower_is_better", "greater_is_better")),
    frozenset(("restore_best_weights", "load_best", "save_best", "best_path")),
    frozenset(("save_best", "save_best_only")),
    frozenset(("save_top_k", "save_total_limit", "n_saved")),
    frozenset(("filepath", "best_path", "dirpath", "dirname", "filename")),
    frozenset(("stop", "rule", "stopper")),
)
_OF_A_RULE = frozenset().union(*_SAME[:4])  # what a rule says, where an adapter takes one


def known_arguments(function: Function) -> Function:
    """Decorate a function or an `__init__`: its errors for arguments that do not fit help.

    The error gives the adapter's name for the argument of another framework, if it has one, and
    lists the arguments there are; the latter also for one that is missing, or given by position
    and by name. It is a RuleTypeError, which is a TypeError, as Python would raise. So is that for
    a rule in the place of an argument that takes none, such as the first.

    >>> @known_arguments
    ... def early_stopping(stopping_rounds=5, *, stop=None):
    ...     return stopping_rounds
    >>> early_stopping(patience=3)
    Traceback (most recent call last):
        ...
    earlystop.errors.RuleTypeError: `early_stopping(patience=...)`: there is no such argument: \
write stopping_rounds=...; available arguments: stop, stopping_rounds
    """
    signature = inspect.signature(function)
    known = [name for name in signature.parameters if name != "self"]
    of_rules = [name for name in known if "Rule" in str(signature.parameters[name].annotation)]

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            given = signature.bind(*args, **options).arguments
        except TypeError as error:
            owner = _owner(function, args)
            unknown = next((name for name in options if name not in known), None)
            raise RuleTypeError(
                f"`{owner}(...)`: {error}; {name_advice('', known, 'arguments')}"
                if unknown is None
                else f"`{owner}({unknown}=...)`: there is no such argument: "
                f"{_instead(unknown, known)}"
            ) from None
        for name, value in given.items():
            if isinstance(value, (Rule, Stopper)) and of_rules and name not in of_rules:
                place = "stop" if "stop" in of_rules else of_rules[0]
                raise RuleTypeError(
                    f"`{_owner(function, args)}({name}=...)` takes no rule, got "
                    f"{shortened(value, 80)}: pass it as {place}=..."
                )
        return function(*args, **options)

    return cast("Function", call)


def checked(owner: str, kinds: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the given arguments that have a kind, checked under the names the user wrote.

    Raises what `validated` raises.

    >>> checked("EarlyStopping", {"patience": int}, {"patience": 3, "verbose": True})
    {'patience': 3}
    """
    return {
        name: validated(kind, given[name], f"{owner}({name}=...)") for name, kind in kinds.items()
    }


def _owner(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """What the user called: a function, or the class, whose `__init__` it is."""
    is_init = function.__qualname__.endswith(".__init__")
    return type(args[0]).__name__ if is_init else function.__qualname__


def _instead(name: str, known: Collection[str]) -> str:
    same = frozenset().union(*(names for names in _SAME if name in names))
    meant = " or ".join(f"{other}=..." for other in known if other in same)
    if not meant and name in _OF_A_RULE and "stop" in known:
        meant = "a rule that has it, such as stop=Patience(...)"
    advice = name_advice(name, known, "arguments")
    return f"write {meant}; {advice.partition('; did')[0]}" if meant else advice
