"""Random rules and random histories, for the properties that all rules share."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

import earlystop as es
from tests.support.positions import random_positions
from tests.support.ragged import stored_ragged
from tests.support.random_rules import METRICS, TELLING, random_rule, random_rule_of

_SEEDS = st.integers(0, 2**32 - 1)


def values() -> st.SearchStrategy[float]:
    """Metric values, most of them chosen to bring out differences."""
    return st.one_of(st.sampled_from(TELLING), st.floats(width=64), st.integers(0, 4).map(float))


def rules_of(cls: type[es.Rule], depth: int = 1) -> st.SearchStrategy[es.Rule]:
    """Rules of one class, with random settings."""
    return _SEEDS.map(lambda seed: random_rule_of(cls, random.Random(seed), depth))


def rules(depth: int = 2) -> st.SearchStrategy[es.Rule]:
    """Any rule, with parts nested at most `depth` deep."""
    return _SEEDS.map(lambda seed: random_rule(random.Random(seed), depth))


@st.composite
def histories(
    draw: st.DrawFn, max_runs: int = 4, max_epochs: int = 10, padded: bool = False
) -> es.History:
    """Runs of unequal length with gaps; every metric is reported somewhere.

    padded: whether they are stored as arrays; else they may be stored ragged.
    """
    runs, epochs = draw(st.integers(1, max_runs)), draw(st.integers(1, max_epochs))
    lengths = draw(st.lists(st.integers(0, epochs), min_size=runs, max_size=runs))
    lengths[0] = max(1, lengths[0])
    with_gaps = draw(st.booleans())
    metrics: dict[str, Any] = {}
    for name in METRICS:
        column = st.lists(values(), min_size=runs * epochs, max_size=runs * epochs)
        array = np.ma.MaskedArray(np.reshape(draw(column), (runs, epochs)))
        if with_gaps:
            gap = st.lists(st.booleans(), min_size=runs * epochs, max_size=runs * epochs)
            array.mask = np.reshape(draw(gap), (runs, epochs))
            array.mask[0, 0] = False
        metrics[name] = array
    if draw(st.booleans()):
        metrics |= random_positions(np.random.default_rng(draw(_SEEDS)), runs, epochs)
    history = es.History(metrics, lengths=lengths)
    return stored_ragged(history) if not padded and draw(st.booleans()) else history


def stepped(
    stop: es.Rule, save: es.Rule, records: list[dict[str, float]], **options: Any
) -> list[es.Decision]:
    """The decisions of a live run over these epochs."""
    return list(_decisions(es.Stopper(stop, save, **options), records))


def _decisions(stopper: es.Stopper, records: list[dict[str, float]]) -> Iterator[es.Decision]:
    for metrics in records:
        decision = stopper.step(metrics)
        yield decision
        if decision.stop:
            return
