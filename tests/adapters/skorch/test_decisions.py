"""Skorch's own callback and ours, with the same arguments, in real trainings."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from earlystop.adapters.skorch import EarlyStopping
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch import NeuralNetRegressor
from skorch.callbacks import EarlyStopping as SkorchEarlyStopping

from tests.adapters.peers.curves import any_float, curves, grid, inf, nan
from tests.adapters.skorch.nets import X, net, weight

arguments = st.fixed_dictionaries(
    {
        "patience": st.integers(0, 6),
        "threshold": st.sampled_from([0.0, 1e-4, 1 / 64, 0.1, 0.125, -0.125]),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "lower_is_better": st.booleans(),
    }
)
values = st.one_of(grid, any_float, st.sampled_from([nan, inf, -inf]))


def both(curve: list[float], arguments: dict[str, Any]) -> list[Any]:
    """Of theirs and of ours: the net, the callback, what its sink was told."""
    results = []
    for kind in (SkorchEarlyStopping, EarlyStopping):
        told: list[str] = []
        callback = kind(monitor="score", sink=told.append, load_best=True, **arguments)
        results.append((net(curve, callback, verbose=1).fit(X, X), callback, told))
    return results


@given(curve=curves(values), arguments=arguments)
@settings(max_examples=160)
def test_a_training_ends_where_skorch_s_own_callback_ends_it_and_restores_the_same(
    curve: list[float], arguments: dict[str, Any]
) -> None:
    (theirs, callback, told), (ours, own, own_told) = both(curve, arguments)
    assert len(ours.history) == len(theirs.history)
    assert own.best_epoch_ == (callback.best_epoch_ or None)
    assert weight(ours) == weight(theirs)
    if arguments["patience"]:
        assert own.misses_ == callback.misses_
        assert bool(own.stopped_reason_) == (callback.misses_ == arguments["patience"])
    assert len(own_told) == len(told)
    assert own_told[-1:] == told[-1:] or told[-1].startswith("Stopping since")


@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.sampled_from([0.0, 1e-4, 0.05]),
    st.sampled_from([0.01, 0.3, 1.2]),
)
@settings(max_examples=40)
def test_nets_that_learn_stop_alike_and_end_with_the_same_weights(
    seed: int, patience: int, threshold: float, rate: float
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(24, 3)).astype("float32")
    y = (x[:, :1] + rng.normal(size=(24, 1))).astype("float32")
    trained = []
    for kind in (SkorchEarlyStopping, EarlyStopping):
        torch.manual_seed(seed)
        callback = kind("valid_loss", patience, threshold, load_best=True)
        model = NeuralNetRegressor(
            torch.nn.Linear,
            module__in_features=3,
            module__out_features=1,
            lr=rate,
            max_epochs=25,
            verbose=0,
            callbacks=[callback],
        ).fit(x, y)
        trained.append((len(model.history), callback.best_epoch_, model.module_.weight.tolist()))
    assert trained[0] == trained[1]


def test_the_arguments_by_place_are_skorch_s() -> None:
    curve = [3.0, 2.0, 2.0, 2.0, 1.0]
    told: list[str] = []
    for kind in (SkorchEarlyStopping, EarlyStopping):
        model = net(curve, kind("score", 2, 0.1, "abs", True, told.append, True)).fit(X, X)
        assert (len(model.history), weight(model)) == (4, 2.0)
    assert told == ["Restoring best model from epoch 2."] * 2


def test_differs_partial_fit_goes_on_with_the_wait_and_begins_a_new_one_after_a_stop() -> None:
    curve = [3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    lasted: dict[Any, list[int]] = {}
    for kind in (SkorchEarlyStopping, EarlyStopping):
        model = net(curve, kind("score", patience=3), epochs=3).fit(X, X)
        lasted[kind] = [len(model.history)]
        for _ in range(2):
            model.partial_fit(X, X)
            lasted[kind].append(len(model.history))
    assert lasted == {SkorchEarlyStopping: [3, 6, 9], EarlyStopping: [3, 5, 8]}


def test_differs_the_best_of_the_trainings_before_is_restored() -> None:
    curve = [3.0, 1.0, 2.0, 2.0]
    weights = {}
    for kind in (SkorchEarlyStopping, EarlyStopping):
        callback = kind("score", patience=9, load_best=True)
        model = net(curve, callback, epochs=2).fit(X, X).partial_fit(X, X)
        weights[kind] = (weight(model), callback.best_epoch_)
    assert weights == {SkorchEarlyStopping: (3.0, 3), EarlyStopping: (2.0, 2)}


def test_differs_the_best_weights_are_in_a_pickle() -> None:
    kept = {}
    for kind in (SkorchEarlyStopping, EarlyStopping):
        model = net([3.0, 1.0, 2.0], kind("score", load_best=True, sink=len)).fit(X, X)
        callback = pickle.loads(pickle.dumps(model)).callbacks[1]
        kept[kind] = callback.best_model_weights_ is not None
    assert kept == {SkorchEarlyStopping: False, EarlyStopping: True}


def test_differs_the_reason_names_the_best_and_where_it_was() -> None:
    for kind, text in (
        (SkorchEarlyStopping, "Stopping since score has not improved in the last 2 epochs."),
        (
            EarlyStopping,
            "Stopping since score has not improved on 2 (epoch 2) by more than 0.0001 of it "
            "for 2 epochs.",
        ),
    ):
        told: list[str] = []
        net([3.0, 2.0, 2.0, 2.0], kind("score", 2, sink=told.append), verbose=1).fit(X, X)
        assert told == [text]


def test_differs_there_is_no_best_epoch_before_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for kind, best in ((SkorchEarlyStopping, 0), (EarlyStopping, None)):
        callback = kind("score", 2)
        net([nan, nan, nan], callback).fit(X, X)
        assert callback.best_epoch_ == best
    assert capsys.readouterr().out == ""
