"""`dtype="float32"`: comparisons at that precision, in all the ways that a rule is run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.support.random_rules import rules_with_a_dtype

nan, inf = math.nan, math.inf
# Steps that float32 sees (0.1), that only float64 sees (1e-9), and that are on the border.
steps = st.tuples(st.integers(-5, 5), st.sampled_from([0.0, 1e-9, -1e-9, 3e-8, -3e-8, 6e-8]))
values = steps.map(lambda step: step[0] / 10 + step[1])
curves = st.lists(
    values | st.sampled_from([nan, inf, -inf, 1e39, -1e39, 1e-46]), min_size=1, max_size=25
)


@st.composite
def histories(draw: st.DrawFn) -> es.History:
    """Many runs, so that at most epochs few of them improve, which is worked out differently."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = 30, 20
    curves = rng.integers(-3, 4, shape) / 10 + rng.integers(-3, 4, shape) * 3e-8
    rare = rng.choice([nan, inf, -inf, 1e39, -1e39], shape)
    return es.History({"m": np.where(rng.random(shape) < 0.03, rare, curves)})


modes = st.sampled_from(["min", "max"])
dtypes = st.sampled_from(["float64", "float32"])
baselines = st.none() | values
margins = st.sampled_from([0.0, 0.1, 1e-9, 0.1 + 1e-9])


@pytest.mark.parametrize(
    ("dtype", "saved"), [("float64", [True, True, False]), ("float32", [True, False, False])]
)
def test_a_gain_that_float32_cannot_see_counts_in_float64_alone(
    dtype: Any, saved: list[bool]
) -> None:
    curve = [1.0, 1.0 - 1e-9, 1.0]
    stopper = es.Stopper(es.Never(), es.Best("m", mode="min", dtype=dtype))
    assert [stopper.step({"m": value}).save for value in curve] == saved
    stopper = es.Stopper(es.Patience("m", 2, mode="min", dtype=dtype))
    stops = [stopper.step({"m": value}).stop for value in curve]
    assert stops == [False, False, dtype == "float32"]


def test_the_value_that_is_kept_is_not_rounded() -> None:
    stopper = es.Stopper(es.Never(), es.Best("m", mode="min", dtype="float32"))
    stopper.step({"m": 0.1})
    assert stopper.state_dict()["save_state"] == {"best": 0.1}


@given(curve=curves, mode=modes, dtype=dtypes, baseline=values)
def test_the_first_best_must_beat_the_baseline(
    curve: list[float], mode: Any, dtype: Any, baseline: float
) -> None:
    stopper = es.Stopper(
        es.Never(), es.Best("m", mode=mode, baseline=baseline, dtype=dtype), on_missing="skip"
    )
    led = es.Stopper(es.Never(), es.Best("m", mode=mode, dtype=dtype), on_missing="skip")
    led.step({"m": baseline})  # as if an epoch had had it
    for value in curve:
        assert stopper.step({"m": value}).save == led.step({"m": value}).save


@given(
    history=histories(),
    stop=st.builds(
        es.Patience,
        st.just("m"),
        st.integers(0, 6),
        min_delta=margins,
        mode=modes,
        baseline=baselines,
        start_from_epoch=st.integers(0, 2),
        relative=st.booleans(),
        growth=st.sampled_from([0.0, 0.5]),
        dtype=dtypes,
    ),
    save=st.builds(
        es.Best, st.just("m"), mode=modes, min_delta=margins, baseline=baselines, dtype=dtypes
    ),
    limit=st.none() | st.integers(1, 20),
)
def test_replay_takes_the_decisions_of_stepping(
    history: es.History, stop: es.Rule, save: es.Rule, limit: int | None
) -> None:
    if limit is not None:
        stop = stop | es.MaxEpochs(limit)
    replayed = es.replay(es.Stopper(stop, save), history)
    for run in range(history.runs):
        stopper, decisions = es.Stopper(stop, save), []
        for metrics in history.records(run):
            decisions.append(stopper.step(metrics))
            if decisions[-1].stop:
                break
        saved = [decision.epoch for decision in decisions if decision.save]
        assert replayed.epochs[run] == len(decisions)
        assert replayed.stopped[run] == decisions[-1].stop
        assert replayed.saved_epoch[run] == (saved[-1] if saved else -1)
    assert replayed.decisions(history.runs - 1) == decisions


def test_float32_may_see_a_gain_over_the_reference_and_none_over_the_epoch_before() -> None:
    before, after = 0.399999986, 0.399999985
    assert np.float32(before) == np.float32(after)
    flat = [0.5] * 8
    history = es.History({"m": [flat] * 39 + [[0.5, before, after, 0.5, 0.5, 0.5, 0.5, 0.5]]})
    rule = es.Patience("m", 4, min_delta=0.1, mode="min", dtype="float32")
    table = es.sweep(rule.replace(patience=0), history, patience=[4])
    assert table.epochs[0].tolist() == es.replay(rule, history).epochs.tolist() == [5] * 39 + [7]
    stopper = es.Stopper(rule)
    stops = [stopper.step(metrics).stop for metrics in history.records(39)[:7]]
    assert stops == [False] * 6 + [True]


@given(
    history=histories(),
    mode=modes,
    baseline=baselines,
    start=st.integers(0, 2),
)
def test_a_sweep_over_types_and_margins_is_the_replay_of_each_setting(
    history: es.History, mode: Any, baseline: float | None, start: int
) -> None:
    rule = es.Patience("m", mode=mode, baseline=baseline, start_from_epoch=start)
    grid: dict[str, Any] = {"dtype": ["float64", "float32"], "min_delta": [0.0, 1e-9, 0.1]}
    table = es.sweep(rule, history, patience=(1, 4), **grid)
    for row, settings in enumerate(table.settings):
        replayed = es.replay(rule.replace(**settings), history)
        assert table.epochs[row].tolist() == replayed.epochs.tolist()
        assert table.stopped[row].tolist() == replayed.stopped.tolist()


@pytest.mark.parametrize("setting", [{"dtype": "float32"}, {"baseline": 1.0}, {"min_delta": 0.1}])
def test_a_sweep_compares_its_best_epochs_plainly(setting: dict[str, Any]) -> None:
    history = es.History({"loss": [1.0, 2.0]})
    with pytest.raises(es.RuleTypeError, match="Best without min_delta, baseline or dtype"):
        es.sweep(es.Patience("loss"), history, patience=[1], save=es.Best("loss", **setting))


@pytest.mark.parametrize("rule", rules_with_a_dtype())
def test_a_state_saved_without_a_dtype_loads(rule: es.Rule) -> None:
    stopper = es.Stopper(es.Never(), rule)
    state = stopper.state_dict()
    ((name, settings),) = state["save"].items()
    del settings["dtype"]
    stopper.load_state_dict({**state, "save": {name: settings}})
    other = es.Stopper(es.Never(), rule.replace(dtype="float32"))
    with pytest.raises(es.StateError, match="saved by other rules"):
        other.load_state_dict(state)
