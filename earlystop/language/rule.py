"""Rules: what they are, how they combine, and the step that guards against missing metrics.

A rule is a pure predicate over checks: frozen settings (see `config.py`), `init() -> state`, and
`step(state, metrics, epoch) -> (next state, fires)`. The state is a value (a NamedTuple of numbers
and windows); a rule remembers nothing else. `step` is written in the operations of `ops.py`, so the
same code decides for a live run, for many logged runs at once, and in the compiled live loop.

A custom rule is one class:

>>> from typing import NamedTuple
>>> from earlystop import Rule
>>> class Rise(Rule):  # within one epoch, by more than `by`
...     monitor: str
...     by: float = 1.0
...     class State(NamedTuple):
...         previous: float = float("nan")
...     def step(self, state, metrics, epoch):
...         value = metrics[self.monitor]
...         return self.State(previous=value), value - state.previous > self.by
>>> Rise("loss", by=2) | ~Rise("val_loss")
Rise('loss', by=2.0) | ~Rise('val_loss')

The class becomes a frozen dataclass. Its annotations are checked when a rule is constructed. Its
name is its tag in JSON. Metrics are named in fields called `monitor`, `..._monitor` or `monitors`.
A check that lacks one of them never reaches `step` (see `advance`). Whole numbers in the state are
counters; arrays hold them in 64 bits.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..errors import RuleError, RuleTypeError
from .codec import rule_from_dict, rule_to_dict
from .config import Config
from .contract import check_class
from .ops import invert, reported, where
from .parser import parse_rule
from .positions import CHECKS, EPOCH
from .registry import register
from .traced_metrics import TracedMetrics, traced_step

if TYPE_CHECKING:
    from typing_extensions import Self
else:
    Self = Any

__all__ = ["AllOf", "AnyOf", "Not", "OnMissing", "Rule", "State", "advance"]

State = Any  # whatever `init()` returns: a NamedTuple, or () for a rule that remembers nothing

OnMissing = Literal["raise", "skip"]
"""What to do in an epoch without a rule's metric: raise an error, or skip that rule."""


