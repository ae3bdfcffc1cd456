"""Tables: settings of `Patience`, one value per epoch, and the epochs on which it fires."""

from __future__ import annotations

import math
from typing import Any

import pytest

import earlystop as es
from tests.rules.firing import fires

nan, inf = math.nan, math.inf


def patience(*args: Any, **settings: Any) -> es.Patience:
    return es.Patience("loss", *args, **{"mode": "min", **settings})


PATIENCE = {
    "fires on the n-th epoch in a row without improvement, and keeps firing": (
        patience(2),
        [5, 4, 3, 4, 4, 4, 2, 3, 3],
        [4, 5, 8],
    ),
    "0 means 1": (patience(0), [5, 4, 3, 4, 2, 2], [3, 5]),
    "1": (patience(1), [5, 4, 3, 4, 2, 2], [3, 5]),
    "a tie is no improvement": (patience(2), [5, 4, 3, 3, 3], [4]),
    "maximising": (patience(2, mode="max"), [1, 2, 3, 2, 3, 4], [4]),
    "an improvement of exactly min_delta is none": (patience(1, min_delta=0.5), [8, 7.5], [1]),
    "an improvement just above min_delta is one": (patience(1, min_delta=0.5), [8, 7.49], []),
    "exactly min_delta when maximising": (
        patience(1, min_delta=0.5, mode="max"),
        [8, 8.5, 8.51],
        [1],
    ),
    "creeping by less than min_delta does not move the reference": (
        patience(3, min_delta=0.1),
        [1, 0.95, 0.91, 0.87, 0.86, 0.85, 0.84],
        [6],
    ),
    "the sum is taken on the side of the value, in float64": (
        patience(1, min_delta=0.02),
        [0.05, 0.03],  # 0.03 + 0.02 == 0.05: none, though 0.03 < 0.05 - 0.02 in floats
        [1],
    ),
    "improvements in the last bit count": (
        patience(2),
        [1.0, math.nextafter(1.0, 0), math.nextafter(math.nextafter(1.0, 0), 0), 1, 1],
        [4],
    ),
    "a NaN first does not become the reference": (patience(3), [nan, 5, 4, 3, 3.5], []),
    "a NaN is an epoch without improvement": (patience(3), [5, 4, nan, nan, nan], [4]),
    "nothing but NaN": (patience(2), [nan, nan, nan], [1, 2]),
    "an infinity on the wrong side never improves": (patience(2), [inf, inf, 1, 0.5], [1]),
    "an infinity on the right side does, once": (patience(2), [5, -inf, -inf, -inf], [3]),
    "a baseline must be beaten before anything counts": (
        patience(2, baseline=1),
        [3, 2, 1.5, 1, 0.5, 0.7, 0.6],
        [1, 2, 3, 6],
    ),
    "a baseline beaten by less than min_delta is not beaten": (
        patience(2, baseline=1, min_delta=0.5),
        [0.9, 0.6, 0.4],
        [1],
    ),
    "the first epochs neither count nor set the reference": (
        patience(2, start_from_epoch=3),
        [1, 1, 1, 5, 4, 4.5, 4.5],
        [6],
    ),
    "start_from_epoch and patience 0": (patience(0, start_from_epoch=2), [1, 2, 3, 3, 2], [3]),
    "relative: a fraction of the reference": (
        patience(1, min_delta=0.1, relative=True),
        [100, 95, 89.9, 81],
        [1, 3],
    ),
    # 8, 4: gained 4, so a gain counts if it is above 1; 3 gains 1 of 5 (margin 1.25): none; 2.5:
    # 1.5 of 5.5 (margin 1.375): one; 1.5: 1 of 6.5: none.
    "relative: a fraction of the improvement": (
        patience(1, min_delta=0.25, relative="improvement"),
        [8.0, 4.0, 3.0, 2.5, 1.5],
        [2, 4],
    ),
    "relative: a fraction of the improvement, maximising below zero": (
        patience(1, min_delta=0.25, relative="improvement", mode="max"),
        [-8.0, -4.0, -3.0, -2.5, -1.5],
        [2, 4],
    ),
    "relative: NaN and infinity are no part of the improvement": (
        patience(1, min_delta=0.25, relative="improvement"),
        [math.nan, 8.0, math.inf, 4.0, 3.0, 2.5],
        [0, 2, 4],
    ),
    "relative: where nothing has been gained any gain counts": (
        patience(1, min_delta=0.25, relative="improvement"),
        [8.0, 9.0, 8.0, 7.999],
        [1, 2],
    ),
    "relative: safe below zero": (
        patience(1, min_delta=0.1, relative=True),
        [-100, -105, -110.1, -109],
        [1, 3],
    ),
    "relative, maximising below zero": (
        patience(1, min_delta=0.1, relative=True, mode="max"),
        [-100, -95, -89, -85],
        [1, 3],
    ),
    "relative: any gain over a reference of 0 counts": (
        patience(1, min_delta=0.1, relative=True),
        [0, -5e-324, 0],
        [2],
    ),
    "growth: waits for as many epochs as growth times the epoch of the last improvement": (
        patience(1, growth=0.5),
        [9, 8, 7, 6, 5, 5, 4, 4, 4, 4, 4],
        [9, 10],
    ),
    "growth: the product is not rounded, epochs count from 0": (
        patience(0, growth=0.75),
        [9, 8, 7, 7, 7, 7],
        [4, 5],
    ),
    "growth: patience is the least": (patience(3, growth=0.5), [9, 8, 8, 8, 8, 8], [4, 5]),
    "growth: before the first improvement there is patience alone": (
        patience(2, growth=100, start_from_epoch=3),
        [1, 1, 1, nan, nan, nan],
        [4, 5],
    ),
    "growth: the epoch is that of the run, whatever start_from_epoch": (
        patience(1, growth=1, start_from_epoch=2),
        [1, 1, 3, 3, 3, 3],
        [4, 5],
    ),
    "growth: what was not reported is no wait": (
        patience(1, growth=1),
        [3, None, 2, None, 2, None, 2],
        [6],
    ),
    "not reported: keeps its count and does not fire": (
        patience(2),
        [5, None, 6, None, None, 6, None],
        [5],
    ),
}


