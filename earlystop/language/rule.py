"""Rules: what they are, how they combine, and how each finds its way into JSON and back.

A rule is a pure predicate over epochs: frozen settings, `init() -> state`, and
`step(state, metrics, epoch) -> (next state, fires)`. The state is a value (a NamedTuple of numbers
and windows); nothing else is kept anywhere. `step` is written in the operations of `ops.py`, so
one text decides for a live run, for many logged runs at once, and in the compiled live loop.

A rule of one's own is one class:

>>> from typing import NamedTuple
>>> from earlystop.language.rule import Rule
>>> class Rise(Rule):
...     '''Fires when the metric rises by more than `by` within one epoch.'''
...     monitor: str
...     by: float = 1.0
...     class State(NamedTuple):
...         previous: float = float("nan")
...     def step(self, state, metrics, epoch):
...         value = metrics[self.monitor]
...         return self.State(previous=value), value - state.previous > self.by
>>> Rise("loss", by=2) | ~Rise("val_loss")
Rise('loss', by=2.0) | ~Rise('val_loss')

The class is made a frozen dataclass; its annotations are checked when a rule is made (`fields.py`);
its name is its tag in JSON. Metrics are named in fields called `monitor`, `..._monitor` or
`monitors`. An epoch that lacks one of them never reaches `step` (see `advance`). Whole numbers in
the state are counters: arrays hold them in 64 bits.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import operator
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import RuleError, RuleTypeError, name_advice
from .direction import Mode, direction
from .ops import invert, reported, where
from .settings import is_value, validated
from .tracing import TracedMetrics

if typing.TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:
    from typing import Any as Self

    def dataclass_transform(**_: Any) -> Any:
        return lambda cls: cls


__all__ = ["AllOf", "AnyOf", "Not", "Rule", "advance", "rule_named", "rule_names"]

State = Any  # whatever `init()` gives: a NamedTuple, or () for a rule that remembers nothing

_registry: dict[str, type[Rule]] = {}


def _check_class(cls: type[Rule]) -> None:
    """Refuse what would make a rule that cannot keep the contract."""
    name, there = cls.__name__, _registry.get(cls.__name__)
    local = [c for c in (cls, there) if c and "<locals>" in c.__qualname__]
    if there and len(local) < 2:  # both are made anew at every call of a function
        where_there, where_here = (f"{c.__module__}.{c.__qualname__}" for c in (there, cls))
        if where_there != where_here:
            raise RuleError(
                f"there is a rule called {name!r} already ({where_there}): saved states tell rules "
                "by name, so choose another"
            )
    if "__post_init__" in vars(cls):
        raise RuleError(
            f"`{name}` must not define `__post_init__`, which checks its settings: "
            "put checks of its own into `validate`"
        )
    if cls.step is Rule.step:
        raise RuleError(f"`{name}` must define `step(self, state, metrics, epoch)`")
    if len(inspect.signature(cls.step).parameters) != 4:
        raise RuleError(f"`{name}.step` must take (self, state, metrics, epoch)")


@dataclass_transform(frozen_default=True)
class Rule:
    """Base of all rules; see the top of this module for how to write one.

    Raises RuleError (a ValueError) or RuleTypeError (a TypeError, too) for settings that make no
    sense, at construction.

    >>> from earlystop import Patience, Rule
    >>> rule = Patience("val_loss", patience=3)
    >>> isinstance(rule, Rule), rule == Rule.from_dict(rule.to_dict())
    (True, True)
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _check_class(cls)
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
        _registry[cls.__name__] = cls

    def __new__(cls, *_: Any, **__: Any) -> Self:
        if cls is Rule:
            raise RuleTypeError("Rule is the base of rules: make one of its subclasses")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        name = type(self).__name__
        for field, annotation in _annotations(type(self)).items():
            value = getattr(self, field)
            if annotation == Mode:
                object.__setattr__(self, "_given_mode", value)
                value = direction(vars(self)["monitor"], value, name)
            else:
                value = validated(annotation, value, f"{name}({field}=...)")
            object.__setattr__(self, field, value)
        self.validate()

    # What a rule says about itself -----------------------------------------------------------

    def validate(self) -> None:
        """Check what concerns several fields together; raise RuleError if they do not fit."""

    def init(self) -> State:
        """The state before the first epoch: `State()` of the class, or () where it has none."""
        make: Any = getattr(self, "State", tuple)
        return make()

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        """Take one epoch: give the next state, and whether the rule fires.

        `metrics[name]` are numbers, or arrays with one lane per run; `epoch` counts from 0.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `step`")

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        """Why the rule has fired, given the state after the epoch it fired on."""
        return f"{self!r} fires"

    def explain(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        """Why the rule fires at this epoch, given the state before it; "" if it does not."""
        after, fires = advance(self, state, metrics, epoch)
        return self.reason(after, metrics, epoch) if fires else ""

    # What follows from it --------------------------------------------------------------------

    @property
    def settings(self) -> dict[str, Any]:
        """The fields of the rule and their values, in order.

        >>> from earlystop import MaxEpochs
        >>> MaxEpochs(100).settings
        {'n': 100}
        """
        return {field: getattr(self, field) for field in _annotations(type(self))}

    @functools.cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that `step` reads itself: those in its `monitor` fields."""
        names: list[str] = []
        for field, value in self.settings.items():
            if field == "monitor" or field.endswith("_monitor"):
                names.append(value)
            elif field == "monitors":
                names.extend(value)
        return tuple(names)

    @functools.cached_property
    def children(self) -> tuple[Rule, ...]:
        """The rules that this rule is made of."""
        return tuple(
            part
            for value in self.settings.values()
            for part in (value if isinstance(value, tuple) else (value,))
            if isinstance(part, Rule)
        )

    def with_children(self, parts: tuple[Rule, ...]) -> Self:
        """The same rule made of other parts, as many as it has."""
        left = iter(parts)
        changes: dict[str, Any] = {}
        for field, value in self.settings.items():
            if isinstance(value, Rule):
                changes[field] = next(left)
            elif isinstance(value, tuple) and any(isinstance(item, Rule) for item in value):
                changes[field] = tuple(next(left) if isinstance(x, Rule) else x for x in value)
        return self.replace(**changes)

    @functools.cached_property
    def all_metrics(self) -> tuple[str, ...]:
        """The metrics that the rule or any part of it needs, each once."""
        names = [*self.metrics, *(name for part in self.children for name in part.all_metrics)]
        return tuple(dict.fromkeys(names))

    def replace(self, **changes: Any) -> Self:
        """The same rule with other settings; mode="auto" is settled anew for another monitor.

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
        return self._made({**settings, **changes})

    def _settle_items(self, items: tuple[Any, ...]) -> None:
        """For a rule that takes the items of its one field as arguments: what `__init__` does."""
        (field,) = _annotations(type(self))
        object.__setattr__(self, field, items)
        self.__post_init__()

    @classmethod
    def _made(cls, settings: Mapping[str, Any]) -> Self:
        """The rule with these settings, whether it takes them by name or as items."""
        if cls.__init__.__code__.co_flags & inspect.CO_VARARGS:
            (field,) = _annotations(cls)
            return cls(*settings[field])
        return cls(**settings)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The rule as plain JSON data, tagged with its name.

        >>> from earlystop import MaxEpochs
        >>> MaxEpochs(100).to_dict()
        {'MaxEpochs': {'n': 100}}
        """
        settings = {field: _plain(value) for field, value in self.settings.items()}
        return {type(self).__name__: settings}

    @staticmethod
    def from_dict(data: Any) -> Rule:
        """The rule that `to_dict` wrote. Raises RuleError for anything else.

        >>> from earlystop import Rule
        >>> Rule.from_dict({"MaxEpochs": {"n": 100}})
        MaxEpochs(100)
        """
        return _rule_from(data)

    @staticmethod
    def from_text(text: str) -> Rule:
        """The rule that a text describes, as `repr` writes it; the text is never evaluated.

        Raises RuleError for anything that is no rule, saying which rules and arguments there are.

        >>> from earlystop import Rule
        >>> Rule.from_text("Patience('val_loss', 20) | NonFinite('loss')")
        Patience('val_loss', patience=20, mode='min') | NonFinite('loss')
        """
        from .parser import parse_rule  # which knows this module

        return parse_rule(text)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return isinstance(other, Rule) and self.settings == other.settings

    def __hash__(self) -> int:
        return hash((type(self), *self.settings.values()))

    def __or__(self, other: object) -> AnyOf:
        return AnyOf(self, other) if isinstance(other, Rule) else NotImplemented

    def __and__(self, other: object) -> AllOf:
        return AllOf(self, other) if isinstance(other, Rule) else NotImplemented

    def __invert__(self) -> Rule:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self!r} is a rule and has no truth value: combine rules with `|`, `&` and `~` "
            "(not `or`, `and`, `not`); ask a Decision whether it stops"
        )

    def __repr__(self) -> str:
        shown = []
        for place, field in enumerate(_dataclass_fields(type(self))):
            value = getattr(self, field.name)
            if place == 0:
                shown.append(repr(value))
            elif value != field.default:
                shown.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


