"""The contract of rule classes, checked when a class is defined."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from ..errors import RuleError
from .registry import check_name

__all__ = ["check_class"]


def check_class(cls: type[Any], base: type[Any]) -> None:
    """Raise RuleError if `cls`, a subclass of `base`, breaks the contract of rules."""
    check_name(cls)
    _check_fields(cls, base)
    _check_dial(cls)
    _check_methods(cls, base)


def _check_fields(cls: type[Any], base: type[Any]) -> None:
    # A field called `metrics`, say, would silently hide what the rule reads.
    for name, annotation in _own_annotations(cls).items():
        if hasattr(base, name) and "ClassVar" not in str(annotation):
            reserved = ", ".join(attr for attr in dir(base) if not attr.startswith("_"))
            raise RuleError(
                f"`{cls.__name__}.{name}` cannot be a field, because every rule has an attribute "
                f"{name!r}: choose another name (reserved: {reserved})"
            )


def _check_dial(cls: type[Any]) -> None:
    dial = vars(cls).get("dial")
    fields = [name for parent in cls.__mro__ for name in _own_annotations(parent)]
    if dial is not None and dial not in fields:
        raise RuleError(
            f"`{cls.__name__}.dial` must name the field that makes the rule fire later, the larger "
            f"it is: {dial!r} is no field"
        )


def _own_annotations(cls: type[Any]) -> dict[str, Any]:
    if sys.version_info >= (3, 14):  # annotations are evaluated lazily
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    annotations: dict[str, Any] = vars(cls).get("__annotations__", {})
    return annotations


def _check_methods(cls: type[Any], base: type[Any]) -> None:
    name = cls.__name__
    if "__post_init__" in vars(cls):
        raise RuleError(
            f"`{name}` must not define `__post_init__`, which checks its settings: "
            "put its own checks in `validate`"
        )
    if cls.step is base.step:
        raise RuleError(f"`{name}` must define `step(self, state, metrics, epoch)`")
    if len(inspect.signature(cls.step).parameters) != 4:
        raise RuleError(f"`{name}.step` must take (self, state, metrics, epoch)")
