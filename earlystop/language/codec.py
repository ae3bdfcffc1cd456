"""Rules as plain JSON data: `{"Name": {settings}}`, with nested rules in the same form."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from ..errors import RuleError, RuleTypeError, shortened
from .config import Config, check_depth, field_annotations
from .registry import rule_named, value_named

__all__ = ["rule_from_dict", "rule_to_dict"]


def rule_to_dict(rule: Config) -> dict[str, dict[str, Any]]:
    """The rule as plain JSON data, tagged with its name.

    >>> from earlystop import MaxEpochs
    >>> rule_to_dict(~MaxEpochs(2))
    {'Not': {'rule': {'MaxEpochs': {'n': 2}}}}
    """
    return {type(rule).__name__: _settings_to_json(rule.settings)}


def rule_from_dict(data: Any, depth: int = 0) -> Any:
    """The rule that `rule_to_dict` wrote. Raises RuleError for any other data.

    depth: how many rules the rule is within.

    >>> rule_from_dict({"Warmup": {"rule": {"Every": {"n": 2}}, "epochs": 5}})
    Warmup(Every(2), epochs=5)
    """
    check_depth(depth)
    if not (isinstance(data, Mapping) and len(data) == 1):
        raise RuleError(
            f'expected a rule as {{"Name": {{settings}}}}, such as {{"MaxEpochs": {{"n": 9}}}}, '
            f"got {shortened(data)}"
        )
    ((name, settings),) = data.items()
    return _made(rule_named(name), settings, depth)


def _made(cls: type[Any], settings: Any, depth: int) -> Any:
    """The rule or value of this class with settings as JSON data."""
    name = cls.__name__
    fields = field_annotations(cls)
    if not isinstance(settings, Mapping) or set(settings) - set(fields):
        raise RuleError(
            f"expected the settings of {name} ({', '.join(fields)}), got {shortened(settings)}"
        )
    values = {
        field: _value_from_json(fields[field], value, name, depth)
        for field, value in settings.items()
    }
    try:
        return cls.from_settings(values)
    except (TypeError, KeyError) as error:
        if isinstance(error, RuleTypeError):
            raise
        raise RuleError(f"the settings of {name} are incomplete: {error}") from error


def _settings_to_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {field: _value_to_json(value) for field, value in settings.items()}


def _value_to_json(value: Any) -> Any:
    if isinstance(value, Config) and value_named(type(value).__name__) is not None:
        return {type(value).__name__: _settings_to_json(value.changed_settings)}
    if isinstance(value, Config):
        return rule_to_dict(value)
    if isinstance(value, tuple):
        return [_value_to_json(item) for item in value]
    return value


def _value_from_json(annotation: Any, data: Any, owner: str, depth: int) -> Any:
    arguments = typing.get_args(annotation)
    if data is not None and type(None) in arguments:
        (annotation,) = (argument for argument in arguments if argument is not type(None))
    if isinstance(annotation, type) and issubclass(annotation, Config):
        name = annotation.__name__
        if value_named(name) is None:
            return rule_from_dict(data, depth + 1)
        if not (isinstance(data, Mapping) and set(data) == {name}):
            raise RuleError(
                f'expected {{"{name}": {{settings}}}} in the settings of {owner}, '
                f"got {shortened(data)}"
            )
        return _made(annotation, data[name], depth)
    if typing.get_origin(annotation) is tuple:
        if not isinstance(data, (list, tuple)):
            raise RuleError(f"expected a list in the settings of {owner}, got {shortened(data)}")
        item_annotation = typing.get_args(annotation)[0]
        return tuple(_value_from_json(item_annotation, item, owner, depth) for item in data)
    return data
