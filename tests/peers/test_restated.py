"""Frameworks that tests do not install: what their sources say, restated, beside ours."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.support.strategies import values

Restated = Callable[[list[float], int, float], int | None]


def mlp(losses: list[float], patience: int, tol: float) -> int | None:
    best, waited = math.inf, 0
    for check, loss in enumerate(losses):
        waited = waited + 1 if loss > best - tol else 0
        best = loss if loss < best else best
        if waited > patience:
            return check
    return None


def sgd(scores: list[float], patience: int, tol: float) -> int | None:
    best, waited = -math.inf, 0
    for check, score in enumerate(scores):
        waited = waited + 1 if score < best + tol else 0
        best = score if score > best else best
        if waited >= patience:
            return check
    return None


def ultralytics(fitness: list[float], patience: int, tol: float) -> int | None:
    best, best_epoch = 0.0, 0
    for check, value in enumerate(fitness):
        if value > best or best == 0:
            best, best_epoch = value, check
        if check - best_epoch >= patience:
            return check
    return None


def fairseq(losses: list[float], patience: int, tol: float) -> int | None:
    best: float | None = None
    waited = 0
    for check, loss in enumerate(losses):
        if best is None or loss < best:
            best, waited = loss, 0
            continue
        waited += 1
        if waited >= patience:
            return check
    return None


def fastai(losses: list[float], patience: int, tol: float) -> int | None:
    best, waited = math.inf, 0
    for check, loss in enumerate(losses):
        if loss + tol < best:
            best, waited = loss, 0
            continue
        waited += 1
        if waited >= patience:
            return check
    return None


RESTATED: dict[str, tuple[Restated, Callable[[int, float], es.Stopper]]] = {
    "sklearn.mlp": (mlp, lambda p, tol: es.peers.sklearn.mlp(tol, n_iter_no_change=p, monitor="m")),
    "sklearn.sgd": (sgd, lambda p, tol: es.peers.sklearn.sgd(tol, True, p, monitor="m")),
    "ultralytics.early_stopping": (
        ultralytics,
        lambda p, tol: es.peers.ultralytics.early_stopping(p, monitor="m"),
    ),
    "fairseq.should_stop_early": (
        fairseq,
        lambda p, tol: es.peers.fairseq.should_stop_early(p, "m"),
    ),
    "fastai.early_stopping_callback": (
        fastai,
        lambda p, tol: es.peers.fastai.early_stopping_callback("m", None, tol, p, mode="min"),
    ),
    "catboost.overfitting_detector": (
        fairseq,
        lambda p, tol: es.peers.catboost.overfitting_detector(od_wait=p, monitor="m"),
    ),
}


@pytest.mark.parametrize("name", RESTATED)
@given(
    curve=st.lists(values(), min_size=1, max_size=20),
    patience=st.integers(1, 4),
    tol=st.sampled_from([0.0, 1e-4, 0.1, 0.5]),
)
def test_it_stops_where_the_source_says(
    name: str, curve: list[float], patience: int, tol: float
) -> None:
    restated, make = RESTATED[name]
    assert stopped_at(make(patience, tol), "m", curve) == restated(curve, patience, tol)


@given(
    st.lists(st.integers(0, 3).map(float), min_size=1, max_size=15),
    st.integers(2, 4),
    st.integers(0, 5),
    st.none() | st.integers(0, 3),
    st.sampled_from([None, "min", "max"]),
)
def test_ray_stops_on_a_plateau_where_its_source_says(
    curve: list[float], window: int, grace: int, threshold: int | None, mode: str | None
) -> None:
    def restated() -> int | None:
        for check, value in enumerate(curve):
            last = curve[max(0, check + 1 - window) : check + 1]
            if check + 1 < grace or len(last) < window:
                continue
            if threshold is not None and mode == "min" and value > threshold:
                continue
            if threshold is not None and mode == "max" and value < threshold:
                continue
            if np.std(last) < 0.45:
                return check
        return None

    arguments: tuple[Any, ...] = ("m", 0.45, window, grace, threshold, mode)
    if threshold and mode is None:
        with pytest.raises(es.RuleError, match="mode"):
            es.peers.ray.trial_plateau_stopper(*arguments)
        return
    stopper = es.peers.ray.trial_plateau_stopper(*arguments)
    assert stopped_at(stopper, "m", curve) == restated()


def test_what_turns_it_off_never_stops() -> None:
    for stopper in (
        es.peers.ultralytics.early_stopping(0),
        es.peers.ultralytics.early_stopping(None),
        es.peers.fairseq.should_stop_early(),
        es.peers.lightgbm.early_stopping(0),
        es.peers.sklearn.sgd(tol=None),
        es.peers.ray.trial_plateau_stopper("m", std=0.0),
    ):
        assert stopper.stop == es.Never()


def stopped_at(stopper: es.Stopper, monitor: str, curve: list[float]) -> int | None:
    for check, value in enumerate(curve):
        if stopper.step({monitor: value}).stop:
            return check
    return None
