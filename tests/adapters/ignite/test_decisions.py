"""Ignite's own handler and ours, with the same arguments, in real runs."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest
from earlystop.adapters.ignite import EarlyStopping
from hypothesis import given, settings
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from ignite.handlers import EarlyStopping as IgniteEarlyStopping

import earlystop as es
from tests.adapters.ignite.runs import engines, quiet, score, train
from tests.adapters.peers.curves import any_float, curves, grid, inf, modes, nan

arguments = st.fixed_dictionaries(
    {
        "patience": st.integers(1, 6),
        "threshold": st.sampled_from([0.0, 1 / 64, 0.1, 0.125]),
        "cumulative": st.booleans(),
        "threshold_mode": st.sampled_from(["abs", "rel"]),
        "mode": modes,
    }
)
values = st.one_of(grid, any_float, st.sampled_from([nan, inf, -inf]))


def same(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))


@given(curve=curves(values), arguments=arguments)
@settings(max_examples=250)
def test_a_run_ends_where_ignite_s_own_handler_ends_it(
    curve: list[float], arguments: dict[str, Any]
) -> None:
    made = {"score_function": score, **arguments}
    theirs, handler = train(curve, lambda trainer: IgniteEarlyStopping(trainer=trainer, **made))
    ours, own = train(curve, lambda trainer: EarlyStopping(trainer=trainer, **made))
    assert (ours, own.counter) == (theirs, handler.counter)
    assert same(own.best_score, handler.best_score)
    assert bool(own.stopped_reason) == (own.counter >= arguments["patience"])


@given(
    curve=curves(),
    patience=st.integers(1, 5),
    threshold=st.sampled_from([0.0, 0.125]),
    cumulative=st.booleans(),
)
def test_arguments_mean_the_same_by_place_and_under_their_old_names(
    curve: list[float], patience: int, threshold: float, cumulative: bool
) -> None:
    by_place = train(
        curve,
        lambda trainer: EarlyStopping(
            patience, score, trainer, threshold, cumulative, "abs", "min"
        ),
    )[0]

    def old_names(trainer: Engine) -> Any:
        with pytest.deprecated_call():
            return EarlyStopping(
                patience,
                score,
                trainer,
                mode="min",
                min_delta=threshold,
                min_delta_mode="abs",
                cumulative_delta=cumulative,
            )

    assert by_place == train(curve, old_names)[0]


def test_the_old_names_of_attributes_are_read_with_a_warning_and_not_set() -> None:
    trainer = Engine(lambda engine, batch: None)
    handler = EarlyStopping(3, lambda engine: 0.0, trainer, 0.25, True, "rel")
    old = {"min_delta": 0.25, "min_delta_mode": "rel", "cumulative_delta": True}
    for name, value in old.items():
        with pytest.warns(DeprecationWarning, match=f"{name}` is the old name"):
            assert getattr(handler, name) == value
        with pytest.raises(AttributeError):
            setattr(handler, name, value)


def test_differs_a_state_of_ignites_own_handler_is_refused() -> None:
    trainer = Engine(lambda engine, batch: None)
    theirs = IgniteEarlyStopping(3, lambda engine: 0.5, trainer)
    theirs(trainer)
    IgniteEarlyStopping(3, lambda engine: 0.5, trainer).load_state_dict(theirs.state_dict())
    with pytest.raises(es.StateError, match="lacks elapsed_seconds, stopper"):
        EarlyStopping(3, lambda engine: 0.5, trainer).load_state_dict(theirs.state_dict())


def test_differs_a_stopped_handler_ends_a_run_that_goes_on_until_it_is_reset() -> None:
    for kind, lasts in ((IgniteEarlyStopping, 6), (EarlyStopping, 5)):
        trainer, evaluator = engines([1.0, 0.0, 0.0, 0.0, 2.0, 2.0, 0.0, 0.0])
        handler = quiet(kind(3, score, trainer))
        evaluator.add_event_handler(Events.COMPLETED, handler)
        assert trainer.run([0], max_epochs=8).epoch == 4
        trainer.should_terminate = False
        state = trainer.run(max_epochs=6)
        assert state.epoch == lasts
    handler.reset()
    assert trainer.run(max_epochs=8).epoch == 8
    assert handler.stopped_reason == ""


def test_differs_it_begins_anew_where_the_trainer_does() -> None:
    lasted = {}
    for kind in (IgniteEarlyStopping, EarlyStopping):
        trainer, evaluator = engines([3.0, 2.0, 1.0, 0.0])
        handler = quiet(kind(4, score, trainer))
        evaluator.add_event_handler(Events.COMPLETED, handler)
        lasted[kind] = [trainer.run([0], max_epochs=4).epoch for _ in range(2)]
    assert lasted == {IgniteEarlyStopping: [4, 1], EarlyStopping: [4, 4]}


def test_differs_a_second_evaluation_at_one_iteration_decides_nothing() -> None:
    lasted = {}
    for kind in (IgniteEarlyStopping, EarlyStopping):
        trainer, evaluator = engines([3.0, 2.0, 1.0, 0.0, 0.0, 0.0])
        handler = quiet(kind(3, score, trainer))
        evaluator.add_event_handler(Events.COMPLETED, handler)
        again = functools.partial(evaluator.run, [0])
        trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine, run: run(), again)
        lasted[kind] = trainer.run([0], max_epochs=6).epoch
    assert lasted == {IgniteEarlyStopping: 2, EarlyStopping: 4}


def test_differs_attributes_do_not_change_a_handler_once_it_is_made() -> None:
    trainer = Engine(lambda engine, batch: None)
    handler = EarlyStopping(3, score, trainer)
    handler.patience = 1
    assert handler.stopper.stop.patience == 3
