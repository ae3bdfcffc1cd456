"""`stop_study` ends studies by rules; `study_history` is what trials reported."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from earlystop.adapters.optuna import stop_study, study_history
from hypothesis import given, settings
from hypothesis import strategies as st

import earlystop as es

optuna.logging.set_verbosity(optuna.logging.WARNING)
RULE = es.Patience("value", 3, mode="min")


def run(values: list[float | None], study: optuna.Study, callback: Any) -> int:
    """Trials with these values, None for one that is pruned; how many there were."""

    def objective(trial: optuna.Trial) -> float:
        value = values[trial.number]
        if value is None:
            raise optuna.TrialPruned
        return value

    study.optimize(
        objective, n_trials=len(values) - len(study.trials), callbacks=[callback, lambda *_: None]
    )
    return len(study.trials)


@settings(max_examples=50)
@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, None]), min_size=1, max_size=12), st.data())
def test_a_study_ends_where_the_rule_fires_on_its_values_and_so_does_one_that_goes_on(
    values: list[float | None], data: st.DataObject
) -> None:
    stopper, expected = es.Stopper(RULE), len(values)
    for number, value in enumerate(values):
        if value is not None and stopper.step({"value": value}).stop:
            expected = number + 1
            break
    study, callback = optuna.create_study(), stop_study(RULE)
    assert run(values, study, callback) == expected
    assert callback.stopped_reason == stopper.reason
    again, cut = optuna.create_study(), data.draw(st.integers(1, len(values)))
    run(values[:cut], again, stop_study(RULE))
    if len(again.trials) == cut < len(values) and "stopped_reason" not in again.user_attrs:
        assert run(values, again, stop_study(RULE)) == expected


def test_the_reason_is_told_once_and_kept_with_the_study(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard, logger = _Heard(), logging.getLogger("optuna.earlystop")
    caplog.set_level(logging.INFO, logger.name)
    logger.addHandler(heard)
    study = optuna.create_study()
    try:
        run([1.0] * 9, study, stop_study(RULE))
    finally:
        logger.removeHandler(heard)
    reason = "value has not improved on 1 (epoch 0) by more than 0 for 3 epochs"
    assert study.user_attrs["stopped_reason"] == reason
    assert heard.messages == [f"The study is stopped: {reason}."]


class _Heard(logging.Handler):
    """Keeps what is told."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def test_one_callback_may_stop_one_study_after_the_other() -> None:
    callback = stop_study(es.EarlyStopping("loss", patience=2))
    for value in (1.0, 2.0):
        assert run([value] * 9, optuna.create_study(), callback) == 3


def test_threads_of_a_study_count_each_trial_once() -> None:
    callback = stop_study(es.MaxEpochs(20))
    study = optuna.create_study()
    study.optimize(lambda trial: 1.0, n_trials=40, n_jobs=4, callbacks=[callback])
    assert callback.stopper.checks == 20
    assert 20 <= len(study.trials) <= 24  # those that had begun


def test_trials_of_other_processes_count(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    here = optuna.create_study(storage=storage, study_name="s")
    there = optuna.load_study(storage=storage, study_name="s")
    callback = stop_study(RULE)
    here.optimize(lambda trial: 1.0, n_trials=1, callbacks=[callback])
    there.optimize(lambda trial: 1.0, n_trials=2)
    here.optimize(lambda trial: 1.0, n_trials=9, callbacks=[callback])
    assert len(here.trials) == 4


def test_several_objectives_go_by_their_names() -> None:
    for names, rule in (
        (None, es.Patience("values_1", 2, mode="max")),
        (["loss", "f1"], es.Patience("f1", 2)),
    ):
        study = optuna.create_study(directions=["minimize", "maximize"])
        if names:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it is experimental
                study.set_metric_names(names)
        callback = stop_study(rule)
        study.optimize(lambda trial: (trial.number, 0.5), n_trials=9, callbacks=[callback])
        assert len(study.trials) == 3
    with pytest.raises(es.MissingMetricError, match=r"no metric 'auc'.*available metrics: .*f1"):
        study.optimize(
            lambda trial: (0.0, 0.0), n_trials=1, callbacks=[stop_study(es.Patience("auc", 2))]
        )


def test_what_is_no_rule_is_refused_and_so_are_two_metrics_of_one_value() -> None:
    with pytest.raises(es.RuleTypeError, match=r"must be a rule, .*, or a Stopper, got 20"):
        stop_study(20)  # type: ignore[arg-type]
    two = stop_study(es.Patience("loss", 1) | es.Patience("f1", 1))
    with pytest.raises(es.RuleError, match=r"a trial has one value, .* loss, f1: use one name"):
        optuna.create_study().optimize(lambda trial: 0.0, n_trials=1, callbacks=[two])


def test_the_history_of_a_study_is_what_its_file_is_read_as(tmp_path: Path) -> None:
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/study.db", study_name="tried")

    def objective(trial: optuna.Trial) -> float:
        if trial.number == 1:
            return 0.0
        for step in (3, 0, 7, 5)[: 4 - trial.number]:
            trial.report(float("nan") if step == 3 else step / 8, step)
        return 1.0

    study.optimize(objective, n_trials=3)
    live, read = study_history(study), es.read_history(tmp_path / "study.db")
    assert live.names == read.names == ("tried 0", "tried 2")
    np.testing.assert_array_equal(live.metrics["value"], read.metrics["value"])
    np.testing.assert_array_equal(live.coordinates["step"], read.coordinates["step"])
    assert list(live.coordinates["step"][0]) == [0, 3, 5, 7]


def test_a_study_without_reports_has_no_history() -> None:
    study = optuna.create_study(study_name="bare")
    study.optimize(lambda trial: 0.0, n_trials=1)
    with pytest.raises(es.HistoryError, match=r"no trial of the study 'bare' .*trial.report"):
        study_history(study)