@pytest.mark.parametrize("behaviour", PATIENCE)
def test_patience_fires_at_these_epochs(behaviour: str) -> None:
    rule, values, expected = PATIENCE[behaviour]
    assert fires(rule, values) == expected


def test_the_tutorials_patience_of_100_stops_100_epochs_after_the_best() -> None:
    # Best at the 675th epoch, stopped at the 775th, as in the tutorial on wine.
    losses = [1.2 - 0.001 * epoch for epoch in range(675)] + [0.6] * 2000
    stopper = es.EarlyStopping("val_loss", patience=100)
    epochs = next(n for n, loss in enumerate(losses, 1) if stopper.step({"val_loss": loss}).stop)
    assert (epochs, stopper.best_epoch) == (775, 674)


def test_best_is_another_word_for_a_true_relative() -> None:
    assert patience(3, min_delta=0.1, relative="best") == patience(3, min_delta=0.1, relative=True)
    assert "relative=True" in repr(patience(3, min_delta=0.1, relative="best"))


def test_relative_is_a_truth_value_or_a_known_word() -> None:
    with pytest.raises(es.RuleError, match="True, False or one of 'best', 'improvement', got 'so'"):
        patience(3, relative="so")
    with pytest.raises(es.RuleTypeError, match="True, False or one of"):
        patience(3, relative=2)
    with pytest.raises(es.RuleError, match="takes no cooldown"):
        patience(3, relative="improvement", cooldown=2)


def test_the_reason_names_what_the_margin_is_a_fraction_of() -> None:
    stopper = es.Stopper(patience(1, min_delta=0.25, relative="improvement"))
    told = [stopper.step({"loss": value}).reason for value in [8.0, 4.0, 3.0]][-1]
    assert told == (
        "loss has not improved on 4 (epoch 1) by more than 0.25 of what the run has gained for 1 "
        "epoch"
    )
