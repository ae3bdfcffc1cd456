"""Skorch's trainings under rules: what they see, how they go on, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from earlystop.adapters.skorch import EarlyStopping
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, Checkpoint, LoadInitState

import earlystop as es
from tests.adapters.skorch.nets import X, net, weight

CURVE = [0.9, 0.5, 0.7, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
RULE = es.Patience("score", 3, mode="min")
REASON = "score has not improved on 0.4 (epoch 4) by more than 0 for 3 epochs"


def by_rule(**more: Any) -> EarlyStopping:
    return EarlyStopping(stop=RULE, save=es.Best("score", mode="min"), **more)


class Interrupt(Callback):
    """Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) == self.epoch:
            self.epoch = 0
            raise KeyboardInterrupt


def test_rules_look_at_the_history_and_epochs_count_from_1() -> None:
    callback = by_rule()
    trained = net(CURVE, callback).fit(X, X)
    assert len(trained.history) == 7
    assert (callback.stopped_reason_, callback.best_epoch_) == (REASON, 4)
    assert callback.stopper_ is not None
    assert callback.stopper_.best_metrics is not None
    assert {"train_loss", "score", "dur"} <= set(callback.stopper_.best_metrics)


@pytest.mark.parametrize("cut", range(1, 7))
def test_partial_fit_goes_on_where_the_training_was_cut(cut: int) -> None:
    callback = by_rule(load_best=True, sink=print)
    trained = net(CURVE, callback, epochs=cut).fit(X, X)
    trained.set_params(max_epochs=9).partial_fit(X, X)
    assert (len(trained.history), callback.stopped_reason_) == (7, REASON)


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_net_that_was_pickled_goes_on_as_if_it_had_not_been(cut: int) -> None:
    trained = net(CURVE, by_rule(load_best=True), epochs=cut).fit(X, X)
    trained = pickle.loads(pickle.dumps(trained))
    trained.set_params(max_epochs=9).partial_fit(X, X)
    callback = trained.callbacks[1]
    assert (len(trained.history), callback.stopped_reason_) == (7, REASON)
    # The weights begin again from those restored after the cut.
    assert callback.best_epoch_ == 4
    assert pickle.loads(pickle.dumps(trained)).callbacks[1].stopped_reason_ == REASON


@pytest.mark.parametrize("cut", range(1, 7))
@pytest.mark.parametrize("first", [True, False])
def test_a_training_that_skorch_s_checkpoint_resumes_neither_loses_nor_repeats_a_check(
    cut: int, first: bool, tmp_path: Path
) -> None:
    def run(epochs: int) -> tuple[Any, EarlyStopping]:
        callback, last = by_rule(), Checkpoint(monitor=None, dirname=str(tmp_path))
        load = LoadInitState(last)
        callbacks = (callback, last, load) if first else (load, last, callback)
        return net(CURVE, *callbacks, epochs=epochs).fit(X, X), callback

    run(cut)
    trained, callback = run(9)
    assert (len(trained.history), callback.stopped_reason_) == (7, REASON)
    assert callback.stopper_ is not None
    assert callback.stopper_.checks == 7


def test_an_epoch_that_was_interrupted_is_no_check() -> None:
    callback = by_rule()
    trained = net(CURVE, callback, Interrupt(6)).fit(X, X)
    assert len(trained.history) == 6
    trained.partial_fit(X, X)
    # The curve goes on by the rows of the history: epoch 6 has no value.
    assert len(trained.history) == 8
    assert callback.stopper_ is not None
    assert callback.stopper_.checks == 7


