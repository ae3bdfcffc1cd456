"""Rules within rules, and rules of very many parts: they work, or are refused at once."""

from __future__ import annotations

import copy
import json
import pickle
import time
from collections.abc import Callable
from typing import Any

import pytest

import earlystop as es
from earlystop._nesting import MAX_DEPTH

WRAPPERS: dict[str, Callable[[es.Rule], es.Rule]] = {
    "Not": lambda rule: ~rule,
    "Warmup": lambda rule: es.Warmup(rule, epochs=1),
    "Smoothed": lambda rule: es.Smoothed(rule, "loss", window=2),
    "Filtered": lambda rule: es.Filtered(rule, by=es.Always()),
    "AnyOf and AllOf": lambda rule: es.Every(1) | (es.Every(1) & rule),
}


def deepest(wrap: Callable[[es.Rule], es.Rule]) -> es.Rule:
    """The rule, wrapped as often as is allowed."""
    rule: es.Rule = es.Patience("loss", 2)
    for _ in range(MAX_DEPTH + 1):
        try:
            rule = wrap(rule)
        except es.RuleError:
            return rule
    raise AssertionError("nesting has no bound")


def within(frames: int, call: Callable[[], Any]) -> Any:
    """What the call returns, with so many frames on the stack already."""
    return call() if frames == 0 else within(frames - 1, call)


@pytest.mark.parametrize("name", WRAPPERS)
def test_rules_as_deep_as_allowed_do_all_that_rules_do(name: str) -> None:
    rule = deepest(WRAPPERS[name])
    with pytest.raises(es.RuleError, match="nested at most 50 deep"):
        WRAPPERS[name](WRAPPERS[name](rule))
    history = es.History({"loss": [[1.0] * 60] * 2})

    def use() -> None:
        twin = pickle.loads(pickle.dumps(rule))
        assert twin == copy.deepcopy(rule) == rule
        assert hash(twin) == hash(rule)
        assert es.Rule.from_text(repr(rule)) == rule
        assert es.Rule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule
        stopper = es.Stopper(rule)
        stopper.step({"loss": 1.0})
        es.Stopper(rule).load_state_dict(stopper.state_dict())
        replayed = es.replay(rule, history)
        assert len(replayed.decisions(0)) == replayed.epochs[0]

    within(400, use)


def test_data_of_rules_nested_by_the_thousand_is_refused() -> None:
    for outer in (
        lambda data: {"Not": {"rule": data}},
        lambda data: {"Warmup": {"rule": data, "epochs": 1}},
        lambda data: {"AnyOf": {"rules": [data]}},
        lambda data: [data],
        lambda data: {"NonFinite": {"monitors": data}},
        lambda data: {"MaxEpochs": {"n": data}},
    ):
        data: Any = es.NonFinite().to_dict()
        for _ in range(100_000):
            data = outer(data)
        with pytest.raises(es.RuleError) as caught:
            es.Rule.from_dict(data)
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "text",
    [
        *("~" * 9000 + "Never()", "(" * 4000 + "Never()" + ")" * 4000),
        *("Warmup(" * 500 + "Never()", "AnyOf(" * 1000 + ")" * 1000, "[" * 9000, "-" * 9000 + "1"),
        *("MaxEpochs(" + "9" * 5000 + ")", "NonFinite(" + "(" * 90 + ")" * 90 + ")"),
        "Warmup(" * 60 + "Never()" + ", 1)" * 60,
    ],
)
def test_text_of_rules_nested_by_the_thousand_is_refused(text: str) -> None:
    with pytest.raises(es.RuleError):
        es.Rule.from_text(text)


def test_a_thousand_rules_combined_one_by_one_are_one_rule_and_more_are_refused_at_once() -> None:
    rule: es.Rule = es.Threshold("loss", 0)
    began = time.process_time()
    for value in range(1, 1000):
        rule = rule | es.Threshold("loss", -value)
    assert time.process_time() - began < 5
    assert len(rule.children) == 1000
    assert es.Stopper(rule).step({"loss": 0.0}).stop
    with pytest.raises(es.RuleError, match="at most 1,000"):
        rule | es.Never()


@pytest.mark.parametrize(
    "make",
    [
        es.MaxEpochs,
        es.TimeLimit,
        lambda value: es.Threshold("loss", value),
        lambda value: es.Patience("loss", value),
        lambda value: es.Patience("loss", mode=value),
        es.Patience,
        es.NonFinite,
        lambda value: es.Warmup(value, epochs=2),
        es.AnyOf,
    ],
)
def test_a_setting_is_refused_whatever_it_is(make: Callable[[Any], es.Rule]) -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for value in (10**5000, -(10**400), deep, {"a": deep}, object(), b"x" * 1000, None, 1j):
        with pytest.raises(es.RuleError) as caught:
            make(value)
        assert len(str(caught.value)) < 1000
