"""Logs that were stopped early are detected, complete ones are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import earlystop as es
from earlystop.advising.truncation import detect_truncation
from tests.advising.runs import LOSS, looked_at, noisy, stopped


@pytest.mark.parametrize(
    "rule",
    [
        es.Patience("loss", 3),
        es.Patience("loss", 12),
        es.Patience("loss", 12, min_delta=0.01),
        es.Patience("loss", 25) | es.MaxEpochs(80),  # many of them reach the cap
    ],
)
def test_logs_that_were_stopped_early_are_detected(
    rule: es.Rule,
) -> None:
    history = stopped(rule)
    own = rule if isinstance(rule, es.Patience) else rule.children[0]
    advice = es.advise(history, "loss", max_regret=0.1)
    assert advice.stopped_by == own
    assert not advice.complete
    assert any("stopped early themselves" in warning for warning in advice.warnings)
    most = advice.stopped_by.settings["patience"]
    assert advice.rule == advice.rule.children[0] | own  # which stops no later
    assert type(advice.rule.children[0]) is es.AdaptivePatience
    assert all(outcome.rule.settings["patience"] <= most for outcome in advice.defaults)
    for name in ("patience", "all"):
        others = es.advise(history, "loss", max_regret=0.5, family=name, complete=None)
        assert all(line.patience.max() <= most for line in others.lines[name == "all" :])
    plain = es.advise(history, "loss", max_regret=0.1, candidates={})
    assert plain.rule.settings["patience"] <= most
    longer = es.advise(history, "loss", max_regret=0.1, candidates={"patience": [2, most, 90]})
    assert any("a patience above" in warning for warning in longer.warnings)
    too_much = es.advise(history, "loss", max_regret=0.001)
    assert too_much.rule == own
    assert "Better stop as these logs were" in str(too_much)


def test_advice_to_stop_as_the_logs_were_reports_that_outcome() -> None:
    history = stopped(es.Patience("loss", 12))
    goes_on = noisy(2, 120, seed=9)  # two that another rule must have stopped
    runs = [
        {"loss": row[:end]}
        for row, end in zip(history.metrics["loss"], history.lengths, strict=True)
    ]
    mixed = es.History.from_runs([*runs, *({"loss": row} for row in goes_on.metrics["loss"])])
    advice = es.advise(mixed, "loss", max_regret=0.0001)
    assert advice.rule == es.Patience("loss", 12)
    done = es.replay(advice.rule, mixed, save=LOSS)
    assert advice.outcome.used == done.epochs.mean() < mixed.lengths.mean()
    assert advice.quantiles["max"] > 0


@pytest.mark.parametrize("min_delta", [0.0, 0.01])
def test_rules_without_patience_are_unchanged_on_logs_that_were_stopped(
    min_delta: float,
) -> None:
    history = stopped(es.Patience("loss", 4, min_delta=min_delta))
    rules = [es.MaxEpochs(40), ~es.Patience("loss", 3), es.GeneralizationLoss("loss", alpha=50)]
    runs = [
        {"loss": row[:end]}
        for row, end in zip(history.metrics["loss"], history.lengths, strict=True)
    ]
    late = {"loss": [2.0, *[3.0] * 30, 1.0]}  # it went on, though nothing got better for long
    mixed = es.History.from_runs([*runs, late, late])
    for rule in rules:
        advice = es.advise(mixed, "loss", max_regret=0.9, candidates=[rule])
        assert advice.stopped_by is not None
        (line,) = advice.lines
        assert line.used.tolist() == [es.replay(rule, mixed, save=LOSS).epochs.mean()]


def test_runs_of_one_epoch_were_not_stopped_by_a_patience() -> None:
    runs = [{"loss": [1.0]}] * 4 + [{"loss": [3.0, 2.0, 1.0]}]
    advice = es.advise(es.History.from_runs(runs), "loss", max_regret=0.5)
    assert advice.stopped_by is None


def test_a_patience_that_the_longest_runs_outlived_did_not_stop_the_others() -> None:
    flat = [{"loss": [1.0] * epochs} for epochs in [50] * 30 + [100] * 30]
    advice = es.advise(es.History.from_runs(flat), "loss", max_regret=0.1)
    assert advice.stopped_by is None
    assert advice.complete


def test_complete_overrides_what_the_logs_suggest() -> None:
    history = stopped(es.Patience("loss", 12))
    taken = es.advise(history, "loss", max_regret=0.1, complete=True)
    assert taken.complete
    assert taken.stopped_by is None
    whole = noisy(60)
    said = es.advise(whole, "loss", max_regret=0.1, complete=False)
    assert not said.complete
    assert "regret counts from the best that was found by then" in said.warnings[0]
    assert es.advise(whole, "loss", max_regret=0.1).complete


def test_a_patience_that_many_runs_outlived_did_not_stop_them() -> None:
    ends = [[3.0, 2.0 - n / 10, 1.0, 4.0, 4.0] for n in range(6)]  # Patience(2) fires at the end
    goes_on = [[3.0, 4.0, 4.0, 2.0, 1.0 + n / 10, 0.5] for n in range(3)]
    longest = [9.0 - n for n in range(8)]

    def found(runs: list[list[float]]) -> Any:
        history = es.History.from_runs([{"loss": run} for run in [*runs, longest]])
        return detect_truncation(*looked_at(history), LOSS)

    assert found(ends).rule == es.Patience("loss", 2)
    assert found(ends + goes_on) is None
    assert found(ends[:2]) is None


@pytest.mark.parametrize("runs", [4, 12, 40])
def test_complete_logs_of_unequal_length_are_hardly_ever_taken_for_stopped(runs: int) -> None:
    rng, found = np.random.default_rng(runs), 0
    for seed in range(40):
        history = noisy(runs, 40, seed)
        history = es.History(history.metrics, lengths=rng.integers(8, 41, size=runs))
        found += detect_truncation(*looked_at(history), LOSS) is not None
    assert found <= 1