def test_best_weights_that_are_not_there_are_told_of_and_not_missed_in_silence(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    last = Checkpoint(monitor=None, dirname=str(tmp_path))
    for epochs in (5, 9):
        callback = by_rule(load_best=True, sink=told.append)
        net(CURVE, callback, last, LoadInitState(last), epochs=epochs).fit(X, X)
    assert told[0] == "Restoring best model from epoch 4."
    assert told[-1].startswith("Not restoring the best model, of epoch 4: its weights are not here")


def test_time_goes_on_with_that_of_the_epochs_before() -> None:
    callback = EarlyStopping(stop=es.TimeLimit(1e6))
    trained = net(CURVE, callback, epochs=4).fit(X, X)
    for row in trained.history:
        row["dur"] = 100.0
    callback = EarlyStopping(stop=es.TimeLimit(450.0))
    trained.callbacks_[-1] = ("EarlyStopping", callback)
    trained.callbacks_[-2] = ("epoch_timer", Callback())
    trained.partial_fit(X, X)
    assert callback.session_ is not None
    assert 400 <= callback.session_.elapsed_seconds < 420


def test_checkpoints_may_ask_whether_the_epoch_is_the_best(tmp_path: Path) -> None:
    asked = []

    def is_best(trained: Any) -> bool:
        asked.append(dict(trained.callbacks_)["EarlyStopping"].is_best_)
        return asked[-1]

    best = Checkpoint(monitor=is_best, dirname=str(tmp_path))
    trained = net(CURVE, by_rule(), best).fit(X, X)
    assert asked == [True, True, False, True, False, False]  # skorch asks nobody as it stops
    assert [row["event_cp"] for row in trained.history[:-1]] == asked


def test_callbacks_share_a_stopper_that_decides_once_for_both() -> None:
    stopper = es.Stopper(RULE, es.Best("score", mode="min"))
    callbacks = [("a", EarlyStopping(stop=stopper)), ("b", EarlyStopping(stop=stopper))]
    for _ in range(2):
        trained = net(CURVE, *callbacks).fit(X, X)
        assert (len(trained.history), stopper.checks) == (7, 7)


def test_a_clone_of_a_net_begins_anew_and_leaves_the_net_alone() -> None:
    stopper = es.Stopper(RULE, es.Best("score", mode="min"))
    trained = net(CURVE, EarlyStopping(stop=stopper)).fit(X, X)
    other = clone(trained).fit(X, X)
    assert (len(other.history), stopper.checks) == (7, 7)
    assert other.callbacks[1].stop is not stopper


def test_a_grid_may_be_over_rules_and_over_skorch_s_arguments() -> None:
    model = net(CURVE, ("stopping", EarlyStopping("score", patience=3)))
    x = np.zeros((6, 1), dtype="float32")
    grid = GridSearchCV(
        model, {"callbacks__stopping__patience": [1, 2]}, cv=2, scoring=lambda net, x, y: 0.0
    ).fit(x, x)
    assert len(grid.best_estimator_.history) == 3
    model = net(CURVE, ("stopping", EarlyStopping(stop=RULE)))
    rules = [es.MaxEpochs(2), es.MaxEpochs(4)]
    grid = GridSearchCV(
        model,
        {"callbacks__stopping__stop": rules},
        cv=2,
        scoring=lambda net, x, y: len(net.history),
    ).fit(x, x)
    assert grid.best_params_ == {"callbacks__stopping__stop": es.MaxEpochs(4)}


def test_other_numbers_hold_for_the_epochs_before_too() -> None:
    callback = EarlyStopping("score", patience=3)
    trained = net(CURVE, callback).fit(X, X)
    assert len(trained.history) == 7
    trained.set_params(callbacks__EarlyStopping__patience=5).partial_fit(X, X)
    assert len(trained.history) == 9
    assert "for 5 epochs" in callback.stopped_reason_


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"threshold_mode": "x"}, "threshold_mode=.*'rel'.*'abs'.*got 'x'"),
        ({"patience": -1}, r"patience=\.\.\..*of at least 0, got -1"),
        ({"patience": 2.5}, r"`EarlyStopping\(patience=...\)`"),
        ({"monitor": 3}, r"`EarlyStopping\(monitor=...\)`"),
        ({"threshold": "1"}, r"`EarlyStopping\(threshold=...\)`"),
        ({"stop": RULE, "patience": 3}, "leave out patience"),
        ({"save": es.Best("score", mode="min")}, "goes with `stop=...`"),
        ({"stop": RULE, "load_best": True}, "pass save=Best"),
    ],
)
def test_wrong_arguments_are_refused_before_a_module_is_made(
    arguments: dict[str, Any], text: str
) -> None:
    model = net(CURVE, EarlyStopping(**arguments))
    with pytest.raises(es.RuleError, match=text):
        model.fit(X, X)
    assert not hasattr(model, "module_")


def test_a_monitor_that_the_history_has_not_is_an_error_with_the_names_there_are() -> None:
    with pytest.raises(es.MissingMetricError, match=r"no metric 'valid_los'.*train_loss"):
        net(CURVE, EarlyStopping("valid_los")).fit(X, X)


def test_a_metric_that_no_rule_looks_at_may_be_anything() -> None:
    class Odd(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            net.history.record("pair", (1, 2))

    assert len(net(CURVE, Odd(), by_rule()).fit(X, X).history) == 7


def test_the_weights_of_the_best_epoch_are_there_in_the_end() -> None:
    assert weight(net(CURVE, by_rule(load_best=True)).fit(X, X)) == 4.0


def test_the_epoch_in_which_another_callback_ends_the_training_counts() -> None:
    """skorch calls no callback behind one that ends it."""

    class Ends(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            if len(net.history) == 2:
                raise KeyboardInterrupt

    callback = by_rule(load_best=True, sink=lambda text: None)
    trained = net(CURVE, Ends(), callback).fit(X, X)
    assert callback.best_epoch_ == 2
    assert weight(trained) == 2.0  # the best is there, nothing is brought back
