"""What a rule's `step` may do and what it may not, which is refused when a stopper is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import earlystop as es
from earlystop.engine.scalar import compile_scalar
from earlystop.ops import (
    any_nonfinite,
    divide,
    invert,
    isfinite,
    push,
    reported,
    sqrt,
    total,
    where,
)

nan = math.nan


class Lookalike(NamedTuple):
    """Has the field that the states below have, but is none of them."""

    value: float


def rule_of(step: Callable[..., Any], **state: Any) -> es.Rule:
    """A rule with this step, and a state of these fields."""
    state_type = NamedTuple("State", [(name, Any) for name in state])
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
    "a slice": (
        lambda self, s, m, e: (s, s.window[1:] == 2),
        {"window": (nan, nan)},
        "takes a slice of a window",
    ),
    "a power": (lambda self, s, m, e: (s, m["loss"] ** 2 > 2), {}, "uses `**`"),
    "floor division": (lambda self, s, m, e: (s, m["loss"] // 2 > 2), {}, "uses `//`"),
    "tilde": (lambda self, s, m, e: (s, ~(m["loss"] > 2)), {}, "uses `~` on a truth value"),
    "minus a truth": (lambda self, s, m, e: (s, -(m["loss"] > 2) < 0), {}, "negates a truth value"),
    "doubling a counter": (
        lambda self, s, m, e: (s._replace(count=s.count * 2), s.count > 9),
        {"count": 1},
        "multiplies whole numbers",
    ),
    "a choice between kinds": (
        lambda self, s, m, e: (s, where(m["loss"] > 1, True, 0.5) > 0),
        {},
        "chooses between a bool and a float",
    ),
    "asking with in": (lambda self, s, m, e: (s, "loss" in m), {}, "iterates over the metrics"),
    "going through": (lambda self, s, m, e: (s, [*m] == 1), {}, "iterates over the metrics"),
    "get": (lambda self, s, m, e: (s, m.get("loss") > 1), {}, "iterates over the metrics"),
    "no pair": (lambda self, s, m, e: m["loss"] > 1, {}, "must return (state, fires), got <a bool"),
    "a state that remembers no number": (
        lambda self, s, m, e: (s, True),
        {"value": None},
        "must give a NamedTuple of numbers and windows",
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
    "a state of another type with the same fields": (
        lambda self, s, m, e: (Lookalike(m["loss"]), True),
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
    assert "`Mine." in str(caught.value)


def test_a_metric_named_by_another_rule_must_still_be_named() -> None:
    rule = rule_of(lambda self, s, m, e: (s, m["acc"] > 3))
    for both in (es.Threshold("acc", 9) | rule, rule | es.Threshold("acc", 9)):
        with pytest.raises(es.RuleError, match=r"`Mine.step` reads the metric 'acc', which is not"):
            es.Stopper(both)


def test_a_step_may_ask_whether_a_metric_is_reported() -> None:
    def step(self: Any, state: Any, metrics: Any, epoch: Any) -> Any:
        extra = where(reported(metrics, ("aux",)), metrics["aux"], 0.0)
        return state, metrics["loss"] + extra > 3

    rule = rule_of(step)
    epochs: list[dict[str, float]] = [
        {"loss": 1.0},
        {"loss": 1.0, "aux": 1.0},
        {"loss": 2, "aux": 2},
    ]
    for on_missing in ("raise", "skip"):
        stopper = es.Stopper(rule, on_missing=on_missing)
        assert [stopper.step(metrics).stop for metrics in epochs] == [False, False, True]
    columns = {name: [m.get(name) for m in epochs] for name in ("loss", "aux")}
    for runs in (1, 30):
        result = es.replay(rule, es.History.from_runs([columns] * runs))
        assert result.epochs.tolist() == [3] * runs
        without = es.replay(rule, es.History({"loss": [[1.0, 2.0, 4.0]] * runs}))
        assert without.epochs.tolist() == [3] * runs


def test_a_step_may_look_at_all_metrics_without_naming_them() -> None:
    rule = rule_of(lambda self, s, m, e: (s, any_nonfinite(m)))
    for runs in (1, 30):
        history = es.History({"loss": [[1.0, 1.0, 1.0]] * runs, "acc": [[1.0, nan, 1.0]] * runs})
        assert es.replay(rule, history).epochs.tolist() == [2] * runs


def test_a_named_metric_must_be_there_even_where_step_does_not_read_it() -> None:
    stopper = es.Stopper(rule_of(lambda self, s, m, e: (s, e >= 5)))
    with pytest.raises(es.MissingMetricError, match="no metric 'loss' at epoch 0"):
        stopper.step({"acc": 1.0})


def test_a_gap_reads_as_nan() -> None:
    def step(self: Any, state: Any, metrics: Any, epoch: Any) -> Any:
        reported(metrics, ("aux",))
        return state, metrics["aux"] > -1000

    aux = np.ma.MaskedArray([[99.0, 99.0, 1.0]], mask=[[1, 1, 0]])
    for runs in (1, 30):
        history = es.History({"loss": np.ones((runs, 3)), "aux": np.ma.concatenate([aux] * runs)})
        assert es.replay(rule_of(step), history).epochs.tolist() == [3] * runs


def test_the_value_under_a_gap_is_never_read() -> None:
    wrapped = es.Smoothed(es.Threshold("loss", 0.5), "loss", window=2)
    losses = np.ma.MaskedArray([[1.0, 2.0, -99.0, 1.0]], mask=[[0, 0, 1, 0]])
    for runs in (1, 30):
        history = es.History({"loss": np.ma.concatenate([losses] * runs)})
        assert not es.replay(wrapped, history).stopped.any()


def share_a_change(self: Any, state: Any, metrics: Any, epoch: Any) -> Any:
    new = where(metrics["loss"] > 1, metrics["loss"], state.a)
    return state._replace(a=new, b=new), (new > -1) & (state.b > 2.5)


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
    "abs": (lambda self, s, m, e: (s, abs(m["loss"]) > 1), {}),
    "two leaves that become one": (
        lambda self, s, m, e: (
            s._replace(a=m["loss"] * 2, b=m["loss"] * 2),
            (s.a > 1) & (s.b > 3),
        ),
        {"a": 0.0, "b": 1.0},
    ),
    "two leaves that share a change, one read after it": (share_a_change, {"a": 0.0, "b": 1.0}),
    "a leaf that decides on itself": (
        lambda self, s, m, e: (
            s._replace(seen=where(s.seen, m["loss"] > 1, invert(s.seen))),
            s.seen,
        ),
        {"seen": False},
    ),
    "a counter beyond 32 bits": (
        lambda self, s, m, e: (s._replace(count=s.count + 1), s.count > 2**31),
        {"count": 2**31 - 2},
    ),
    "leaves that swap their values": (
        lambda self, s, m, e: (s._replace(a=s.b, b=s.a + 1.0), s.a >= 2),
        {"a": 0.0, "b": 0.5},
    ),
    "NumPy's numbers": (
        lambda self, s, m, e: (s, m["loss"] * np.float64(2) > np.log(np.float64(3)) + np.int64(1)),
        {},
    ),
    "a window that is moved on now and then": (
        lambda self, s, m, e: (
            s._replace(window=where(isfinite(m["loss"]), push(s.window, m["loss"]), s.window)),
            total(s.window) > 4,
        ),
        {"window": (0, 0)},
    ),
    "the epoch against the state": (
        lambda self, s, m, e: (s._replace(due=s.due + 1), (e >= s.due) & (e >= 0)),
        {"due": -2},
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


def test_a_window_begun_with_whole_numbers_is_saved_and_loaded() -> None:
    step, state = ALLOWED["a window that is moved on now and then"]
    stopper = es.Stopper(rule_of(step, **state))
    stopper.step({"loss": 0.5})
    other = es.Stopper(stopper.stop)
    other.load_state_dict(stopper.state_dict())
    assert other.state_dict() == stopper.state_dict()


@pytest.mark.parametrize("what", ALLOWED)
def test_what_a_step_may_do_means_the_same_for_one_run_and_for_many(what: str) -> None:
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
    advance = compile_scalar((es.Threshold("loss", 0.5), es.MaxEpochs(3)), "raise")
    assert advance.__doc__ == (
        "def advance(state, m, epoch, at=None):\n"
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
