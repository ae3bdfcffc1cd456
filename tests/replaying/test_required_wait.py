"""`Patience.required_wait` is the one definition of the wait: all ways of deciding ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import earlystop as es
from earlystop.engine.scalar import compile_scalar
from earlystop.engine.vectorized import vector_code
from earlystop.language.ops import where
from earlystop.replaying.checks import looked_at
from earlystop.replaying.tuning import Tuning
from earlystop.sweeping.sweep import run_sweep
from tests.support.random_rules import random_history

RULES = [
    es.Patience("loss", 3, mode="min"),
    es.Patience("loss", 2, mode="min", growth=0.4, min_delta=0.1),
    es.Patience("loss", 0, mode="min", start_from_epoch=2) | es.MaxEpochs(20),
]


def checks_by_stepping(rule: es.Rule, history: es.History) -> list[int]:
    """Checks that a live run over each log takes."""
    judged = looked_at((rule, es.Best("loss")))
    taken = []
    for run in range(len(history)):
        stopper = es.Stopper(rule, on_missing="skip")
        for metrics in history.records(run):
            if any(name in metrics for name in judged) and stopper.step(metrics).stop:
                break
        taken.append(stopper.checks)
    return taken


def two_longer(wait: Any, reference_epoch: Any) -> Any:
    """Every wait is two checks longer."""
    return wait + 2


def longer_later(wait: Any, reference_epoch: Any) -> Any:
    """After an improvement at epoch t, a wait takes at least 0.7 * t + 1 checks."""
    later = 0.7 * reference_epoch + 1
    return where(later > wait, later, wait)


@pytest.fixture(params=[two_longer, longer_later])
def longer_waits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Waits are longer, by a change of `required_wait` alone, and of whether it grows."""
    required: Callable[..., Any] = es.Patience.required_wait

    def longer(self: es.Patience, reference_epoch: Any, patience: Any = None) -> Any:
        return request.param(required(self, reference_epoch, patience), reference_epoch)

    monkeypatch.setattr(es.Patience, "required_wait", longer)
    if request.param is longer_later:
        monkeypatch.setattr(es.Patience, "wait_grows", True)
    forget_compiled_steps()
    yield
    monkeypatch.undo()
    forget_compiled_steps()


def forget_compiled_steps() -> None:
    for cached in (compile_scalar, vector_code):
        cached.cache_clear()


@pytest.mark.usefixtures("longer_waits")
@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("seed", range(3))
def test_a_change_of_required_wait_changes_stepping_replay_and_sweep_alike(
    rule: es.Rule, seed: int
) -> None:
    history = random_history(np.random.default_rng(seed), runs=60, epochs=25)
    wanted = checks_by_stepping(rule, history)
    assert es.replay(rule, history).checks.tolist() == wanted
    assert es.replay(rule, history[:23]).checks.tolist() == wanted[:23]
    assert es.replay(rule, history[:24]).checks.tolist() == wanted[:24]
    patience = rule.children[0] if rule.children else rule
    grid = {"0.patience" if rule.children else "patience": [9, patience.settings["patience"]]}
    for tuning in (Tuning(few_steps=0), Tuning(few_steps=10**9)):
        table = run_sweep(rule, history, grid, save=es.Best("loss"), tuning=tuning)
        assert table.checks[1].tolist() == wanted


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_longer_waits_of_these_tests_change_decisions(
    rule: es.Rule, longer_waits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = random_history(np.random.default_rng(0), runs=60, epochs=25)
    changed = checks_by_stepping(rule, history)
    monkeypatch.undo()
    forget_compiled_steps()
    assert checks_by_stepping(rule, history) != changed


def test_the_required_wait_is_at_least_one_check_and_grows_with_the_last_improvement() -> None:
    rule = es.Patience("loss", patience=0, growth=0.5)
    assert [rule.required_wait(epoch) for epoch in (-1, 0, 2, 3, 10)] == [1, 1, 1, 1.5, 5.0]
    assert es.Patience("loss", patience=4).required_wait(100) == 4
    waits = rule.required_wait(np.array([-1, 10]), patience=np.array([0, 7]))
    assert waits.tolist() == [1, 7]
