"""Tables: one rule, its settings, the values of an epoch each, and the epochs on which it fires."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest

import earlystop as es
from earlystop.replaying import replay as replaying

nan, inf = math.nan, math.inf


def firing(rule: es.Rule, columns: dict[str, list[Any]]) -> list[int]:
    """The epochs on which the rule fires over a whole run; None means not reported."""
    stopper = es.Stopper(es.Never(), save=rule, on_missing="skip")
    length = len(next(iter(columns.values())))
    fired = []
    for epoch in range(length):
        metrics = {name: c[epoch] for name, c in columns.items() if c[epoch] is not None}
        if stopper.step(metrics).save:
            fired.append(epoch)
    return fired


def fires(rule: es.Rule, values: list[Any], monitor: str = "loss") -> list[int]:
    return firing(rule, {monitor: values})


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
def test_patience(behaviour: str) -> None:
    rule, values, expected = PATIENCE[behaviour]
    assert fires(rule, values) == expected


RULES = {
    "Best fires on the first value and every better one": (
        es.Best("loss"),
        [3, 4, 3, 2, 2, 1],
        [0, 3, 5],
    ),
    "Best maximising": (es.Best("loss", mode="max"), [3, 4, 4, 2, 5], [0, 1, 4]),
    "Best passes NaN and wrong infinities over": (es.Best("loss"), [nan, inf, 3, nan, 2], [2, 4]),
    "Best with min_delta": (es.Best("loss", min_delta=0.5), [3, 2.6, 2.5, 2.4], [0, 3]),
    "Threshold fires at the value and beyond": (es.Threshold("loss", 0.5), [0.6, 0.5, 0.4], [1, 2]),
    "Threshold maximising": (es.Threshold("loss", 0.5, mode="max"), [0.4, 0.5, 0.6], [1, 2]),
    "Threshold never on NaN": (es.Threshold("loss", 0.5), [nan], []),
    "Diverged fires beyond the value only": (es.Diverged("loss", 2), [2, 2.1, inf, nan], [1, 2]),
    "Diverged maximising": (es.Diverged("loss", 2, mode="max"), [2, 1.9, -inf, nan], [1, 2]),
    "NonFinite named": (es.NonFinite("loss"), [1, nan, inf, -inf, 2], [1, 2, 3]),
    "NonFinite of any metric": (es.NonFinite(), [1, nan, 2], [1]),
    "MaxEpochs from the n-th on": (es.MaxEpochs(3), [1, 1, 1, 1], [2, 3]),
    "Every n-th": (es.Every(2), [1, 1, 1, 1, 1], [1, 3]),
    "Never": (es.Never(), [1, 1], []),
    "Always": (es.Always(), [1, 1], [0, 1]),
    "Plateau needs a full window": (es.Plateau("loss", 3, 0.0), [1, 1, 1, 1, 2], [2, 3]),
    "Plateau: equal values deviate by exactly 0": (es.Plateau("loss", 3, 0.0), [0.1] * 3, [2]),
    # 1, 2, 3: mean 2, population variance 2/3; sqrt(2/3) = 0.8165. The sample's would be 1.
    "Plateau takes the population's deviation": (es.Plateau("loss", 3, 0.82), [1, 2, 3], [2]),
    "Plateau, just too wide": (es.Plateau("loss", 3, 0.81), [1, 2, 3], []),
    "Plateau never with NaN or infinity within": (
        es.Plateau("loss", 2, 9.0),
        [1, nan, 1, inf, inf, 1, 1],
        [6],
    ),
    "Warmup hides the first epochs, the rule begins afresh": (
        es.Warmup(es.Patience("loss", 2), 3),
        [1, 2, 3, 4, 5, 6],
        [5],
    ),
    "Warmup of 0 hides nothing": (es.Warmup(es.MaxEpochs(1), 0), [1], [0]),
    "Warmup counts what it hides, the rule the rest": (
        es.Warmup(es.MaxEpochs(2), 2),
        [1] * 5,
        [3, 4],
    ),
    "Warmup counts epochs that do not report": (
        es.Warmup(es.Threshold("loss", 9), 2),
        [None, None, 1],
        [2],
    ),
    # Means of two: 4, 3, 2.5, 4, 4
    "Smoothed by a window": (
        es.Smoothed(es.Patience("loss", 1), "loss", window=2),
        [4, 2, 3, 5, 3],
        [3, 4],
    ),
    # 8, 0.5*4+0.5*8 = 6, 0.5*6+0.5*6 = 6, 0.5*5+0.5*6 = 5.5
    "Smoothed by alpha": (
        es.Smoothed(es.Threshold("loss", 5.5), "loss", alpha=0.5),
        [8, 4, 6, 5],
        [3],
    ),
    "Smoothed with alpha 1 is the rule itself": (
        es.Smoothed(es.Patience("loss", 1), "loss", alpha=1),
        [4, 2, 3, 5, 1],
        [2, 3],
    ),
    "Smoothed shows a NaN and leaves it out of the mean": (
        es.Smoothed(es.Threshold("loss", 3) | es.NonFinite("loss"), "loss", window=2),
        [4, nan, 2, 2],
        [1, 2, 3],
    ),
    "Smoothed by a window is not spoilt by a NaN": (
        es.Smoothed(es.Threshold("loss", 3), "loss", window=2),
        [4, nan, 2, inf, 2],
        [2, 4],
    ),
    "Smoothed by alpha is not spoilt by a NaN": (
        es.Smoothed(es.Threshold("loss", 3), "loss", alpha=0.5),
        [4, nan, 2, -inf, 2],
        [2, 3, 4],
    ),
    "Smoothed keeps its mean where nothing is reported": (
        es.Smoothed(es.Threshold("loss", 3), "loss", window=2),
        [4, None, 2, None],
        [2],
    ),
    "not: fires where the rule does not": (~es.Threshold("loss", 1), [2, 1, nan, None], [0, 2]),
}


@pytest.mark.parametrize("behaviour", RULES)
def test_rule(behaviour: str) -> None:
    rule, values, expected = RULES[behaviour]
    assert fires(rule, values) == expected


# Worked by hand from Prechelt 1998, section 2.2, on numbers that binary floats hold exactly.
PRECHELT: dict[str, tuple[es.Rule, dict[str, list[Any]], list[int]]] = {
    # GL = 100 (E / E_opt - 1): E_opt 2: 2 -> 0 %, 2.5 -> 25 %, 3 -> 50 %; E_opt 1: 1.25 -> 25 %
    "GL is in percent of the lowest error": (
        es.GeneralizationLoss("loss", alpha=25),
        {"loss": [4, 2, 2.5, 3, 1, 1.25, 1.5]},
        [3, 6],
    ),
    "GL of exactly alpha does not fire": (
        es.GeneralizationLoss("loss", alpha=50),
        {"loss": [2, 3]},
        [],
    ),
    "GL with alpha 0 fires on any loss": (
        es.GeneralizationLoss("loss", alpha=0),
        {"loss": [2, 2, math.nextafter(2, 3)]},
        [2],
    ),
    # -4 -> -3 is 25 % of 4 worse
    "GL below zero keeps its sense": (
        es.GeneralizationLoss("loss", alpha=20),
        {"loss": [-2, -4, -3.5, -3]},
        [3],
    ),
    "GL over a lowest error of 0 is infinite": (
        es.GeneralizationLoss("loss", alpha=20),
        {"loss": [0, 5e-324, 0]},
        [1],
    ),
    # 0.75 is 25 % below 1
    "GL of a score falls from its highest": (
        es.GeneralizationLoss("loss", alpha=20, mode="max"),
        {"loss": [0.5, 1, 0.875, 0.75]},
        [3],
    ),
    "GL passes NaN over": (
        es.GeneralizationLoss("loss", alpha=20),
        {"loss": [nan, 2, nan, 3]},
        [3],
    ),
    # Strips of 2. Epochs 0, 1: training 6, 2: P = 1000 (8 / (2 * 2) - 1) = 1000.
    # Validation 2, 3: GL = 50; PQ = 0.05. Epochs 2, 3: training 2, 2: P = 0, GL(3) = 25: infinite.
    "PQ is loss in percent over progress in per mille, at the ends of strips": (
        es.ProgressQuotient("val", "train", alpha=0.05, strip=2, mode="min"),
        {"val": [2, 3, 4, 2.5], "train": [6, 2, 2, 2]},
        [3],
    ),
    "PQ just above alpha": (
        es.ProgressQuotient("val", "train", alpha=0.049, strip=2, mode="min"),
        {"val": [2, 3, 4, 2], "train": [6, 2, 2, 2]},
        [1],
    ),
    # 3 epochs: sum 12, lowest 3: P = 1000 (12 / 9 - 1) = 333.3; GL = 100: PQ = 0.3
    "PQ over a strip of three": (
        es.ProgressQuotient("val", "train", alpha=0.299, strip=3, mode="min"),
        {"val": [1, 1, 2, 1, 1, 1], "train": [5, 4, 3, 9, 9, 9]},
        [2],
    ),
    "PQ with no progress and no loss does not fire": (
        es.ProgressQuotient("val", "train", alpha=0.0, strip=2, mode="min"),
        {"val": [1, 1], "train": [1, 1]},
        [],
    ),
    "PQ sees no progress in training errors that are all 0": (
        es.ProgressQuotient("val", "train", alpha=0.5, strip=2, mode="min"),
        {"val": [1, 2], "train": [0, 0]},
        [1],
    ),
    "PQ sees no progress in equal training errors, whatever the rounding": (
        es.ProgressQuotient("val", "train", alpha=0.5, strip=7, mode="min"),
        {"val": [1] * 6 + [1.5], "train": [0.7] * 7},
        [6],
    ),
    # Ends of strips of 2 are epochs 1, 3, 5, 7, 9: 3, 4, 5, 5, 6
    "UP counts rises from strip end to strip end": (
        es.ConsecutiveIncreases("loss", increases=2, strip=2),
        {"loss": [9, 3, 1, 4, 1, 5, 9, 5, 1, 6]},
        [5],
    ),
    "UP needs one strip to compare with": (
        es.ConsecutiveIncreases("loss", increases=1, strip=3),
        {"loss": [1, 2, 3, 4, 5, 6]},
        [5],
    ),
    "UP with strips of one epoch": (
        es.ConsecutiveIncreases("loss", increases=3, strip=1),
        {"loss": [1, 2, 3, 4, 5, 4, 5]},
        [3, 4],
    ),
    "UP: a tie is no rise": (
        es.ConsecutiveIncreases("loss", increases=2, strip=1),
        {"loss": [1, 2, 2, 3, 4]},
        [4],
    ),
    "UP of a score counts falls": (
        es.ConsecutiveIncreases("loss", increases=2, strip=1, mode="max"),
        {"loss": [3, 2, 1, 2]},
        [2],
    ),
}


@pytest.mark.parametrize("behaviour", PRECHELT)
def test_prechelt(behaviour: str) -> None:
    rule, columns, expected = PRECHELT[behaviour]
    assert firing(rule, columns) == expected


def test_time_limit_reads_the_elapsed_time_and_takes_another_name_for_it() -> None:
    assert firing(es.TimeLimit(60), {"elapsed_seconds": [59.9, 60, 61]}) == [1, 2]
    assert firing(es.TimeLimit(60, monitor="_runtime"), {"_runtime": [59.9, 60]}) == [1]


def test_every_part_of_a_composition_steps_at_every_epoch() -> None:
    # If `|` stopped looking at the patience once the first part fires, it would lose count.
    rule = es.Threshold("acc", 0.9, mode="max") | es.Patience("loss", 2)
    columns = {"acc": [0.0, 0.95, 0.0, 0.0], "loss": [1.0, 1.0, 1.0, 1.0]}
    assert firing(rule, columns) == [1, 2, 3]
    rule_both = es.Threshold("acc", 0.9, mode="max") & es.Patience("loss", 2)
    columns = {"acc": [0.0, 0.0, 0.95, 0.95], "loss": [1.0, 1.0, 1.0, 0.5]}
    assert firing(rule_both, columns) == [2]


def test_a_missing_metric_freezes_only_the_rule_that_needs_it() -> None:
    rule = es.Patience("a", 2, mode="min") | es.Patience("b", 3, mode="min")
    assert firing(rule, {"a": [1, None, None, 1, 1], "b": [1, 1, 1, 1, 1]}) == [3, 4]


def test_compositions_are_flat_and_read_as_they_are_written() -> None:
    a, b, c = es.MaxEpochs(1), es.MaxEpochs(2), es.MaxEpochs(3)
    assert (a | b) | c == a | (b | c) == es.AnyOf(a, b, c)
    assert repr(a & (b | c)) == "MaxEpochs(1) & (MaxEpochs(2) | MaxEpochs(3))"
    assert repr(a & b | ~c) == "MaxEpochs(1) & MaxEpochs(2) | ~MaxEpochs(3)"
    assert repr(~(a & b)) == "~(MaxEpochs(1) & MaxEpochs(2))"


REASONS: dict[str, tuple[es.Rule, list[dict[str, float]], str]] = {
    "patience": (
        es.Patience("val_loss", 2),
        [{"val_loss": v} for v in (0.0658, 0.07, 0.0658)],
        "val_loss has not improved on 0.0658 (epoch 0) by more than 0 for 2 epochs",
    ),
    "patience of one, relative": (
        es.Patience("val_loss", 1, min_delta=0.01, relative=True),
        [{"val_loss": v} for v in (1.0, 0.995)],
        "val_loss has not improved on 1 (epoch 0) by more than 0.01 of it for 1 epoch",
    ),
    "nothing to improve on": (
        es.Patience("val_loss", 1),
        [{"val_loss": nan}],
        "val_loss has had no value to improve on for 1 epoch",
    ),
    "baseline": (
        es.Patience("val_loss", 1, baseline=0.5),
        [{"val_loss": 0.5}],
        "val_loss has not beaten the baseline 0.5 by more than 0 for 1 epoch",
    ),
    "any of": (
        es.MaxEpochs(1) | es.NonFinite("loss") | es.NonFinite("acc"),
        [{"loss": nan, "acc": 1.0}],
        "1 epoch has been run; loss is nan",
    ),
    "all of": (
        es.MaxEpochs(1) & es.NonFinite("loss"),
        [{"loss": inf}],
        "1 epoch has been run and loss is inf",
    ),
    "not": (
        ~es.Threshold("loss", 1.0),
        [{"loss": 2.0}],
        "Threshold('loss', value=1.0, mode='min') does not fire",
    ),
    "smoothed": (
        es.Smoothed(es.Threshold("loss", 3.0), "loss", window=2),
        [{"loss": 4.0}, {"loss": 2.0}],
        "loss reached 3, the target was 3 (loss smoothed with window=2)",
    ),
    "warm-up": (
        es.Warmup(es.MaxEpochs(1), 1),
        [{}, {}],
        "1 epoch has been run",
    ),
    "progress quotient": (
        es.ProgressQuotient("val", "train", alpha=0.1, strip=2, mode="min"),
        [{"val": 2.0, "train": 4.0}, {"val": 3.0, "train": 3.0}],
        "val is 50 % worse than its best, 0.3 times the progress of train in per mille; "
        "the limit is 0.1",
    ),
    "consecutive increases": (
        es.ConsecutiveIncreases("loss", increases=1, strip=1),
        [{"loss": 1.0}, {"loss": 2.0}],
        "loss has got worse over 1 strip of 1 epochs in a row",
    ),
    "diverged": (es.Diverged("loss", 2), [{"loss": 3.0}], "loss is 3, worse than 2"),
    "every": (es.Every(2), [{}, {}], "2 epochs are a multiple of 2"),
    "always": (es.Always(), [{}], "Always() fires"),
    "best": (es.Best("loss"), [{"loss": 1.0}], "loss reached a new best, 1"),
}


@pytest.mark.parametrize("what", REASONS)
def test_reasons_carry_the_numbers(what: str) -> None:
    rule, epochs, reason = REASONS[what]
    stopper = es.Stopper(rule)
    decisions = [stopper.step(metrics) for metrics in epochs]
    assert [decision.stop for decision in decisions] == [False] * (len(epochs) - 1) + [True]
    assert decisions[-1].reason == reason == stopper.reason


def test_the_tutorials_patience_of_100_stops_100_epochs_after_the_best() -> None:
    # Best at the 675th epoch, stopped at the 775th, as in the tutorial on wine.
    losses = [1.2 - 0.001 * epoch for epoch in range(675)] + [0.6] * 2000
    stopper = es.EarlyStopping("val_loss", patience=100)
    epochs = next(n for n, loss in enumerate(losses, 1) if stopper.step({"val_loss": loss}).stop)
    assert (epochs, stopper.best_epoch) == (775, 674)


BAD_SETTINGS: dict[str, tuple[Any, type[Exception], str]] = {
    "negative patience": (
        lambda: es.Patience("val_loss", patience=-1),
        ValueError,
        "`Patience(patience=...)` must be a whole number of at least 0, got -1",
    ),
    "patience of NaN": (
        lambda: es.Patience("val_loss", patience=nan),
        TypeError,
        "`Patience(patience=...)` must be a whole number of at least 0, got nan",
    ),
    "patience as text": (
        lambda: es.Patience("val_loss", patience="3"),
        TypeError,
        "`Patience(patience=...)` must be a whole number of at least 0, got '3'",
    ),
    "patience as truth": (
        lambda: es.EarlyStopping("val_loss", patience=True),
        TypeError,
        "`EarlyStopping(patience=...)` must be a whole number of at least 0, got True",
    ),
    "min_delta of NaN": (
        lambda: es.Patience("val_loss", min_delta=nan),
        ValueError,
        "`Patience(min_delta=...)` must be a finite number of at least 0, got nan",
    ),
    "negative min_delta": (
        lambda: es.Best("val_loss", min_delta=-0.1),
        ValueError,
        "`Best(min_delta=...)` must be a number of at least 0, got -0.1",
    ),
    "infinite baseline": (
        lambda: es.Patience("val_loss", baseline=inf),
        ValueError,
        "`Patience(baseline=...)` must be a finite number, got inf",
    ),
    "unknown mode": (
        lambda: es.Patience("val_loss", mode="lower"),
        ValueError,
        '`Patience(mode=...)` must be "auto", "min" or "max", got \'lower\'',
    ),
    "mode of another type": (
        lambda: es.Best("val_loss", mode=None),
        TypeError,
        '`Best(mode=...)` must be "auto", "min" or "max", got None',
    ),
    "auto on an unknown name": (
        lambda: es.EarlyStopping("gap_mean"),
        ValueError,
        "`EarlyStopping(mode=...)`: whether 'gap_mean' should fall or rise cannot be told from its "
        'name: pass mode="min" (lower is better) or mode="max" (higher is better)',
    ),
    "monitor that is no text": (
        lambda: es.Best(3),
        TypeError,
        "`Best(monitor=...)` must be a string, got 3",
    ),
    "empty monitor": (
        lambda: es.Best(""),
        ValueError,
        "`Best(monitor=...)` must be a name, not an empty string, got ''",
    ),
    "no time": (
        lambda: es.TimeLimit(0),
        ValueError,
        "`TimeLimit(seconds=...)` must be a number above 0, got 0",
    ),
    "no epochs": (
        lambda: es.MaxEpochs(0),
        ValueError,
        "`MaxEpochs(n=...)` must be a whole number of at least 1, got 0",
    ),
    "a window of one": (
        lambda: es.Plateau("loss", 1, 0.1),
        ValueError,
        "`Plateau(window=...)` must be a whole number of at least 2, got 1",
    ),
    "smoothing both ways": (
        lambda: es.Smoothed(es.Patience("loss"), "loss", window=3, alpha=0.1),
        ValueError,
        "`Smoothed(...)` takes either `window` or `alpha`, one of the two",
    ),
    "smoothing neither way": (
        lambda: es.Smoothed(es.Patience("loss"), "loss"),
        ValueError,
        "`Smoothed(...)` takes either `window` or `alpha`, one of the two",
    ),
    "alpha above 1": (
        lambda: es.Smoothed(es.Patience("loss"), "loss", alpha=1.5),
        ValueError,
        "`Smoothed(alpha=...)` must be at most 1, got 1.5",
    ),
    "smoothing a metric the rule does not read": (
        lambda: es.Smoothed(es.Patience("loss"), "los", window=3),
        ValueError,
        "`Smoothed(monitor=...)` must be a metric of Patience('loss', mode='min') (loss), "
        "got 'los'",
    ),
    "a rule that is none": (
        lambda: es.Warmup(es.EarlyStopping("loss"), 3),
        TypeError,
        "`Warmup(rule=...)` must be a Rule, got "
        "Stopper(Patience('loss', mode='min'), save=Best('loss', mode='min'))",
    ),
    "directions that differ": (
        lambda: es.ProgressQuotient("val_accuracy", "loss"),
        ValueError,
        "`ProgressQuotient(monitor='val_accuracy', train_monitor='loss')` needs two metrics with "
        "the same direction, got 'max' and 'min': take the loss of both, or pass `mode`",
    ),
    "no parts": (es.AnyOf, ValueError, "`AnyOf()` needs at least one rule"),
    "parts that are none": (
        lambda: es.AllOf(es.MaxEpochs(3), 3),
        TypeError,
        "`AllOf(rules=...)` must be a Rule, got (MaxEpochs(3), 3)",
    ),
    "NumPy's truth, spelt out": (
        lambda: es.Patience("loss", relative=1),
        TypeError,
        "`Patience(relative=...)` must be True or False, got 1",
    ),
    "the base of rules": (
        es.Rule,
        TypeError,
        "Rule is the base of rules: make one of its subclasses",
    ),
    "an unknown field": (
        lambda: es.Patience("loss").replace(patients=3),
        TypeError,
        "`Patience` has no field 'patients': the fields there are: baseline, dtype, growth, "
        "min_delta, mode, monitor, patience, relative, start_from_epoch; did you mean 'patience'?",
    ),
    "an unknown rule in JSON": (
        lambda: es.Rule.from_dict({"Patients": {}}),
        ValueError,
        "there is no rule called 'Patients': the rules there are:",
    ),
    "no rule in JSON": (
        lambda: es.Rule.from_dict([1, 2]),
        ValueError,
        'expected a rule as {"Name": {settings}}, such as {"MaxEpochs": {"n": 9}}, got [1, 2]',
    ),
    "unknown settings in JSON": (
        lambda: es.Rule.from_dict({"MaxEpochs": {"epochs": 3}}),
        ValueError,
        "expected the settings of MaxEpochs (n), got {'epochs': 3}",
    ),
    "incomplete settings in JSON": (
        lambda: es.Rule.from_dict({"MaxEpochs": {}}),
        ValueError,
        "the settings of MaxEpochs are incomplete:",
    ),
    "bad settings in JSON": (
        lambda: es.Rule.from_dict({"MaxEpochs": {"n": "3"}}),
        ValueError,
        "`MaxEpochs(n=...)` must be a whole number of at least 1, got '3'",
    ),
    "bad parts in JSON": (
        lambda: es.Rule.from_dict({"AnyOf": {"rules": 3}}),
        ValueError,
        "expected a list in the settings of AnyOf, got 3",
    ),
}


@pytest.mark.parametrize("what", BAD_SETTINGS)
def test_bad_settings_are_refused_at_construction(what: str) -> None:
    make, kind, text = BAD_SETTINGS[what]
    with pytest.raises(kind) as caught:
        make()
    assert str(caught.value).startswith(text)
    assert isinstance(caught.value, es.EarlystopError)


class Name(str, enum.Enum):
    LOSS = "loss"


def test_settings_are_brought_to_one_form() -> None:
    rule = es.Patience(
        Name.LOSS,
        patience=np.int64(3),
        min_delta=-0.0,
        baseline=np.float32(0.5),
        relative=np.True_,
    ).replace(relative=np.False_)
    assert repr(rule) == "Patience('loss', patience=3, mode='min', baseline=0.5)"
    assert type(rule.min_delta) is float
    assert str(rule.min_delta) == "0.0"
    assert rule == es.Patience("loss", 3, mode="min", baseline=0.5)


def test_replace_settles_the_mode_anew_only_where_it_was_left_to_the_name() -> None:
    assert es.Best("loss").replace(monitor="accuracy").mode == "max"
    assert es.Best("loss", mode="min").replace(monitor="accuracy").mode == "min"
    assert (es.MaxEpochs(1) | es.MaxEpochs(2)).replace(rules=(es.MaxEpochs(3),)) == es.AnyOf(
        es.MaxEpochs(3)
    )


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(es.RuleError, match="there is a rule called 'Patience' already"):

        class Patience(es.Rule):
            pass


class Holder(es.Rule):
    """A rule with fields of all kinds."""

    inner: es.Rule | None = None
    exact: es.MaxEpochs | None = None
    how: Literal["fast", "slow"] = "fast"
    more: tuple[es.Rule, ...] = ()

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        return state, epoch >= 3


@pytest.mark.parametrize(
    "rule",
    [Holder(), Holder(es.Every(2), es.MaxEpochs(3), "slow", (es.Always(), es.Never()))],
)
def test_fields_that_hold_rules_go_to_json_and_back(rule: es.Rule) -> None:
    assert es.Rule.from_dict(rule.to_dict()) == rule
    with pytest.raises(es.RuleError, match=r"`Holder\(how=...\)` must be one of 'fast', 'slow'"):
        rule.replace(how="other")


def test_classes_that_cannot_keep_the_contract_are_refused_when_they_are_written() -> None:
    with pytest.raises(es.RuleError, match=r"must take \(self, state, metrics, epoch\)"):

        class TwoArguments(es.Rule):
            def step(self, state: Any, metrics: Any) -> Any:
                return state, True

    with pytest.raises(es.RuleError, match="put checks of its own into `validate`"):

        class OwnChecks(es.Rule):
            def __post_init__(self) -> None:
                pass

    with pytest.raises(es.RuleError, match="must define `step"):

        class Stepless(es.Rule):
            monitor: str


class Compared(es.Rule):
    """Fields take part in comparison, whatever they say: compiled steps are shared by equality."""

    by: float = dataclasses.field(default=1.0, compare=False)

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        return state, epoch >= self.by


def test_rules_that_differ_in_anything_are_not_equal() -> None:
    assert Compared(1.0) == Compared(1)
    assert Compared(1.0) != Compared(2.0)
    assert [es.Stopper(Compared(by)).step({}).stop for by in (0.0, 1.0)] == [True, False]
    assert es.MaxEpochs(3) != es.Every(3)
    assert es.MaxEpochs(3) != 3


class Changeable(es.Rule):
    values: list[float]

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        return state, True


class Undirected(es.Rule):
    metric: str
    mode: Literal["auto", "min", "max"] = "auto"

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        return state, True


def test_fields_that_cannot_be_settled_are_refused_when_a_rule_is_made() -> None:
    with pytest.raises(
        es.RuleError, match=r"`Changeable\.values` must be a value: a tuple, not a l"
    ):
        Changeable([1.0])
    with pytest.raises(es.RuleError, match="needs a field called `monitor`"):
        Undirected("loss")


def test_a_rule_in_a_function_may_be_defined_again() -> None:
    def make() -> es.Rule:
        class Mine(es.Rule):
            class State(NamedTuple):
                seen: int = 0

            def step(self, state: State, metrics: Any, epoch: Any) -> tuple[State, Any]:
                return self.State(state.seen + 1), state.seen >= 1

        return Mine()

    first, second = make(), make()
    assert [es.Stopper(rule).step({}).stop for rule in (first, second)] == [False, False]


def test_one_run_and_many_add_a_window_up_in_one_order() -> None:
    # Python's sum compensates since 3.12 and NumPy's adds by pairs: both would differ from this.
    values, window = [0.1] * 30, 10
    total = 0.0
    for value in values[:window]:
        total += value
    assert total == 0.9999999999999999
    rule = es.Warmup(es.Smoothed(es.Threshold("loss", total / window), "loss", window=window), 0)
    history = es.History({"loss": [values] * 2})
    stopper = es.Stopper(es.Warmup(rule, 5) & es.MaxEpochs(window + 5))
    lanes = replaying._in_blocks(stopper, history, workers=1, progress=False)
    assert lanes[0].tolist() == [window + 5] * 2
    assert lanes[1].all()
    assert len(es.replay(stopper, history).decisions(0)) == window + 5


def test_a_smoothed_rule_steps_its_other_parts_where_the_smoothed_metric_is_missing() -> None:
    rule = es.Smoothed(es.Threshold("loss", 0.1) | es.MaxEpochs(3), "loss", window=2)
    stopper = es.Stopper(rule, on_missing="skip")
    assert [stopper.step(metrics).stop for metrics in ({}, {"loss": 1.0}, {})] == [
        False,
        False,
        True,
    ]
