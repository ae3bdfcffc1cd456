"""The contract: what holds for every rule. New rules are found automatically."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.engine.scalar import compile_scalar
from earlystop.language.positions import DERIVED, EPOCH, STEP
from earlystop.language.rule import advance
from earlystop.language.state import flatten, unflatten
from earlystop.replaying.decide import decide
from earlystop.replaying.tuning import Tuning
from tests.support.own_rule import Leap
from tests.support.positions import positions_in, seen_by_rules
from tests.support.random_rules import METRICS, has_children, library_rules
from tests.support.strategies import histories, rules, rules_of, stepped

SIDE_BY_SIDE = Tuning(few_runs=0)

every_rule = pytest.mark.parametrize("cls", library_rules(), ids=lambda cls: cls.__name__)


def same(a: Any, b: Any) -> bool:
    """Equal to the last bit, and of the same shape; NaN equals NaN."""
    x, y = flatten(a), flatten(b)
    flat_x = [v for leaf in x for v in (leaf if isinstance(leaf, tuple) else (leaf,))]
    flat_y = [v for leaf in y for v in (leaf if isinstance(leaf, tuple) else (leaf,))]
    return len(flat_x) == len(flat_y) and all(
        float(p).hex() == float(q).hex() for p, q in zip(flat_x, flat_y, strict=True)
    )


def outcome(decisions: list[es.Decision]) -> tuple[int, bool, int]:
    saved = [decision.check for decision in decisions if decision.save]
    stopped = bool(decisions) and decisions[-1].stop
    return len(decisions), stopped, saved[-1] if saved else -1


def test_every_rule_of_the_public_surface_is_under_contract() -> None:
    public = {
        thing
        for name in es.__all__
        if isinstance(thing := getattr(es, name), type) and issubclass(thing, es.Rule)
    }
    assert public - {es.Rule} == set(library_rules())
    assert len(public) > 19


@every_rule
@given(data=st.data())
def test_vectorized_replay_takes_the_decisions_of_stepping(cls: type[es.Rule], data: Any) -> None:
    stop, save = data.draw(rules_of(cls)), data.draw(rules(depth=1))
    if data.draw(st.booleans()):
        stop, save = save, stop
    history = data.draw(histories())
    stopper, seen = es.Stopper(stop, save, on_missing="skip"), seen_by_rules(history)
    together = decide(stopper.stop, stopper.save, seen, tuning=SIDE_BY_SIDE)
    one_by_one = decide(stopper.stop, stopper.save, seen)
    for run in range(len(history)):
        live = stepped(stop, save, history.records(run), on_missing="skip")
        assert outcome(live) == tuple(array[run] for array in together)
        assert outcome(live) == tuple(array[run] for array in one_by_one)
        assert all(bool(decision.reason) == decision.stop for decision in live)


@every_rule
@given(data=st.data())
def test_compiled_steps_are_the_steps_of_the_rule(cls: type[es.Rule], data: Any) -> None:
    rule, history = data.draw(rules_of(cls)), data.draw(histories(max_runs=1))
    on_missing = data.draw(st.sampled_from(["raise", "skip"]))
    seen = seen_by_rules(history)
    given = frozenset({EPOCH, STEP, *DERIVED} & set(seen.metrics))
    at = data.draw(st.booleans())
    compiled = compile_scalar((rule, es.Never()), on_missing, given, at=at)
    state, epoch = rule.init(), 0
    for metrics in seen.records(0):
        if on_missing == "raise" and not set(rule.all_metrics) <= set(metrics):
            continue
        reported, positions = metrics, None
        if at:
            reported = {name: value for name, value in metrics.items() if name not in given}
            positions = positions_in(metrics)
        flat, fires, _ = compiled(tuple(flatten(state)), reported, epoch, positions)
        state, plain_fires = advance(rule, state, metrics, epoch)
        epoch += 1
        assert fires is bool(plain_fires)
        assert same(unflatten(rule.init(), iter(flat)), state)


@every_rule
@given(data=st.data())
def test_a_run_cut_anywhere_goes_on_as_if_never_interrupted(cls: type[es.Rule], data: Any) -> None:
    stop, save = data.draw(rules_of(cls)), data.draw(rules(depth=1))
    records = data.draw(histories(max_runs=1)).records(0)
    whole = stepped(stop, save, records, on_missing="skip")
    cut = data.draw(st.integers(0, len(whole)))
    first = es.Stopper(stop, save, on_missing="skip")
    before = [first.step(metrics) for metrics in records[:cut]]
    text = json.dumps(first.state_dict(), allow_nan=False)
    second = es.Stopper(
        es.Rule.from_dict(json.loads(json.dumps(stop.to_dict()))), save, on_missing="skip"
    )
    second.load_state_dict(json.loads(text))
    after = [second.step(metrics) for metrics in records[cut : len(whole)]]
    assert before + after == whole
    assert second.stopped == (bool(whole) and whole[-1].stop)
    for metrics in records[cut : len(whole)]:
        first.step(metrics)
    assert json.dumps(second.state_dict()) == json.dumps(first.state_dict())


@every_rule
@given(data=st.data())
def test_json_and_repr_give_the_rule_back(cls: type[es.Rule], data: Any) -> None:
    rule = data.draw(rules_of(cls, depth=2))
    text = json.dumps(rule.to_dict(), allow_nan=False)
    assert es.Rule.from_dict(json.loads(text)) == rule
    again = eval(repr(rule), dict(vars(es)))  # noqa: S307  # that it can be is the point
    assert again == rule
    assert hash(again) == hash(rule)


@every_rule
@given(data=st.data())
def test_a_step_changes_neither_rule_nor_state(cls: type[es.Rule], data: Any) -> None:
    rule, history = data.draw(rules_of(cls)), data.draw(histories(max_runs=1))
    state, before = rule.init(), repr(rule)
    for epoch, metrics in enumerate(history.records(0)):
        state_before, metrics_before = repr(state), repr(metrics)
        once, twice = (advance(rule, state, metrics, epoch) for _ in range(2))
        assert same(once[0], twice[0])
        assert once[1] == twice[1]
        assert (repr(state), repr(metrics)) == (state_before, metrics_before)
        state = once[0]
    assert repr(rule) == before
    assert same(rule.init(), rule.init())


@every_rule
@given(data=st.data())
def test_a_run_is_not_affected_by_the_runs_beside_it(cls: type[es.Rule], data: Any) -> None:
    rule, history = data.draw(rules_of(cls)), data.draw(histories(max_runs=4))
    stopper = es.Stopper(rule, rule, on_missing="skip")
    seen = seen_by_rules(history)
    together = decide(stopper.stop, stopper.save, seen, tuning=SIDE_BY_SIDE)
    for run in range(len(history)):
        alone = es.History(
            {
                name: np.ma.MaskedArray(
                    array[run],
                    mask=~seen.reported(name)[run],
                )
                for name, array in seen.metrics.items()
            },
            lengths=seen.lengths[run : run + 1],
        )
        apart = decide(stopper.stop, stopper.save, alone, tuning=SIDE_BY_SIDE)
        assert [array[0] for array in apart] == [array[run] for array in together]


@every_rule
@given(data=st.data())
def test_an_epoch_without_the_rule_s_metrics_leaves_it_as_it_is(
    cls: type[es.Rule], data: Any
) -> None:
    rule = data.draw(rules_of(cls))
    if has_children(cls) or not rule.metrics:  # freezes its inner rules, or names no metric
        return
    records = data.draw(histories(max_runs=1)).records(0)
    state = rule.init()
    for epoch, metrics in enumerate(records):
        lacking = {name: value for name, value in metrics.items() if name not in rule.metrics}
        kept, fires = advance(rule, state, lacking, epoch)
        assert kept is state
        assert fires is False
        state, _ = advance(rule, state, metrics, epoch)


@pytest.mark.parametrize(
    "cls", [cls for cls in library_rules() if cls.dial], ids=lambda cls: cls.__name__
)
@given(data=st.data())
def test_a_larger_dial_never_fires_earlier(cls: type[es.Rule], data: Any) -> None:
    rule, history = data.draw(rules_of(cls)), data.draw(histories(max_runs=4, max_epochs=16))
    dial = str(cls.dial)
    values = {rule.settings[dial], data.draw(rules_of(cls)).settings[dial]}
    seen = seen_by_rules(history)
    earlier, *later = (
        decide(rule.replace(**{dial: value}), es.Never(), seen).epochs for value in sorted(values)
    )
    assert all((earlier <= each).all() for each in later)


def test_a_dial_must_be_a_field_of_the_rule() -> None:
    with pytest.raises(es.RuleError, match=r"Turned\.dial.*'nothing' is no field"):

        class Turned(es.Rule):
            dial = "nothing"
            monitor: str

            def step(self, state: Any, metrics: Any, epoch: Any) -> Any:
                return state, metrics[self.monitor] > 0


@every_rule
@given(data=st.data())
def test_rules_are_frozen_and_have_no_truth_value(cls: type[es.Rule], data: Any) -> None:
    rule = data.draw(rules_of(cls))
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.anything = 1
    with pytest.raises(TypeError, match="combine rules with"):
        bool(rule)


@every_rule
@given(data=st.data())
def test_reset_is_a_fresh_start(cls: type[es.Rule], data: Any) -> None:
    rule, history = data.draw(rules_of(cls)), data.draw(histories(max_runs=1))
    stopper = es.Stopper(rule, rule, on_missing="skip")
    fresh = json.dumps(stopper.state_dict())
    for metrics in history.records(0):
        if stopper.step(metrics).stop:
            break
    stopper.reset()
    assert json.dumps(stopper.state_dict()) == fresh


@given(a=rules(depth=1), b=rules(depth=1), history=histories(max_runs=1))
def test_or_and_and_not_are_logical_at_epochs_that_report_all_metrics(
    a: es.Rule, b: es.Rule, history: es.History
) -> None:
    composed, needed = (a | b, a & b, ~a), {*METRICS, *(a | b).all_metrics}
    states = [rule.init() for rule in (a, b, *composed)]
    for epoch, metrics in enumerate(history.records(0)):
        if not needed <= set(metrics):
            continue
        fires = []
        for index, rule in enumerate((a, b, *composed)):
            states[index], answer = advance(rule, states[index], metrics, epoch)
            fires.append(answer)
        in_a, in_b = fires[:2]
        assert fires[2:] == [in_a or in_b, in_a and in_b, not in_a]


@given(a=rules(depth=1), b=rules(depth=1), history=histories(max_runs=1))
def test_composition_keeps_the_laws_of_de_morgan(
    a: es.Rule, b: es.Rule, history: es.History
) -> None:
    needed = {*METRICS, *(a | b).all_metrics}
    records = [m for m in history.records(0) if needed <= set(m)]
    for left, right in ((~(a | b), ~a & ~b), (~(a & b), ~a | ~b)):
        saved_left = [d.save for d in stepped(es.Never(), left, records)]
        saved_right = [d.save for d in stepped(es.Never(), right, records)]
        assert saved_left == saved_right


def test_a_user_s_rule_works_everywhere() -> None:
    rule = Leap("loss", rise=2) | es.Patience("loss", 5)
    assert eval(repr(rule), {**vars(es), "Leap": Leap}) == rule  # noqa: S307
    assert es.Rule.from_dict(rule.to_dict()) == rule
    losses = [[3.0, 2.0, 4.5, 1.0], [3.0, 2.0, 3.0, 1.0]] * 20
    history = es.History({"loss": losses})
    result = es.replay(rule, history, save=es.Best("loss"))
    assert result.epochs.tolist() == [3, 4] * 20
    assert result.decisions(0)[-1].reason == "Leap('loss', rise=2.0) fires"
    stopper = es.Stopper(rule)
    stopper.step({"loss": 3.0})
    state = json.loads(json.dumps(stopper.state_dict(), allow_nan=False))
    other = es.Stopper(rule)
    other.load_state_dict(state)
    assert other.step({"loss": 6.0}).stop
    assert math.isclose(state["stop_state"][0]["previous"], 3.0)
