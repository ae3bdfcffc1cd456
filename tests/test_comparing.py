"""`compare`: each framework decides as its preset does, and equal ones are put together."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.peers.asked import askable, full_name, stopper_as, waiting

matplotlib.use("agg")

VALUES = st.sampled_from([0.5, 0.4, 0.4, 0.25, 0.1, -0.3, 1e-9, math.nan, math.inf, -math.inf])
CURVES = st.lists(VALUES, min_size=1, max_size=12)


def stepped(stopper: es.Stopper, curve: list[float]) -> tuple[int, bool, int]:
    """Checks taken, whether it stopped, and the last check saved."""
    for value in curve:
        stopper.step({"loss": value})
        if stopper.stopped:
            break
    saved = -1 if stopper.best_check is None else stopper.best_check
    return stopper.checks, stopper.stopped, saved


@given(curves=st.lists(CURVES, min_size=1, max_size=3), patience=st.integers(1, 4))
def test_each_framework_does_what_its_stopper_does_step_by_step(
    curves: list[list[float]], patience: int
) -> None:
    history = es.History.from_runs([{"loss": curve} for curve in curves])
    comparison = es.compare(history, "loss", patience=patience)
    assert list(comparison.results) == askable("min", patience=True)
    for name, result in comparison.results.items():
        for run, curve in enumerate(curves):
            taken = stepped(stopper_as(name, "loss", patience=patience), curve)
            assert taken == (result.checks[run], result.stopped[run], result.saved_check[run])


@given(curves=st.lists(CURVES, min_size=1, max_size=3))
def test_a_group_does_the_same_to_every_run_and_no_two_groups_do(
    curves: list[list[float]],
) -> None:
    history = es.History.from_runs([{"loss": curve} for curve in curves])
    comparison = es.compare(history, "loss", patience=2)
    groups = comparison.groups()
    assert sorted(name for group in groups for name in group) == sorted(comparison.results)
    done = [
        {
            (*result.checks.tolist(), *result.stopped.tolist(), *result.saved_check.tolist())
            for result in map(comparison.results.get, group)
            if result is not None
        }
        for group in groups
    ]
    assert all(len(each) == 1 for each in done)
    assert len(set().union(*done)) == len(groups)


def test_regret_is_of_what_a_framework_keeps_and_unknown_where_it_keeps_nothing() -> None:
    history = es.History({"loss": [0.5, 0.4, 0.6, 0.6, 0.6, 0.1]})
    comparison = es.compare(history, "loss", patience=2, names=["lightning", "optuna"])
    assert comparison.kept("lightning.early_stopping").tolist() == [0.4]
    assert comparison.regret("lightning.early_stopping").tolist() == pytest.approx([0.3])
    rows = {row["name"]: row for row in comparison.rows()}
    assert rows["optuna.patient_pruner"]["mean_regret"] is None
    assert np.isnan(comparison.regret("optuna.patient_pruner")).all()


def test_without_a_patience_only_those_with_a_default_are_compared() -> None:
    history = es.History({"loss": [0.5, 0.4]})
    compared = es.compare(history, "loss").results
    assert "lightning.early_stopping" in compared
    assert "xgboost.early_stopping" not in compared
    assert list(compared) == askable("min", patience=False)
    with pytest.raises(es.RuleError, match="no default for patience"):
        es.compare(history, "loss", names=["xgboost"])


def test_the_direction_reaches_every_framework_in_its_own_words() -> None:
    history = es.History({"loss": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]})
    rising = es.compare(history, "loss", mode="max", patience=2)
    falling = es.compare(history, "loss", mode="min", patience=2)
    assert list(rising.results) == list(waiting())
    for name, result in rising.results.items():
        if name != "mmengine.early_stopping_hook":  # its margin is .1
            assert not result.stopped[0], name
    assert all(result.stopped[0] for result in falling.results.values())
    with pytest.raises(es.RuleError, match="only metrics that are to rise"):
        stopper_as("ultralytics", "loss", patience=2)


def test_frameworks_are_found_by_either_name_and_typing_errors_are_told() -> None:
    assert full_name("keras") == full_name("keras.early_stopping")
    with pytest.raises(es.RuleError, match="did you mean 'keras'"):
        full_name("kears")
    with pytest.raises(es.RuleError, match=r"composer\.early_stopper"):
        full_name("composer.early_stoper")
    with pytest.raises(es.RuleError, match="has no setting of the kind of patience"):
        stopper_as("optuna.threshold_pruner", "loss", patience=3)


@pytest.mark.parametrize("names", [[], "keras"])
def test_no_name_and_a_name_alone_are_refused(names: object) -> None:
    history = es.History({"loss": [0.5]})
    with pytest.raises((es.RuleError, es.RuleTypeError), match="names"):
        es.compare(history, "loss", patience=1, names=names)


def test_the_picture_names_the_groups() -> None:
    history = es.History({"loss": [0.5, 0.4, 0.45, 0.46, 0.47, 0.1]})
    figure = es.compare(history, "loss", patience=2, names=["keras", "flax"]).plot()
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any(text.startswith("keras: stops") for text in texts)
    assert any(text.startswith("flax: stops") for text in texts)
