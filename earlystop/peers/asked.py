"""A framework's decisions by its name: `stopper_as("lightning", "val_loss", patience=5)`.

Frameworks call the same settings by different names. Those that most have are taken here under this
library's names, and passed on under theirs.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ..engine.stopper import Stopper
from ..errors import RuleError, name_advice
from ..language.direction import Direction, Mode, direction

__all__ = ["askable", "full_name", "stopper_as", "waiting"]

# What each idea is called, by different frameworks.
_PATIENCE = (
    *("patience", "early_stopping_patience", "stopping_rounds", "rounds", "n_iter_no_change"),
    "od_wait",
)
_MIN_DELTA = ("min_delta", "early_stopping_threshold", "threshold", "delta", "tol")
_MONITOR = ("monitor", "metric", "save_best", "best_checkpoint_metric")
_MAXIMIZE = ("maximize", "maximize_best_checkpoint_metric")
_DIRECTION = ("mode", "lower_is_better", "rule", *_MAXIMIZE)


def stopper_as(
    name: str,
    monitor: str,
    *,
    mode: Mode = "auto",
    patience: int | None = None,
    min_delta: float | None = None,
) -> Stopper:
    """The stopper of a framework, with the settings that most have.

    name: as in `names()`, or of a framework alone, whose early stopping is meant.
    monitor, mode: the metric, and whether it should fall or rise.
    patience, min_delta: passed to the framework's class as they are, so that they mean what they
        mean there; None for its own default.

    Raises RuleError for an unknown name, a direction or setting that the framework does not have,
    and one that it has no default for.

    >>> stopper = stopper_as("lightgbm", "val_loss", patience=2)
    >>> [stopper.step({"val_loss": value}).stop for value in [0.5, 0.4, 0.5, 0.6]]
    [False, False, False, True]
    """
    name = full_name(name)
    make = _all()[name]
    parameters = inspect.signature(make).parameters
    way = direction(monitor, mode, name)
    arguments = _monitored(parameters, monitor, way)
    for value, field, known in (
        (patience, "patience", _PATIENCE),
        (min_delta, "min_delta", _MIN_DELTA),
    ):
        own = _one_of(known, parameters)
        if value is not None and own is None:
            raise RuleError(f"{name} has no setting of the kind of {field}: leave it out")
        if value is not None and own is not None:
            arguments[own] = value
    if name in waiting() and way == "min" and not _one_of(_DIRECTION, parameters):
        raise RuleError(f"{name} knows only metrics that are to rise, and {monitor} is to fall")
    lacking = [
        parameter
        for parameter, described in parameters.items()
        if described.default is described.empty and parameter not in arguments
    ]
    if "wrapped_pruner" in lacking:
        arguments["wrapped_pruner"] = None
        lacking.remove("wrapped_pruner")
    if lacking:
        what = "patience" if _one_of(_PATIENCE, lacking) else ", ".join(lacking)
        raise RuleError(f"{name} has no default for {what}: pass it")
    stopper: Stopper = make(**arguments)
    return stopper


def askable(mode: Direction, *, patience: bool) -> list[str]:
    """The names in `waiting()` of peers that know this direction and need no other settings.

    patience: whether a patience is passed; otherwise peers without a default for it are left out.

    >>> [name for name in waiting() if name not in askable("min", patience=True)]
    ['ultralytics.early_stopping']
    """
    names = []
    for name in waiting():
        parameters = inspect.signature(_all()[name]).parameters
        wait = parameters[str(_one_of(_PATIENCE, parameters))]
        waits = patience or wait.default is not wait.empty
        if waits and (mode == "max" or _one_of(_DIRECTION, parameters)):
            names.append(name)
    return names


@functools.cache
def waiting() -> tuple[str, ...]:
    """The names of the peers that end a run after some checks without improvement.

    >>> "keras.early_stopping" in waiting(), "keras.reduce_lr_on_plateau" in waiting()
    (True, False)
    """
    return tuple(
        name
        for name, make in _all().items()
        if "reduce_lr" not in name and _one_of(_PATIENCE, inspect.signature(make).parameters)
    )


def full_name(name: str) -> str:
    """The full name of a framework's early stopping, or of another that is known.

    Raises RuleError for an unknown name, and for a framework with several.

    >>> full_name("keras"), full_name("keras.model_checkpoint")
    ('keras.early_stopping', 'keras.model_checkpoint')
    """
    known = _all()
    if name in known:
        return name
    of_framework = [full for full in known if full.partition(".")[0] == name]
    stopping = [full for full in of_framework if full in waiting()]
    if len(stopping or of_framework) == 1:
        return (stopping or of_framework)[0]
    if of_framework:
        raise RuleError(f"{name!r} may mean {' or '.join(stopping or of_framework)}: pass one")
    frameworks = dict.fromkeys(full.partition(".")[0] for full in known)
    choices = [*frameworks] if "." not in name else known
    raise RuleError(f"no framework {name!r} is known: {name_advice(name, choices, 'frameworks')}")


@functools.cache
def _all() -> Mapping[str, Callable[..., Stopper]]:
    """All peers, by name."""
    from .. import peers

    found = {}
    for name in peers.names():
        framework, _, function = name.partition(".")
        found[name] = getattr(getattr(peers, framework), function)
    return MappingProxyType(found)


def _monitored(parameters: Mapping[str, Any], monitor: str, mode: str) -> dict[str, Any]:
    """The arguments that name the metric and its direction."""
    own = _one_of(_MONITOR, parameters)
    arguments: dict[str, Any] = {} if own is None else {own: monitor}
    if "mode" in parameters:
        arguments["mode"] = mode
    elif "lower_is_better" in parameters:
        arguments["lower_is_better"] = mode == "min"
    elif maximize := _one_of(_MAXIMIZE, parameters):
        arguments[maximize] = mode == "max"
    elif "rule" in parameters:
        arguments["rule"] = "less" if mode == "min" else "greater"
    return arguments


def _one_of(names: tuple[str, ...], found: Any) -> str | None:
    return next((name for name in names if name in found), None)