class Rule(Config, abstract=True):
    """Base class of all rules; the docstring of this module shows how to write one.

    The constructor raises RuleError (a ValueError) for invalid settings, RuleTypeError (also a
    TypeError) for settings of the wrong type.

    >>> from earlystop import Patience, Rule
    >>> Rule.from_dict(Patience("val_loss", patience=3).to_dict())
    Patience('val_loss', patience=3, mode='min')
    """

    dial: ClassVar[str | None] = None  # the field that only delays the rule, the larger it is

    def __init_subclass__(cls) -> None:
        check_class(cls, Rule)
        super().__init_subclass__()
        register(cls)

    def __new__(cls, *_: Any, **__: Any) -> Self:
        if cls is Rule:
            raise RuleTypeError("Rule is the base of rules: make one of its subclasses")
        return super().__new__(cls)

    # What a rule defines ---------------------------------------------------------------------

    def init(self) -> State:
        """The state before the first epoch: the class's `State()`, or () if it has none."""
        make: Any = getattr(self, "State", tuple)
        return make()

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        """Take one check; return the next state and whether the rule fires.

        `metrics[name]` is a number, or an array with one item per run; `epoch` is the number of the
        check, from 0 (`earlystop.ops.epochs_done` says how many epochs are done).
        """
        raise NotImplementedError(f"{type(self).__name__} has no `step`")

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        """Why the rule fired, given the state after the epoch on which it fired."""
        return f"{self!r} fires"

    def explain(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        """Why the rule fires at this epoch, given the state before it; "" if it does not."""
        after, fires = advance(self, state, metrics, epoch)
        return self.reason(after, metrics, epoch) if fires else ""

    # Derived from the settings ---------------------------------------------------------------

    @functools.cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that this rule's own `step` needs: those in `monitor` and `unit` fields."""
        names: list[str] = []
        for field, value in self.settings.items():
            if field == "monitor" or field.endswith("_monitor"):
                names.append(value)
            elif field == "monitors":
                names.extend(value)
            elif field == "unit" and value not in (CHECKS, EPOCH):
                names.append(value)
        return tuple(names)

    @functools.cached_property
    def children(self) -> tuple[Rule, ...]:
        """The rules that this rule combines or wraps."""
        return tuple(
            item
            for value in self.settings.values()
            for item in (value if isinstance(value, tuple) else (value,))
            if isinstance(item, Rule)
        )

    def with_children(self, children: tuple[Rule, ...]) -> Self:
        """A copy with other children, one for each of its own, in the same order."""
        replacements = iter(children)
        changes: dict[str, Any] = {}
        for field, value in self.settings.items():
            if isinstance(value, Rule):
                changes[field] = next(replacements)
            elif isinstance(value, tuple) and any(isinstance(item, Rule) for item in value):
                changes[field] = tuple(
                    next(replacements) if isinstance(x, Rule) else x for x in value
                )
        return self.replace(**changes)

    @functools.cached_property
    def all_metrics(self) -> tuple[str, ...]:
        """The metrics that this rule or any rule inside it reads, without repetition."""
        names = [*self.metrics, *(name for child in self.children for name in child.all_metrics)]
        return tuple(dict.fromkeys(names))

    @functools.cached_property
    def all_units(self) -> tuple[str, ...]:
        """The metrics in which this rule or any rule inside it counts; they must never fall."""
        unit = self.settings.get("unit", CHECKS)
        inner = (name for child in self.children for name in child.all_units)
        return tuple(dict.fromkeys((*(() if unit in (CHECKS, EPOCH) else (unit,)), *inner)))

    # JSON and text ---------------------------------------------------------------------------

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The rule as plain JSON data, tagged with its name; see `from_dict`."""
        return rule_to_dict(self)

    @staticmethod
    def from_dict(data: Any) -> Rule:
        """The rule that `to_dict` wrote. Raises RuleError for any other data.

        >>> from earlystop import MaxEpochs, Rule
        >>> Rule.from_dict({"MaxEpochs": {"n": 100}}), MaxEpochs(100).to_dict()
        (MaxEpochs(100), {'MaxEpochs': {'n': 100}})
        """
        rule: Rule = rule_from_dict(data)
        return rule

    @staticmethod
    def from_text(text: str) -> Rule:
        """The rule in a text as `repr` writes it, never evaluated. Raises RuleError for any other.

        >>> from earlystop import Rule
        >>> Rule.from_text("Patience('val_loss', 20) | NonFinite('loss')")
        Patience('val_loss', patience=20, mode='min') | NonFinite('loss')
        """
        rule: Rule = parse_rule(text)
        return rule

    # Combining -------------------------------------------------------------------------------

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


def advance(rule: Rule, state: State, metrics: Any, epoch: Any) -> tuple[State, Any]:
    """One guarded step: a rule whose metrics are missing keeps its state and does not fire.

    A rule made of rules must advance all of them through this function at every epoch: a rule that
    is skipped because another has already decided would lose count.
    """
    present = reported(metrics, rule.metrics)
    if present is False:
        return state, False
    if isinstance(metrics, TracedMetrics):
        after, fires = traced_step(rule, state, metrics, epoch)
    else:
        after, fires = rule.step(state, metrics, epoch)
    if present is True:
        return after, fires
    return where(present, after, state), present & fires


class AnyOf(Rule):
    """`a | b`: fires when any of its rules fires.

    >>> from earlystop import MaxEpochs, NonFinite
    >>> (MaxEpochs(100) | NonFinite("loss")).rules
    (MaxEpochs(100), NonFinite('loss'))
    """

    rules: tuple[Rule, ...]

    def __init__(self, *rules: Rule) -> None:
        self._set_items(_flattened(AnyOf, rules))

    def validate(self) -> None:
        _require_rules(self)

    def init(self) -> State:
        return tuple(rule.init() for rule in self.rules)

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        after, fires = _advance_all(self.rules, state, metrics, epoch)
        return after, functools.reduce(operator.or_, fires)

    def explain(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        return "; ".join(_reasons(self.rules, state, metrics, epoch))

    def __repr__(self) -> str:
        return _joined_repr(" | ", self)


class AllOf(Rule):
    """`a & b`: fires when all of its rules fire at the same epoch.

    >>> from earlystop import MaxEpochs, Stopper, Threshold
    >>> stopper = Stopper(MaxEpochs(2) & Threshold("loss", 1.0))
    >>> [stopper.step({"loss": loss}).stop for loss in [0.5, 1.5, 0.5]]
    [False, False, True]
    """

    rules: tuple[Rule, ...]

    def __init__(self, *rules: Rule) -> None:
        self._set_items(_flattened(AllOf, rules))

    def validate(self) -> None:
        _require_rules(self)

    def init(self) -> State:
        return tuple(rule.init() for rule in self.rules)

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        after, fires = _advance_all(self.rules, state, metrics, epoch)
        return after, functools.reduce(operator.and_, fires)

    def explain(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        reasons = list(_reasons(self.rules, state, metrics, epoch))
        return " and ".join(reasons) if len(reasons) == len(self.rules) else ""

    def __repr__(self) -> str:
        return _joined_repr(" & ", self)


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


def _joined_repr(symbol: str, owner: AnyOf | AllOf) -> str:
    rules = owner.rules
    if len(rules) == 1:
        return f"{type(owner).__name__}({rules[0]!r})"
    binds_less = symbol == " & "  # `|` within `&` needs brackets
    return symbol.join(
        f"({rule!r})" if binds_less and isinstance(rule, AnyOf) and _is_joined(rule) else repr(rule)
        for rule in rules
    )


def _flattened(kind: type[AnyOf] | type[AllOf], rules: tuple[Any, ...]) -> tuple[Any, ...]:
    """The rules, with nested ones of this kind flattened: `(a | b) | c` is `a | b | c`."""
    parts = (rule.rules if isinstance(rule, kind) else (rule,) for rule in rules)
    return tuple(itertools.chain.from_iterable(parts))


def _require_rules(owner: AnyOf | AllOf) -> None:
    if not owner.rules:
        raise RuleError(f"`{type(owner).__name__}()` needs at least one rule")


def _advance_all(
    rules: tuple[Rule, ...], states: State, metrics: Any, epoch: Any
) -> tuple[State, list[Any]]:
    stepped = [
        advance(rule, state, metrics, epoch) for rule, state in zip(rules, states, strict=True)
    ]
    return tuple(after for after, _ in stepped), [fires for _, fires in stepped]


def _reasons(
    rules: tuple[Rule, ...], states: State, metrics: Mapping[str, float], epoch: int
) -> Iterator[str]:
    for rule, state in zip(rules, states, strict=True):
        reason = rule.explain(state, metrics, epoch)
        if reason:
            yield reason
