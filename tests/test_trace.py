"""The compiled steps: what a rule's `step` may not do, and that it is told so at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import earlystop as es
from earlystop.ops import divide, push, sqrt, total, where

nan = math.nan


def rule_of(step: Callable[..., Any], **state: Any) -> es.Rule:
    """A rule with this step, and a state of these fields."""
    state_type = NamedTuple("State", [(name, Any) for name in state])  # type: ignore[misc]
    namespace = {
        "__annotations__": {"monitor": str},
        "__module__": __name__,
        "step": step,
        "init": lambda self: state_type(**state),
    }
    cls: Any = type("Mine", (es.Rule,), namespace)
    made: es.Rule = cls("loss")
    return made


REFUSED: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    "if": (
        lambda self, s, m, e: (s, True if m["loss"] > 1 else m["loss"] < 0),
        {},
        "asks for the truth of a metric or state",
    ),
    "and": (
        lambda self, s, m, e: (s, m["loss"] > 1 and m["loss"] < 2),
        {},
        "asks for the truth of a metric or state",
    ),
    "not": (lambda self, s, m, e: (s, not m["loss"] > 1), {}, "asks for the truth of"),
    "min": (lambda self, s, m, e: (s, min(m["loss"], 1) > 2), {}, "asks for the truth of"),
    "a chain": (lambda self, s, m, e: (s, 0 < m["loss"] < 2), {}, "asks for the truth of"),
    "math": (lambda self, s, m, e: (s, math.sqrt(m["loss"]) > 2), {}, "turns a metric or state"),
    "int": (lambda self, s, m, e: (s, int(m["loss"]) > 2), {}, "turns a metric or state into a"),
    "round": (lambda self, s, m, e: (s, round(m["loss"]) > 2), {}, "turns a metric or state into"),
    "a divisor that may be 0": (
        lambda self, s, m, e: (s, 1 / m["loss"] > 2),
        {},
        "uses `/` with a divisor that may be 0",
    ),
    "division by 0": (lambda self, s, m, e: (s, m["loss"] / 0 > 2), {}, "uses `/` with a divisor"),
    "iterating": (
        lambda self, s, m, e: (s, sum(s.window) > 2),
        {"window": (nan, nan)},
        "iterates over a window",
    ),
    "the length of a window": (
        lambda self, s, m, e: (s, len(s.window) > 2),
        {"window": (nan, nan)},
        "asks for the length of a window",
    ),
    "comparing a window": (
        lambda self, s, m, e: (s, s.window > 2),
        {"window": (nan, nan)},
        "compares a window",
    ),
    "adding to a window": (
        lambda self, s, m, e: (s, s.window + 1 > 2),
        {"window": (nan, nan)},
        "computes window + int",
    ),
    "indexing a number": (
        lambda self, s, m, e: (s, m["loss"][0] > 2),
        {},
        "takes an item of a num",
    ),
    "logic on numbers": (
        lambda self, s, m, e: (s, m["loss"] & True),
        {},
        "uses `&` or `|` on numb",
    ),
    "adding truths": (
        lambda self, s, m, e: (s, (m["loss"] > 1) + (m["loss"] > 2) > 1),
        {},
        "computes bool + bool",
    ),
    "a number as condition": (
        lambda self, s, m, e: (s, where(m["loss"], 1, 2) > 1),
        {},
        "gives `where` a number to decide on",
    ),
    "text": (lambda self, s, m, e: (s, m["loss"] > "1"), {}, "computes with '1': expected a numb"),
    "an answer that is no truth": (
        lambda self, s, m, e: (s, m["loss"]),
        {},
        "must say whether it fires with a truth value, not a float",
    ),
    "a metric it did not name": (
        lambda self, s, m, e: (s, m["val_loss"] > 1),
        {},
        "reads the metric 'val_loss', which is not among its monitors",
    ),
    "a state of another shape": (
        lambda self, s, m, e: ((m["loss"],), True),
        {"value": nan},
        "returned a state of another shape than `init()`",
    ),
    "a whole number that becomes a fraction": (
        lambda self, s, m, e: (s._replace(value=m["loss"]), True),
        {"value": 0},
        "turns a int of its state",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_step_that_cannot_run_on_many_is_refused_when_the_stopper_is_made(what: str) -> None:
    step, state, text = REFUSED[what]
    rule = rule_of(step, **state)
    with pytest.raises(es.RuleError) as caught:
        es.Stopper(rule)
    assert text in str(caught.value)
    assert "`Mine.step`" in str(caught.value)


ALLOWED: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "arithmetic": (lambda self, s, m, e: (s, (2 - -m["loss"] * 3 + 1) / 4 - 1 > 0.5), {}),
    "the epoch": (lambda self, s, m, e: (s, (e % 3 == 1) | (e * 2 == 4) | (-e < -5)), {}),
    "equality": (lambda self, s, m, e: (s, (m["loss"] == 1) | (m["loss"] != m["loss"])), {}),
    "constants": (lambda self, s, m, e: (s, True & (m["loss"] > 1) | False), {}),
    "a window": (
        lambda self, s, m, e: (
            s._replace(window=push(s.window, m["loss"])),
            (total(s.window) + s.window[0] - s.window[-1] > 1),
        ),
        {"window": (0.0, 0.0, 0.0)},
    ),
    "builtin sum over numbers of a window": (
        lambda self, s, m, e: (
            s._replace(window=push(s.window, m["loss"])),
            s.window[0] + s.window[1] > 1,
        ),
        {"window": (0.0, 0.0)},
    ),
    "operations": (
        lambda self, s, m, e: (s, sqrt(divide(m["loss"], m["loss"] - 1)) + abs_of(m["loss"]) > 1),
        {},
    ),
    "truths in arithmetic with numbers": (
        lambda self, s, m, e: (s._replace(count=s.count + (m["loss"] > 1)), s.count >= 2),
        {"count": 0},
    ),
    "a truth in the state": (
        lambda self, s, m, e: (s._replace(seen=s.seen | (m["loss"] > 1)), s.seen),
        {"seen": False},
    ),
}


def abs_of(value: Any) -> Any:
    from earlystop.ops import absolute

    return absolute(value)


@pytest.mark.parametrize("what", ALLOWED)
def test_what_is_allowed_means_the_same_for_one_and_for_many(what: str) -> None:
    step, state = ALLOWED[what]
    rule = rule_of(step, **state)
    losses = [[0.0, 1.0, 2.0, 3.0, nan, -1.0, math.inf, 0.5], [2.0] * 8] * 20
    history = es.History({"loss": losses})
    many = es.replay(rule, history, save=rule)
    stopper = es.Stopper(rule, rule)
    for run in range(2):
        stopper.reset()
        for value in losses[run]:
            if stopper.step({"loss": value}).stop:
                break
        assert stopper.epoch == many.epochs[run]
        assert stopper.stopped == many.stopped[run]
        before, fired = rule.init(), []
        for epoch, value in enumerate(losses[run]):
            before, fires = rule.step(before, {"loss": value}, epoch)
            fired.append(bool(fires))
        first = fired.index(True) + 1 if any(fired) else len(fired)
        assert first == stopper.epoch


def test_the_compiled_function_can_be_read() -> None:
    stopper = es.Stopper(es.Threshold("loss", 0.5), es.MaxEpochs(3))
    assert stopper._advance.__doc__ == (
        "def advance(state, m, epoch):\n"
        "    s0, = state\n"
        "    t0 = m['loss']\n"
        "    t2 = s0 + 1\n"
        "    return (t2,), (t0 <= 0.5), (t2 >= 3)"
    )


def test_names_of_metrics_cannot_break_out_of_the_compiled_function() -> None:
    name = "'] or __import__('os').abort() #\\\n\""
    stopper = es.Stopper(es.Threshold(name, 1.0, mode="min"), on_missing="skip")
    assert stopper.step({name: 0.5}).stop
    assert not es.Stopper(es.Threshold(name, 1.0, mode="min")).step({name: 2.0}).stop


def test_names_of_metrics_are_not_taken_for_values() -> None:
    rule = es.Threshold("t0", 1.0, mode="min") & es.Threshold("s0", 1.0, mode="min")
    stopper = es.Stopper(rule & es.MaxEpochs(1) & es.NonFinite("t2", "epoch"))
    metrics = {"t0": 0.0, "s0": 0.0, "t2": nan, "epoch": 5.0}
    assert stopper.step(metrics).reason.endswith("t2 is nan")


def test_a_window_of_thousands_compiles() -> None:
    stopper = es.Stopper(es.Plateau("loss", 5000, 0.1))
    assert not stopper.step({"loss": 1.0}).stop
