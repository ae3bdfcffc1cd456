"""Runs that several tests of advice use."""

from __future__ import annotations

import math

import numpy as np

import earlystop as es
from earlystop.advising.logged_runs import LoggedRuns, logged_runs
from earlystop.advising.look import Look, look_at
from earlystop.advising.measured import Question

nan, inf = math.nan, math.inf
LOSS = es.Best("loss")


def late(rng: np.random.Generator, runs: int, epochs: int = 12) -> np.ndarray:
    """Curves that fall at a few random epochs and stand still between them."""
    falls = rng.random((runs, epochs)) < 0.3
    return 10.0 - np.cumsum(falls * rng.random((runs, epochs)), axis=1)


def noisy(runs: int, epochs: int = 60, seed: int = 0) -> es.History:
    rng = np.random.default_rng(seed)
    falling = 0.3 + 1 / np.arange(1, epochs + 1)
    return es.History({"loss": falling + 0.05 * rng.standard_normal((runs, epochs))})


def stopped(rule: es.Rule, runs: int = 60, epochs: int = 120, seed: int = 1) -> es.History:
    """Logs of runs that a rule ended."""
    whole = noisy(runs, epochs, seed)
    return es.History(whole.metrics, lengths=es.replay(rule, whole).epochs)


def looked_at(history: es.History) -> tuple[LoggedRuns, Look]:
    """The runs as advice takes them, and what they are like."""
    question = Question(LOSS, "improvement", (LOSS.monitor,), "skip")
    with logged_runs(history, question, (), 1, progress=False) as runs:
        return runs, look_at(runs, LOSS.monitor, None)
