"""The registry of rules, and what a class must not do to be entered into it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import pytest

import earlystop as es
from earlystop.language.config import field_annotations
from earlystop.language.registry import preserved, registered, rule_named, rule_names

RESERVED = [name for name in dir(es.Rule) if not name.startswith("_")]


def define(name: str, annotations: dict[str, Any], **attributes: Any) -> type[es.Rule]:
    namespace = {
        "__annotations__": annotations,
        "__module__": __name__,
        "step": lambda self, state, metrics, epoch: (state, True),
        **attributes,
    }
    cls: type[es.Rule] = type(name, (es.Rule,), namespace)
    return cls


def test_a_rule_is_registered_as_its_class_is_defined() -> None:
    cls = define("Registered", {"monitor": "str"})
    assert registered()[-1] is cls
    assert rule_named("Registered") is cls
    assert "Registered" in rule_names()


def test_an_unknown_rule_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(es.RuleError, match=r"no rule called 'patience'.*did you mean 'Patience'"):
        rule_named("patience")


def test_rules_defined_in_a_preserved_block_are_forgotten_even_after_an_error() -> None:
    before = registered()

    def fail() -> None:
        with preserved():
            define("Brief", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert registered() == before


@pytest.mark.parametrize("name", RESERVED)
def test_a_field_that_would_hide_an_attribute_of_every_rule_is_refused(name: str) -> None:
    with pytest.raises(es.RuleError, match=f"`Mine.{name}` cannot be a field, because every rule"):
        define("Mine", {"monitor": "str", name: "float"})
    with pytest.raises(es.RuleError, match=f"`Mine.{name}` cannot be a field, because every rule"):
        define("Mine", {name: "int"}, **{name: 3})
    assert "Mine" not in rule_names()


def test_the_names_that_the_library_uses_on_rules_are_reserved() -> None:
    assert {"metrics", "children", "settings", "init", "step", "reason", "validate"} <= set(
        RESERVED
    )


def test_a_class_variable_or_a_property_may_say_what_a_rule_reads() -> None:
    class Fixed(es.Rule):
        metrics: ClassVar[tuple[str, ...]] = ("loss",)

        def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
            return state, metrics["loss"] > 3

    assert es.Stopper(Fixed()).step({"loss": 4.0}).stop
    with pytest.raises(es.MissingMetricError, match="no metric 'loss'"):
        es.Stopper(Fixed()).step({"acc": 4.0})


def test_a_subclass_of_a_rule_may_change_its_fields() -> None:
    class Patient(es.Patience):
        patience: int = 50

    assert Patient("loss").patience == 50
    assert list(field_annotations(Patient)) == list(field_annotations(es.Patience))


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(es.RuleError, match="a rule called 'Patience' already exists"):

        class Patience(es.Rule):
            pass


def test_classes_that_cannot_keep_the_contract_are_refused_when_they_are_written() -> None:
    with pytest.raises(es.RuleError, match=r"must take \(self, state, metrics, epoch\)"):

        class TwoArguments(es.Rule):
            def step(self, state: Any, metrics: Any) -> Any:
                return state, True

    with pytest.raises(es.RuleError, match="put its own checks in `validate`"):

        class OwnChecks(es.Rule):
            def __post_init__(self) -> None:
                pass

    with pytest.raises(es.RuleError, match="must define `step"):

        class Stepless(es.Rule):
            monitor: str


def test_a_rule_in_a_function_may_be_defined_again() -> None:
    def make() -> es.Rule:
        class Mine(es.Rule):
            class State(NamedTuple):
                seen: int = 0

            def step(self, state: State, metrics: Any, epoch: Any) -> tuple[State, Any]:
                return self.State(state.seen + 1), state.seen >= 1

        return Mine()

    first, second = make(), make()
    assert [es.Stopper(rule).step({}).stop for rule in (first, second)] == [False, False]


def made_in_a_function(use: Callable[[es.Rule], object]) -> weakref.ref[type[es.Rule]]:
    class Made(es.Rule):
        monitor: str

        class State(NamedTuple):
            seen: int = 0

        def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
            return self.State(state.seen + 1), metrics[self.monitor] > 0

    rule = Made("loss")
    assert es.Rule.from_dict(rule.to_dict()) == es.Rule.from_text(repr(rule)) == rule
    use(rule)
    return weakref.ref(Made)


def test_rule_classes_made_in_a_loop_are_freed() -> None:
    made = [made_in_a_function(repr) for _ in range(1000)]
    gc.collect()
    assert [ref() for ref in made if ref() is not None] == []
    assert "Made" not in rule_names()


def test_rule_classes_of_stoppers_made_in_a_loop_are_freed_but_for_the_last_compiled() -> None:
    def use(rule: es.Rule) -> None:
        es.Stopper(rule).step({"loss": 0.0})
        es.replay(rule, es.History({"loss": [[0.0, 1.0]] * 3}))

    made = [made_in_a_function(use) for _ in range(400)]
    gc.collect()
    assert sum(ref() is not None for ref in made) <= 256
