"""Frozen, validated values: everything about a rule except its `step`.

A subclass of `Config` becomes a frozen dataclass when it is defined. Its constructor checks each
field and converts it to one form according to its annotation (see `settings.py`), so equal values
compare, hash, print and save alike. A field annotated as `Mode` is resolved to "min" or "max" from
the name in the field `monitor`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import operator
import typing
from collections.abc import Mapping
from typing import Any

from .._nesting import MAX_DEPTH
from ..errors import RuleError, RuleTypeError, name_advice
from .direction import Mode, direction
from .settings import is_value, validated

if typing.TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:
    from typing import Any as Self

    def dataclass_transform(**_: Any) -> Any:
        return lambda cls: cls


__all__ = ["Config", "check_depth", "field_annotations"]


@dataclass_transform(frozen_default=True)
class Config:
    """Base class of frozen values whose fields are checked.

    A subclass defined with `abstract=True` only serves as a base for others.
    """

    _resolved: typing.ClassVar[dict[str, Any]]

    def __init_subclass__(cls, abstract: bool = False) -> None:
        super().__init_subclass__()
        if not abstract:
            dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)

    def __post_init__(self) -> None:
        name = type(self).__name__
        for field, annotation in field_annotations(type(self)).items():
            value = getattr(self, field)
            if annotation == Mode:
                object.__setattr__(self, "_given_mode", value)
                value = direction(vars(self)["monitor"], value, name)
            else:
                value = validated(annotation, value, f"{name}({field}=...)")
            object.__setattr__(self, field, value)
        check_depth(self._depth)
        self.validate()

    def validate(self) -> None:
        """Check constraints that span several fields; raise RuleError if one is violated."""

    @functools.cached_property
    def _depth(self) -> int:
        """How many levels of values with fields there are within this one."""
        depth = 0
        for value in self.settings.values():
            items = value if isinstance(value, tuple) else (value,)
            if any(issubclass(kind, Config) for kind in set(map(type, items))):
                # Rules that are combined one by one are asked again and again: in C.
                inner = map(_depth_of, (item for item in items if item is not None))
                depth = max(depth, 1 + max(inner))
        return depth

    @property
    def settings(self) -> dict[str, Any]:
        """The fields and their values, in order.

        >>> from earlystop import MaxEpochs
        >>> MaxEpochs(100).settings
        {'n': 100}
        """
        return {field: getattr(self, field) for field in field_annotations(type(self))}

    @property
    def changed_settings(self) -> dict[str, Any]:
        """The settings that are not the defaults, in order.

        >>> from earlystop import Improvement
        >>> Improvement(ties=True, margin_on="value").changed_settings
        {'ties': True}
        """
        defaults = {field.name: field.default for field in _dataclass_fields(type(self))}
        return {field: value for field, value in self.settings.items() if value != defaults[field]}

    def replace(self, **changes: Any) -> Self:
        """A copy with some settings changed; mode="auto" is resolved again for a new monitor.

        Raises RuleTypeError for an unknown field, and what the constructor raises.

        >>> from earlystop import Patience
        >>> Patience("val_loss", 5).replace(monitor="val_accuracy")
        Patience('val_accuracy', patience=5, mode='max')
        """
        settings = self.settings
        for field in changes:
            if field not in settings:
                known = name_advice(field, settings, "fields")
                raise RuleTypeError(f"`{type(self).__name__}` has no field {field!r}: {known}")
        if hasattr(self, "_given_mode"):
            settings["mode"] = self._given_mode
        return self.from_settings({**settings, **changes})

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """The value with these settings, passed to its class by name or as positional items.

        >>> from earlystop import NonFinite
        >>> NonFinite.from_settings({"monitors": ("loss", "val_loss")})
        NonFinite('loss', 'val_loss')
        """
        if cls.__init__.__code__.co_flags & inspect.CO_VARARGS:
            (field,) = field_annotations(cls)
            return cls(*settings[field])
        return cls(**settings)

    def _set_items(self, items: tuple[Any, ...]) -> None:
        """Initialise a class that takes the items of its only field as positional arguments."""
        (field,) = field_annotations(type(self))
        object.__setattr__(self, field, items)
        self.__post_init__()

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return isinstance(other, Config) and self.settings == other.settings

    def __hash__(self) -> int:
        return hash((type(self), *self.settings.values()))

    def __repr__(self) -> str:
        arguments = []
        for index, field in enumerate(_dataclass_fields(type(self))):
            value = getattr(self, field.name)
            if index == 0 and field.default is dataclasses.MISSING:
                arguments.append(repr(value))
            elif value != field.default:
                arguments.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(arguments)})"


_depth_of = operator.attrgetter("_depth")


def check_depth(depth: int) -> None:
    """Raise RuleError for a rule within so many others that Python's stack might not hold them."""
    if depth > MAX_DEPTH:
        raise RuleError(
            f"rules can be nested at most {MAX_DEPTH} deep, this one is deeper: combine rules with "
            "one `|` or `&` of all of them"
        )


def _dataclass_fields(cls: Any) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a subclass of Config; type checkers cannot tell that it is a dataclass."""
    return dataclasses.fields(cls)


def field_annotations(cls: type[Config]) -> dict[str, Any]:
    """The annotations of the fields, in order, resolved once per class.

    Raises RuleError for an annotation that cannot be resolved or that allows mutable values.

    >>> from earlystop import Best
    >>> list(field_annotations(Best))
    ['monitor', 'mode', 'min_delta', 'baseline', 'dtype', 'relative', 'improvement']
    """
    resolved: dict[str, Any] | None = vars(cls).get("_resolved")
    if resolved is None:
        resolved = _resolved_annotations(cls)
        cls._resolved = resolved  # kept by the class, and so no longer than it
    return resolved


def _resolved_annotations(cls: type[Config]) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise RuleError(
            f"the annotations of the rule {cls.__name__} cannot be read ({error}): "
            "import the names they use at the top of the module"
        ) from error
    names = [field.name for field in _dataclass_fields(cls)]
    for name in names:
        if not is_value(hints[name]):
            raise RuleError(f"`{cls.__name__}.{name}` must be a value: a tuple, not a list")
    if Mode in hints.values() and "monitor" not in names:
        raise RuleError(f"`{cls.__name__}` has a mode, so it needs a field called `monitor`")
    return {name: hints[name] for name in names}
