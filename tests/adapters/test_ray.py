"""`RuleStopper`: Ray's decisions with its arguments, and rules, each trial by itself."""

from __future__ import annotations

import json
import math
import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import ray
from earlystop.adapters.ray import RuleStopper
from hypothesis import given, settings
from hypothesis import strategies as st
from ray import tune
from ray.tune.stopper import TrialPlateauStopper

import earlystop as es

VALUE = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, math.nan])
LOSSES = [0.9, 0.5, 0.4, 0.6, 0.5, 0.7, 0.8, 0.9, 0.9, 0.9]


def result(iteration: int, **metrics: Any) -> dict[str, Any]:
    """A result with what Ray adds to it."""
    own = {"time_total_s": iteration / 2, "pid": 7, "hostname": "here", "config": {"lr": 0.1}}
    return {"training_iteration": iteration, **own, **metrics}


def asked(stopper: Any, losses: Sequence[float], trial: str = "t", begin: int = 1) -> list[bool]:
    """What a stopper says after each result of a trial that goes on in any case."""
    return [
        bool(stopper(trial, result(number, loss=loss))) for number, loss in enumerate(losses, begin)
    ]


def first(answers: list[bool]) -> int | None:
    return answers.index(True) if True in answers else None


@settings(max_examples=200)
@given(
    st.lists(VALUE, min_size=1, max_size=12),
    st.sampled_from([0.05, 0.3, 0.6]),
    st.integers(2, 4),
    st.integers(0, 6),
    st.sampled_from([(None, None), (0.0, None), (0.5, "min"), (0.5, "max")]),
)
def test_it_stops_trials_where_the_plateau_stopper_does(
    losses: list[float],
    std: float,
    num_results: int,
    grace_period: int,
    threshold: tuple[float | None, str | None],
) -> None:
    arguments = ("loss", std, num_results, grace_period, *threshold)
    theirs = first(asked(TrialPlateauStopper(*arguments), losses))
    assert first(asked(RuleStopper(*arguments), losses)) == theirs


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from("abc"), VALUE), max_size=30), st.integers(1, 3))
def test_each_trial_is_judged_by_itself_also_by_one_that_goes_on(
    reports: list[tuple[str, float]], patience: int
) -> None:
    rule = es.Patience("loss", patience)
    once, ours = RuleStopper(rule), RuleStopper(rule)
    alone = {trial: es.Stopper(rule) for trial in "abc"}
    for trial, loss in reports:
        stopper = alone[trial]
        if stopper.stopped:
            continue
        stops = stopper.step({"loss": loss}).stop
        iteration = stopper.checks
        assert once(trial, result(iteration, loss=loss)) == stops
        state = json.loads(json.dumps(ours.get_state(), allow_nan=False))
        ours = RuleStopper(rule)
        ours.set_state(state)
        told = result(iteration, loss=loss)
        assert ours(trial, told) == stops
        assert ("stopped_reason" in told) == stops
    assert ours.stopped_reasons == once.stopped_reasons


@pytest.mark.parametrize("iteration", range(1, 7))
def test_a_trial_that_goes_back_to_a_checkpoint_ends_as_if_it_had_not(iteration: int) -> None:
    stopper = RuleStopper(stop=es.Patience("loss", 3))
    assert first(asked(stopper, LOSSES[:5])) is None
    answers = asked(stopper, LOSSES[iteration - 1 :], begin=iteration)
    assert first(answers) == 6 - iteration
    assert stopper.stopped_reasons["t"].startswith("loss has not improved on 0.4 (epoch 3)")


def test_a_result_that_comes_again_at_the_end_is_no_check() -> None:
    stopper = RuleStopper(es.Patience("loss", 1))
    stopper("t", result(1, loss=0.5))
    assert not stopper("t", result(1, loss=0.5, __duplicate__=True, done=True))
    assert stopper.get_state()["trials"] == {}


def test_time_and_steps_are_those_of_the_trial() -> None:
    timed = RuleStopper(stop=es.TimeLimit(1.5))
    assert first(asked(timed, LOSSES)) == 2
    stepped = RuleStopper(stop=es.MaxSteps(20) & es.Patience("loss", 1))
    told = [stepped("t", result(i, step=10 * i, loss=float(i))) for i in range(1, 5)]
    assert told == [False, True, True, True]
    assert "step 20" in stepped.stopped_reasons["t"]


def test_metrics_of_nested_results_have_the_names_that_ray_gives_them() -> None:
    stopper = RuleStopper(es.Patience("val/loss", 1, mode="min"))
    told = [stopper("t", result(i, val={"loss": float(i)}, note="text")) for i in (1, 2)]
    assert told == [False, True]


def test_a_save_rule_has_trials_checkpointed_and_a_stopper_lends_its_rules() -> None:
    shared = es.EarlyStopping("loss", patience=2)
    for stopper in (RuleStopper(stop=es.Never(), save=es.Best("loss")), RuleStopper(shared)):
        results = [result(i, loss=loss) for i, loss in enumerate(LOSSES[:4], 1)]
        for told in results:
            stopper("t", told)
        assert [told.get("should_checkpoint") for told in results] == [True, True, True, None]
    assert shared.checks == 0
    told = result(1, loss=0.5)
    RuleStopper(es.Patience("loss", 1))("t", told)
    assert "should_checkpoint" not in told