def advance(rule: Rule, state: State, metrics: Any, epoch: Any) -> tuple[State, Any]:
    """One guarded step: without its metrics a rule keeps its state and does not fire.

    Rules that are made of rules step their parts through this, every part at every epoch: a part
    that is skipped because another has answered already would lose count.
    """
    present = reported(metrics, rule.metrics)
    if present is False:
        return state, False
    if isinstance(metrics, TracedMetrics):
        after, fires = _recorded(rule, state, metrics, epoch)
    else:
        after, fires = rule.step(state, metrics, epoch)
    if present is True:
        return after, fires
    return where(present, after, state), present & fires


def _recorded(rule: Rule, state: State, metrics: TracedMetrics, epoch: Any) -> tuple[State, Any]:
    """A step on stand-ins, which may read what its rule needs and nothing else."""
    own: Any = metrics.of_rule()
    outer = metrics.tape.owner
    own.reported(rule.metrics)
    metrics.tape.owner = type(rule).__name__
    result: Any = rule.step(state, own, epoch)
    metrics.tape.owner = outer
    if not isinstance(result, tuple) or len(result) != 2:  # a pair
        raise RuleError(f"`{type(rule).__name__}.step` must return (state, fires), got {result!r}")
    return result


class AnyOf(Rule):
    """`a | b`: fires when any of its rules fires.

    >>> from earlystop import MaxEpochs, NonFinite
    >>> rule = MaxEpochs(100) | NonFinite("loss")
    >>> rule, rule.rules[0]
    (MaxEpochs(100) | NonFinite('loss'), MaxEpochs(100))
    """

    rules: tuple[Rule, ...]

    def __init__(self, *rules: Rule) -> None:
        self._settle_items(_flat(AnyOf, rules))

    def validate(self) -> None:
        _need_rules(self, self.rules)

    def init(self) -> State:
        return tuple(rule.init() for rule in self.rules)

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        after, fires = _advance_all(self.rules, state, metrics, epoch)
        return after, functools.reduce(operator.or_, fires)

    def explain(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        return "; ".join(_explained(self.rules, state, metrics, epoch))

    def __repr__(self) -> str:
        return _joined(" | ", self, self.rules)


class AllOf(Rule):
    """`a & b`: fires when all of its rules fire at the same epoch.

    >>> from earlystop import MaxEpochs, Stopper, Threshold
    >>> stopper = Stopper(MaxEpochs(2) & Threshold("loss", 1.0))
    >>> [stopper.step({"loss": loss}).stop for loss in [0.5, 1.5, 0.5]]
    [False, False, True]
    """

    rules: tuple[Rule, ...]

    def __init__(self, *rules: Rule) -> None:
        self._settle_items(_flat(AllOf, rules))

    def validate(self) -> None:
        _need_rules(self, self.rules)

    def init(self) -> State:
        return tuple(rule.init() for rule in self.rules)

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        after, fires = _advance_all(self.rules, state, metrics, epoch)
        return after, functools.reduce(operator.and_, fires)

    def explain(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        reasons = list(_explained(self.rules, state, metrics, epoch))
        return " and ".join(reasons) if len(reasons) == len(self.rules) else ""

    def __repr__(self) -> str:
        return _joined(" & ", self, self.rules)


class Not(Rule):
    """`~a`: fires when the rule does not, at epochs that report every metric the rule needs.

    >>> from earlystop import Stopper, Threshold
    >>> stopper = Stopper(~Threshold("loss", 1.0), on_missing="skip")
    >>> [stopper.step(metrics).stop for metrics in [{"loss": 0.5}, {}, {"loss": 1.5}]]
    [False, False, True]
    """

    rule: Rule

    def init(self) -> State:
        return self.rule.init()

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        after, fires = advance(self.rule, state, metrics, epoch)
        return after, reported(metrics, self.all_metrics) & invert(fires)

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        return f"{self.rule!r} does not fire"

    def __repr__(self) -> str:
        return f"~({self.rule!r})" if _is_joined(self.rule) else f"~{self.rule!r}"


def _is_joined(rule: Rule) -> bool:
    return isinstance(rule, (AnyOf, AllOf)) and len(rule.rules) > 1


def _joined(symbol: str, owner: Rule, rules: tuple[Rule, ...]) -> str:
    if len(rules) == 1:
        return f"{type(owner).__name__}({rules[0]!r})"
    binds_less = symbol == " & "  # `|` within `&` needs brackets
    return symbol.join(
        f"({rule!r})" if binds_less and isinstance(rule, AnyOf) and _is_joined(rule) else repr(rule)
        for rule in rules
    )


def _flat(kind: type[AnyOf] | type[AllOf], rules: tuple[Any, ...]) -> tuple[Any, ...]:
    """`(a | b) | c` is `a | b | c`."""
    return tuple(
        part for rule in rules for part in (rule.rules if isinstance(rule, kind) else (rule,))
    )


def _advance_all(
    rules: tuple[Rule, ...], states: State, metrics: Any, epoch: Any
) -> tuple[State, list[Any]]:
    stepped = [advance(*part, metrics, epoch) for part in zip(rules, states, strict=True)]
    return tuple(after for after, _ in stepped), [fires for _, fires in stepped]


def _need_rules(owner: Rule, rules: tuple[Rule, ...]) -> None:
    if not rules:
        raise RuleError(f"`{type(owner).__name__}()` needs at least one rule")


def _explained(
    rules: tuple[Rule, ...], states: State, metrics: Mapping[str, float], epoch: int
) -> Iterator[str]:
    for rule, state in zip(rules, states, strict=True):
        reason = rule.explain(state, metrics, epoch)
        if reason:
            yield reason


def _dataclass_fields(cls: Any) -> tuple[dataclasses.Field[Any], ...]:
    """Subclasses of Rule are made dataclasses as they are defined, which no type checker sees."""
    return dataclasses.fields(cls)


_annotations_of: dict[type[Rule], dict[str, Any]] = {}


def _annotations(cls: type[Rule]) -> dict[str, Any]:
    """The annotations of a rule's fields, in order, resolved once per class."""
    if cls not in _annotations_of:
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
        _annotations_of[cls] = {name: hints[name] for name in names}
    return _annotations_of[cls]


def _plain(value: Any) -> Any:
    if isinstance(value, Rule):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def rule_named(name: str) -> type[Rule]:
    """The class of rules of this name. Raises RuleError, with the names there are, for none."""
    cls = _registry.get(name)
    if cls is None:
        known = name_advice(str(name), _registry, "rules")
        raise RuleError(
            f"there is no rule called {name!r}: {known} (a rule of your own must be imported first)"
        )
    return cls


def rule_names() -> list[str]:
    """The names of all rules there are, in alphabetical order."""
    return sorted(_registry)


def _rule_from(data: Any) -> Rule:
    if not (isinstance(data, Mapping) and len(data) == 1):
        raise RuleError(
            f'expected a rule as {{"Name": {{settings}}}}, such as {{"MaxEpochs": {{"n": 9}}}}, '
            f"got {data!r}"
        )
    ((name, settings),) = data.items()
    cls = rule_named(name)
    fields = _annotations(cls)
    if not isinstance(settings, Mapping) or set(settings) - set(fields):
        raise RuleError(f"expected the settings of {name} ({', '.join(fields)}), got {settings!r}")
    values = {field: _value_from(fields[field], value, name) for field, value in settings.items()}
    try:
        return cls._made(values)
    except (TypeError, KeyError) as error:
        if isinstance(error, RuleTypeError):
            raise
        raise RuleError(f"the settings of {name} are incomplete: {error}") from error


def _value_from(annotation: Any, value: Any, owner: str) -> Any:
    arguments = typing.get_args(annotation)
    if value is not None and type(None) in arguments:
        (annotation,) = (argument for argument in arguments if argument is not type(None))
    if isinstance(annotation, type) and issubclass(annotation, Rule):
        return _rule_from(value)
    if typing.get_origin(annotation) is tuple:
        if not isinstance(value, (list, tuple)):
            raise RuleError(f"expected a list in the settings of {owner}, got {value!r}")
        inner = typing.get_args(annotation)[0]
        return tuple(_value_from(inner, item, owner) for item in value)
    return value
