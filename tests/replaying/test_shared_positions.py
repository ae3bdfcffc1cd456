"""Positions that a history stores once for all its runs are those it would store for each."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.history.history import history_of
from earlystop.history.joining import joined
from earlystop.history.ragged import shared_column
from earlystop.replaying.positions import LoggedPositions

NAMES = ("epoch", "step", "elapsed_seconds", "tokens", "trainer/global_step")
LENGTHS = np.array([2, 2])
VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, 2.5, 4.0, 7.0, np.nan, np.inf])


@st.composite
def rows(draw: st.DrawFn) -> dict[str, list[float]]:
    """Positions of one run, by name: most of them rise, as they do in logs."""
    epochs = draw(st.integers(1, 5))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    rising = st.tuples(st.integers(0, 2), st.integers(1, 9)).map(
        lambda each: [float(each[0] + each[1] * number) for number in range(epochs)]
    )
    any_order = st.lists(VALUES, min_size=epochs, max_size=epochs)
    return {name: draw(rising | any_order) for name in names}


def answer(ask: Callable[[], Any]) -> Any:
    """What it gives, in a form that can be compared, or the error."""
    try:
        found = ask()
    except es.EarlystopError as error:
        return type(error), str(error)
    return None if found is None else np.asarray(found).tolist()


@given(rows(), st.integers(1, 4), st.data())
def test_stored_once_or_for_each_run_they_are_the_same(
    positions: dict[str, list[float]], runs: int, data: st.DataObject
) -> None:
    epochs = len(next(iter(positions.values())))
    losses = {"loss": np.ones((runs, epochs))}
    lengths = np.full(runs, epochs)
    once, each = (
        history_of(
            losses, {}, lengths, None, {name: column(row) for name, row in positions.items()}
        )
        for column in (
            lambda row: shared_column(np.array(row), runs),
            lambda row: np.tile(np.array(row), (runs, 1)),
        )
    )
    checks = np.array(
        data.draw(st.lists(st.integers(-1, epochs - 1), min_size=runs, max_size=runs))
    )

    def answers(history: es.History) -> list[Any]:
        try:
            known = LoggedPositions(history, history)
        except es.EarlystopError as error:
            return [str(error)]
        done = np.nan if known.done is None else known.done
        found = [answer(lambda: done), answer(lambda: known.hours(checks + 1))]
        for name in ("step", "epoch", "elapsed_seconds", "tokens", "checks", "loss"):
            for ask in (known.spacing, known.has, known.tells, known.column):
                found.append(answer(functools.partial(ask, name)))
            found.append(answer(functools.partial(known.at, name, checks)))
            found.append(answer(functools.partial(known.amount, name, checks + 1)))
        return found

    assert repr(answers(once)) == repr(answers(each))
    assert repr(replayed(once)) == repr(replayed(each))


def replayed(history: es.History) -> Any:
    """What a replay has to say about positions."""
    rule = es.Stopper(es.Patience("loss", 1), save=es.Best("loss"))
    return answer(lambda: es.replay(rule, history).stopped_at("step"))


def test_it_is_stored_for_each_run_where_runs_are_taken_out_or_joined() -> None:
    losses = np.array([[3.0, np.nan], [4.0, 1.0]])
    shared = {"step": shared_column(np.array([10.0, 20.0]), 2)}
    history = history_of({"loss": losses}, {"loss": np.isnan(losses)}, LENGTHS, None, shared)
    for again in (history, history[:2], history[[0, 1]], pickle.loads(pickle.dumps(history))):
        assert again.coordinates["step"].tolist() == [[10, 20], [10, 20]]
    checks = history.where_reported("loss")
    assert checks.records(0) == [{"loss": 3.0}]
    steps = LoggedPositions(checks, checks).column("step")
    assert steps is not None
    assert steps.tolist() == [10, 10, 20]
    assert joined([history, history]).coordinates["step"].tolist() == [[10, 20]] * 4