def test_a_metric_that_is_not_reported_is_an_error_with_the_names_there_are() -> None:
    with pytest.raises(es.MissingMetricError, match=r"'los': available metrics: loss, val/f1") as e:
        RuleStopper("los")("t", result(1, loss=0.5, val={"f1": 0.1}, note="text"))
    assert "pid" not in str(e.value)
    skips = RuleStopper(es.Stopper(es.Patience("loss", 1), on_missing="skip"))
    told = [skips("t", result(i, **m)) for i, m in enumerate([{"loss": 1.0}, {}, {"loss": 2.0}], 1)]
    assert told == [False, False, True]


def test_a_pickle_of_it_goes_on() -> None:
    stopper = RuleStopper(es.Patience("loss", 3))
    asked(stopper, LOSSES[:5])
    again = pickle.loads(pickle.dumps(stopper))
    assert first(asked(again, LOSSES[5:], begin=6)) == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda state: {}, "no state of a RuleStopper"),
        (lambda state: {**state, "version": 2}, "version 2, and this release reads 1"),
        (lambda state: {**state, "trials": {"t": [[1]]}}, "damaged"),
        (lambda state: {**state, "trials": {"t": [["x", {}]]}}, "should be a number"),
        (
            lambda state: {**state, "trials": {"t": [[3, {"loss": 1.0}], [1, {"loss": 1.0}]]}},
            "damaged",
        ),
        (lambda state: {**state, "trials": {"t": [[3, {}]]}}, "damaged"),
        (lambda state: {**state, "trials": [["t", []]]}, "should have trials by name"),
        (lambda state: {**state, "stopped_reasons": 3}, "should have trials by name"),
        (lambda state: {"version": 1, "more": 3}, "no state of a RuleStopper"),
        (lambda state: RuleStopper(es.Patience("acc", 3)).get_state(), "acc"),
        (lambda state: RuleStopper(es.Patience("loss", 4)).get_state(), "changed_rules"),
    ],
)
def test_a_state_that_is_damaged_or_of_other_rules_is_refused(damage: Any, message: str) -> None:
    stopper = RuleStopper(es.Patience("loss", 3))
    asked(stopper, LOSSES[:5])
    before = stopper.get_state()
    with pytest.raises(es.StateError, match=message):
        stopper.set_state(damage(before))
    assert stopper.get_state() == before


def test_changed_rules_go_on_with_the_new_numbers() -> None:
    before = RuleStopper(es.Patience("loss", 9))
    asked(before, LOSSES[:5])
    stopper = RuleStopper(es.Patience("loss", 3), changed_rules=True)
    stopper.set_state(before.get_state())
    assert first(asked(stopper, LOSSES[5:], begin=6)) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs the name of a metric"),
        ({"metric": 3}, "got 3, and needs the name of a metric"),
        ({"metric": "loss", "num_results": 1}, r"`RuleStopper\(num_results=...\)` must be"),
        ({"metric": "loss", "std": "0.1"}, r"`RuleStopper\(std=...\)` must be a number"),
        ({"metric": "loss", "metric_threshold": 0.5}, "mode"),
        ({"metric": "loss", "stop": es.MaxEpochs(3)}, "takes the place of .* leave out metric"),
        ({"metric": es.MaxEpochs(3), "stop": es.MaxEpochs(3)}, "two rules are given"),
        ({"metric": "loss", "save": es.Best("loss")}, "goes with `stop=...`"),
    ],
)
def test_invalid_arguments_are_refused_when_it_is_made(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(es.RuleError, match=message):
        RuleStopper(**arguments)


# With Ray itself --------------------------------------------------------------------------------


class Trained(tune.Trainable):
    """Its losses are known; it is made again from its checkpoints."""

    def setup(self, config: dict[str, Any]) -> None:
        self.begun = 0

    def step(self) -> dict[str, float]:
        self.begun += 1
        return {"loss": self.config["slope"] * self.begun + LOSSES[self.begun - 1]}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        Path(checkpoint_dir, "begun").write_text(str(self.begun))

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        self.begun = int(Path(checkpoint_dir, "begun").read_text())


class Cut(tune.Callback):
    """Interrupts the experiment once, when a trial has come this far."""

    def __init__(self, at: int, once: Path) -> None:
        self.at, self.once = at, once

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if result["training_iteration"] == self.at and not self.once.exists():
            self.once.touch()
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    ray.init(num_cpus=8, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    yield
    ray.shutdown()
    del os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"]


def tuner(stopper: Any, folder: Path, *more: Any) -> tune.Tuner:
    run = tune.RunConfig(
        stop=stopper,
        callbacks=[*([stopper] if isinstance(stopper, tune.Callback) else []), *more],
        storage_path=str(folder),
        name="tried",
        verbose=0,
        checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=2),
    )
    space = {"slope": tune.grid_search([0.0, -0.2])}
    return tune.Tuner(Trained, param_space=space, run_config=run)


def ended(results: Any) -> list[tuple[int, str]]:
    last = sorted((one.metrics for one in results), key=lambda one: -one["config"]["slope"])
    return [(one["training_iteration"], one["stopped_reason"]) for one in last]


def test_an_experiment_that_is_interrupted_and_restored_ends_as_if_it_had_not_been(
    cluster: None, tmp_path: Path
) -> None:
    rule = es.Patience("loss", 3) | es.MaxEpochs(8)
    cut = tuner(RuleStopper(rule), tmp_path, Cut(5, tmp_path / "cut"))
    with pytest.raises(KeyboardInterrupt):
        cut.fit()
    results = tune.Tuner.restore(str(tmp_path / "tried"), Trained, resume_errored=True).fit()
    assert ended(results) == [
        (6, "loss has not improved on 0.4 (epoch 3) by more than 0 for 3 epochs"),
        (8, "8 epochs have been run"),
    ]
