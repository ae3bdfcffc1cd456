"""`RulePruner`: Optuna's decisions with its arguments, and rules, in whatever order steps come."""

from __future__ import annotations

import math
import pickle
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from earlystop.adapters.optuna import RulePruner
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.pruners import MedianPruner, PatientPruner, ThresholdPruner

import earlystop as es

optuna.logging.set_verbosity(optuna.logging.WARNING)

VALUE = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0, 2.0, math.nan])
REPORTS = st.lists(VALUE, min_size=1, max_size=12)
DIRECTION = st.sampled_from(["minimize", "maximize"])


@st.composite
def _steps(draw: st.DrawFn) -> list[tuple[int, float]]:
    """Reports at steps with gaps, mostly in order."""
    values = draw(REPORTS)
    drawn = st.lists(st.integers(0, 40), min_size=len(values), max_size=len(values), unique=True)
    steps = draw(drawn)
    if draw(st.booleans()):
        steps.sort()
    return list(zip(steps, values, strict=True))


def new_study(direction: str = "minimize", pruner: Any = None) -> optuna.Study:
    return optuna.create_study(direction=direction, pruner=pruner)


def asked(pruner: Any, reports: Sequence[tuple[int, float]], study: optuna.Study) -> list[bool]:
    """What a pruner says after each report of a new trial, which goes on in any case."""
    trial, answers = study.ask(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nothing but NaN, and of steps that come again
        for step, value in reports:
            trial.report(value, step)
            answers.append(bool(pruner.prune(study, study.trials[trial.number])))
    return answers


def patient(*arguments: Any) -> PatientPruner:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is experimental
        return PatientPruner(*arguments)


@settings(max_examples=150)
@given(_steps(), st.integers(0, 4), st.sampled_from([0.0, 0.25, 1.0]), DIRECTION)
def test_it_prunes_where_the_patient_pruner_does(
    reports: list[tuple[int, float]], patience: int, min_delta: float, direction: str
) -> None:
    study = new_study(direction)
    arguments = (None, patience, min_delta)
    assert asked(RulePruner(*arguments), reports, study) == asked(
        patient(*arguments), reports, study
    )


@settings(max_examples=150)
@given(
    _steps(),
    st.sampled_from([None, -0.5, 0.0, 0.5]),
    st.sampled_from([0.5, 1.0, 1.5]),
    st.integers(0, 10),
    st.integers(1, 7),
)
def test_it_prunes_where_the_threshold_pruner_does(
    reports: list[tuple[int, float]], lower: float | None, upper: float, warmup: int, interval: int
) -> None:
    study = new_study()
    named: dict[str, Any] = {"lower": lower, "upper": upper, "n_warmup_steps": warmup}
    ours = RulePruner(**named, interval_steps=interval)
    theirs = ThresholdPruner(**named, interval_steps=interval)
    assert asked(ours, reports, study) == asked(theirs, reports, study)


@pytest.mark.parametrize("seed", range(3))
def test_studies_are_the_same_with_it_as_with_optunas_pruners(seed: int) -> None:
    def objective(trial: optuna.Trial) -> float:
        level, slope = trial.suggest_float("level", 0, 1), trial.suggest_float("slope", -0.2, 0.1)
        for step in range(12):
            noise = math.sin(37.0 * step * (trial.number + 1)) / 5
            trial.report(level + slope * step + noise, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return level

    pairs: list[tuple[Any, Any]] = [
        (RulePruner(None, 3, 0.1), patient(None, 3, 0.1)),
        (RulePruner(MedianPruner(2), 2), patient(MedianPruner(2), 2)),
        (RulePruner(upper=0.8, n_warmup_steps=2), ThresholdPruner(upper=0.8, n_warmup_steps=2)),
    ]
    for pair in pairs:
        ended = []
        for pruner in pair:
            sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=4)
            study = optuna.create_study(sampler=sampler, pruner=pruner)
            study.optimize(objective, n_trials=12)
            ended.append([(t.state, t.params, t.intermediate_values) for t in study.trials])
        assert ended[0] == ended[1]
        states = [state for state, *_ in ended[0]]
        assert {optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.COMPLETE} == set(states)


@settings(max_examples=60)
@given(_steps(), st.integers(1, 3))
def test_steps_may_come_in_any_order_and_patience_counts_reports(
    reports: list[tuple[int, float]], patience: int
) -> None:
    study, rule = new_study(), es.Patience("loss", patience)
    answers = asked(RulePruner(stop=rule), reports, study)
    for told in range(1, len(reports) + 1):
        state, fires = rule.init(), False
        for check, (_, value) in enumerate(sorted(reports[:told])):
            state, now = rule.step(state, {"loss": value}, check)
            fires = bool(now)
        assert answers[told - 1] == fires


def test_a_step_that_is_reported_again_changes_nothing() -> None:
    reports = [(0, 0.5), (1, 0.6), (1, 0.7), (1, 0.8), (2, 0.6), (3, 0.1)]
    answers = asked(RulePruner(stop=es.Patience("loss", 2)), reports, new_study())
    assert answers == [False, False, False, False, True, False]


def test_a_patience_of_optuna_is_one_report_longer_than_ours() -> None:
    reports = [(step, float(step)) for step in range(5)]
    study = new_study()
    assert asked(RulePruner(None, 2), reports, study).index(True) == 3
    assert asked(RulePruner(es.Patience("loss", 2)), reports, study).index(True) == 2


def test_the_reason_is_kept_with_the_trial() -> None:
    study = new_study(pruner=RulePruner(stop=es.Patience("loss", 2) | es.MaxSteps(30)))

    def objective(trial: optuna.Trial) -> float:
        for step in range(0, 100, 10):
            trial.report(-step * trial.number, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return 0.0

    study.optimize(objective, n_trials=2)
    assert [trial.user_attrs["stopped_reason"] for trial in study.trials] == [
        "loss has not improved on 0 (step 0) by more than 0 for 2 checks",
        "step 30 has been reached, the limit is 30",
    ]


def test_nothing_is_kept_with_a_trial_that_a_wrapped_pruner_lets_go_on() -> None:
    pruner = RulePruner(MedianPruner(n_startup_trials=5), stop=es.Patience("loss", 1))
    study = new_study(pruner=pruner)
    trial = study.ask()
    for step in range(3):
        trial.report(step, step)
        assert not trial.should_prune()
    assert study.trials[0].user_attrs == {}


def test_another_process_goes_on_with_what_the_storage_has(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    study = optuna.create_study(storage=storage, study_name="s")
    first = study.ask()
    for step in range(4):
        first.report(float(step), step)
    pruner = pickle.loads(pickle.dumps(RulePruner(stop=es.Patience("loss", 4))))
    again = optuna.load_study(study_name="s", storage=storage, pruner=pruner)
    trial = optuna.trial.Trial(again, first._trial_id)
    assert not trial.should_prune()
    trial.report(9.0, 4)
    assert trial.should_prune()


def test_one_pruner_serves_several_studies_and_many_trials() -> None:
    pruner = RulePruner(stop=es.Patience("loss", 2))
    studies = [new_study(), new_study()]
    trials = [study.ask() for study in studies for _ in range(80)]
    for step in range(3):
        for number, trial in enumerate(trials):
            trial.report(step * (1 if number % 3 else -1), step)
    answers = [
        pruner.prune(study, study.trials[trial.number])
        for _ in range(2)
        for study, part in zip(studies, (trials[:80], trials[80:]), strict=True)
        for trial in part
    ]
    assert answers == [number % 3 != 0 for number in range(160)] * 2


def test_threads_of_one_study_do_not_mix_up_their_trials() -> None:
    def objective(trial: optuna.Trial) -> float:
        rises = trial.number % 2
        for step in range(10):
            trial.report(step if rises else -step, step)
            time.sleep(0)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(threading.get_ident())

    study = new_study(pruner=RulePruner(stop=es.Patience("loss", 3)))
    study.optimize(objective, n_trials=24, n_jobs=4)
    last = {trial.number % 2: set() for trial in study.trials}
    for trial in study.trials:
        last[trial.number % 2].add(trial.last_step)
    assert last == {0: {9}, 1: {3}}


def test_time_is_that_since_the_trial_began(monkeypatch: pytest.MonkeyPatch) -> None:
    study = new_study(pruner=RulePruner(stop=es.TimeLimit(0.05)))
    trial = study.ask()
    trial.report(0.0, 0)
    assert not trial.should_prune()
    time.sleep(0.06)
    trial.report(0.0, 1)
    assert trial.should_prune()
    assert study.trials[0].user_attrs["stopped_reason"].endswith("the limit is 0.05 s")


def test_of_a_stopper_the_rule_is_taken_and_its_state_left_alone() -> None:
    stopper = es.EarlyStopping("loss", patience=2)
    reports = [(step, float(step)) for step in range(4)]
    assert asked(RulePruner(stop=stopper), reports, new_study()) == [False, False, True, True]
    assert stopper.checks == 0


@pytest.mark.parametrize("make", [RulePruner, optuna.pruners.ThresholdPruner])
def test_without_arguments_it_is_a_type_error_as_in_optuna(make: Any) -> None:
    with pytest.raises(TypeError):
        make()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs something to prune by: pass patience"),
        ({"patience": -1}, r"`RulePruner\(patience=...\)` must be"),
        ({"patience": 2.5}, r"`RulePruner\(patience=...\)` must be a whole number"),
        ({"patience": 1, "min_delta": -1.0}, r"`RulePruner\(min_delta=...\)` must be"),
        ({"lower": 1.0, "upper": 0.0}, "the lower bound is the higher one"),
        ({"upper": "1"}, r"`RulePruner\(upper=...\)` must be a number"),
        ({"upper": 1.0, "interval_steps": 0}, r"`RulePruner\(interval_steps=...\)` must be"),
        ({"wrapped_pruner": "median"}, "must be a pruner of Optuna or None, got 'median'"),
        (
            {"stop": es.Patience("loss", 1), "patience": 3},
            "takes the place .* leave out patience",
        ),
        ({"stop": es.Patience("loss", 1) | es.Best("val_loss")}, "one value, .* loss, val_loss"),
        ({"wrapped_pruner": es.Best("loss"), "stop": es.Best("loss")}, "two rules are given"),
        ({"stop": "patience"}, "must be a rule"),
    ],
)
def test_invalid_arguments_are_refused_when_it_is_made(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(es.RuleError, match=message):
        RulePruner(**arguments)
