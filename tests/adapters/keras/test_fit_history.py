"""`fit_history`: the log of a fit, with gaps at the epochs that were not validated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from earlystop.adapters.keras import EarlyStopping, fit_history
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.adapters.keras.fits import fit, network


def logged(epochs: list[int], **metrics: list[Any]) -> Any:
    """What `model.fit` returns."""
    return SimpleNamespace(epoch=epochs, history=metrics)


@pytest.mark.filterwarnings("ignore:.*no metric 'val_loss'", "ignore:__array__ implementation")
@pytest.mark.parametrize("validation_freq", [1, 2, 3, [1, 4]])
def test_a_fit_is_replayed_at_the_epochs_that_were_validated(validation_freq: Any) -> None:
    early = EarlyStopping(patience=2)
    done = fit(network(), early, epochs=7, validation_freq=validation_freq)
    run = fit_history(done, validation_freq=validation_freq)
    history = es.History.from_runs([run])
    assert history.lengths.tolist() == [len(done.epoch)]
    values = [value for value in run["val_loss"] if value is not None]
    assert values == done.history["val_loss"]
    replayed = es.replay(es.EarlyStopping("val_loss", patience=2), history)
    assert replayed.saved_epoch.tolist() == [early.best_epoch]


@given(
    first=st.integers(0, 9),
    count=st.integers(1, 30),
    freq=st.integers(1, 8) | st.lists(st.integers(1, 40), unique=True),
)
def test_every_value_stands_at_its_epoch(first: int, count: int, freq: Any) -> None:
    epochs = list(range(first, first + count))
    # As Keras decides whether to validate.
    validated = [
        e for e in epochs if (e + 1 in freq if isinstance(freq, list) else not (e + 1) % freq)
    ]
    done = logged(epochs, loss=[float(e) for e in epochs], val_loss=[float(e) for e in validated])
    run = fit_history(done, validation_freq=freq)
    assert run["loss"] == [float(e) for e in epochs]
    assert run["val_loss"] == [float(e) if e in validated else None for e in epochs]


def test_numbers_of_any_kind_are_taken_and_others_left_out() -> None:
    done = logged([0, 1], loss=[np.float32(1), None], f1=[np.ones(1), 2], note=["a", "b"])
    assert fit_history(done) == {"epoch": [0, 1], "loss": [1.0, None], "f1": [1.0, 2.0]}


def test_a_number_of_values_that_does_not_fit_is_an_error_with_the_way_out() -> None:
    done = logged([0, 1, 2, 3], loss=[1.0] * 4, val_loss=[1.0] * 2)
    with pytest.raises(es.HistoryError, match=r"'val_loss' has 2 values, and with validation_freq"):
        fit_history(done)
    with pytest.raises(es.HistoryError, match=r"validation_freq=3 a fit of 4 epochs has 1: pass"):
        fit_history(done, validation_freq=3)
    with pytest.raises(es.HistoryError, match="'score' has 1 values in a fit of 2 epochs, and wh"):
        fit_history(logged([0, 1], score=[1.0]))
    with pytest.raises(es.HistoryError, match=r"takes what `model.fit` returned, got {'loss'"):
        fit_history({"loss": [1.0]})
    with pytest.raises(es.RuleError, match=r"fit_history\(validation_freq=...\)` must be a whole"):
        fit_history(done, validation_freq=0)
    with pytest.raises(es.HistoryError, match=r"earlystop\.adapters\.keras\.fit_history"):
        es.History.from_runs([done.history])
