"""Tables: a rule with its settings, one value per epoch, and the epochs on which it fires."""

from __future__ import annotations

import math
from typing import Any

import pytest

import earlystop as es
from earlystop.replaying.decide import decide
from earlystop.replaying.tuning import Tuning
from earlystop.sweeping.grid import walk
from tests.rules.firing import fires, firing
from tests.support.random_rules import library_rules

nan, inf = math.nan, math.inf


RULES = {
    "Best fires on the first value and every better one": (
        es.Best("loss"),
        [3, 4, 3, 2, 2, 1],
        [0, 3, 5],
    ),
    "Best maximising": (es.Best("loss", mode="max"), [3, 4, 4, 2, 5], [0, 1, 4]),
    "Best passes NaN and wrong infinities over": (es.Best("loss"), [nan, inf, 3, nan, 2], [2, 4]),
    "Best with min_delta": (es.Best("loss", min_delta=0.5), [3, 2.6, 2.5, 2.4], [0, 3]),
    "TopK fires on what is among the best k": (
        es.TopK("loss", 2),
        [5, 4, 4.5, 6, 4.5, 3, 4],
        [0, 1, 2, 5],
    ),
    "TopK maximising": (es.TopK("loss", 2, mode="max"), [1, 2, 1, 3, 2.5, 2], [0, 1, 3, 4]),
    "TopK passes NaN and wrong infinities over": (
        es.TopK("loss", 2),
        [nan, inf, 3, nan, 2, inf, 1],
        [2, 4, 6],
    ),
    "TopK with ties, but none with nothing": (
        es.TopK("loss", 2, improvement=es.Improvement(ties=True)),
        [inf, 3, 3, 3, 4, 2, 3, 2, 3],
        [1, 2, 3, 5, 6, 7],
    ),
    "TopK takes the first k, a NaN as the worst": (
        es.TopK("loss", 3, improvement=es.Improvement(first="taken")),
        [nan, 2, inf, 3, nan, inf, 1, 4],
        [0, 1, 2, 3, 6],
    ),
    "TopK in float32": (
        es.TopK("loss", 1, improvement=es.Improvement(arithmetic="float32")),
        [1 + 1e-9, 1, 0.5],
        [0, 2],
    ),
    "Filtered shows every second check": (
        es.Filtered(es.Best("loss"), es.Every(2)),
        [1, 4, 2, 3, 3, 5],
        [1, 3],
    ),
    "Filtered: the rule counts what it is shown": (
        es.Filtered(es.Patience("loss", 1), es.Threshold("loss", 5)),
        [4, 9, 9, 3, 9, 3],
        [5],
    ),
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
def test_the_rule_fires_at_these_epochs(behaviour: str) -> None:
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
def test_the_rule_of_prechelt_fires_at_these_epochs(behaviour: str) -> None:
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
    "a patience of 0, which means 1": (
        es.Patience("val_loss", 0),
        [{"val_loss": v} for v in (0.5, 0.7)],
        "val_loss has not improved on 0.5 (epoch 0) by more than 0 for 1 epoch",
    ),
    "the first of several metrics": (
        es.NonFinite("loss", "acc"),
        [{"loss": 1.0, "acc": 1.0}, {"loss": nan, "acc": 1.0}],
        "loss is nan",
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
    "generalization loss": (
        es.GeneralizationLoss("loss", alpha=50),
        [{"loss": 2.0}, {"loss": 3.0}, {"loss": 4.0}],  # 3 is 50 % worse, no more
        "loss is 100 % worse than its best, 2; the limit is 50 %",
    ),
    "plateau": (
        es.Plateau("loss", window=2, std=0.5),
        [{"loss": 1.0}, {"loss": 3.0}, {"loss": 3.0}],
        "the last 2 values of loss have a standard deviation of 0, at most 0.5",
    ),
    "time limit": (
        es.TimeLimit(60),
        [{"elapsed_seconds": 30.0}, {"elapsed_seconds": 61.0}],
        "61 s have passed, the limit is 60 s",
    ),
    "every": (es.Every(2), [{}, {}], "2 checks: the next of every 2 checks"),
    "max steps": (
        es.MaxSteps(10),
        [{"step": 12.0}],
        "step 12 has been reached, the limit is 10",
    ),
    "always": (es.Always(), [{}], "Always() fires"),
    "ties improve": (
        es.Patience("loss", 1, min_delta=0.1, improvement=es.Improvement(ties=True)),
        [{"loss": v} for v in (1.0, 0.9, 0.85)],
        "loss has not improved on 0.9 (epoch 1) by at least 0.1 for 1 epoch",
    ),
    "any gain moves the reference": (
        es.Patience("loss", 2, min_delta=0.1, improvement=es.Improvement(moved_by="gain")),
        [{"loss": v} for v in (1.0, 0.95, 0.9)],
        "loss has not improved on its best, now 0.9, by more than 0.1 for 2 epochs; "
        "it last improved at epoch 0",
    ),
    "a gate": (
        es.Patience("loss", 2, gate=0.5),
        [{"loss": v} for v in (1.0, 0.9, 0.8, 0.85)],
        "loss has had no improvement that beats 0.5 by more than 0 for 4 epochs; "
        "it last improved at epoch 2",
    ),
    "a cooldown": (
        es.Patience("loss", 1, cooldown=2),
        [{"loss": v} for v in (1.0, 1.0)],
        "loss has not improved on 1 (epoch 0) by more than 0 for 1 check outside its cooldown of "
        "2 checks",
    ),
    "a free first value that is none": (
        es.Patience("loss", 1, improvement=es.Improvement(first="free")),
        [{"loss": nan}, {"loss": nan}],
        "loss has had no value to improve on for 1 epoch",
    ),
    "a first value that is taken and NaN": (
        es.Patience("loss", 1, improvement=es.Improvement(first="taken")),
        [{"loss": nan}, {"loss": 1.0}],
        "loss has not improved on nan (epoch 0) by more than 0 for 1 epoch",
    ),
    "NaN that are skipped": (
        es.Patience("loss", 2, improvement=es.Improvement(nan="skipped")),
        [{"loss": v} for v in (1.0, 2.0, nan, 2.0)],
        "loss has not improved on 1 (epoch 0) by more than 0 for 2 checks",
    ),
    "several times in a row": (
        es.Lasting(es.Threshold("loss", 0.5), 2),
        [{"loss": v} for v in (0.5, 0.6, 0.4, 0.3)],
        "loss reached 0.3, the target was 0.5 (2 times in a row)",
    ),
    "patience that reads the curve": (
        es.AdaptivePatience("loss", 2),
        [{"loss": v} for v in (1.0, 0.5, 0.5)],
        "loss has gained nothing worth counting for 1 epoch (since 0.5, epoch 1) and moves by 60 % "
        "of its improvement an epoch",
    ),
    "best": (es.Best("loss"), [{"loss": 1.0}], "loss reached a new best, 1"),
    "among the best": (
        es.TopK("loss", 2),
        [{"loss": 1.5}],
        "loss is among the best 2 so far, 1.5",
    ),
    "what a rule was shown": (
        es.Filtered(es.Threshold("loss", 0.5), es.Every(2)),
        [{"loss": v} for v in (0.4, 0.6, 0.4, 0.3)],
        "loss reached 0.3, the target was 0.5",
    ),
}


def test_every_rule_that_can_fire_has_an_example_of_its_reason() -> None:
    shown = {type(part) for rule, _, _ in REASONS.values() for part in walk(rule)}
    assert shown == set(library_rules()) - {es.Never}


def test_bounds_are_compared_in_float32_where_they_are_to_be() -> None:
    near = [0.1 + 1e-9, 0.1, 0.1 - 1e-9]  # the same float32
    for dtype, reached, beyond in (("float64", [1, 2], [2]), ("float32", [0, 1, 2], [])):
        settings: dict[str, Any] = {"dtype": dtype}
        assert fires(es.Threshold("loss", 0.1, **settings), near) == reached
        assert fires(es.Diverged("loss", 0.1, mode="max", **settings), near) == beyond


@pytest.mark.parametrize("what", REASONS)
def test_reasons_carry_the_numbers(what: str) -> None:
    rule, epochs, reason = REASONS[what]
    stopper = es.Stopper(rule)
    decisions = [stopper.step(metrics) for metrics in epochs]
    assert [decision.stop for decision in decisions] == [False] * (len(epochs) - 1) + [True]
    assert decisions[-1].reason == reason == stopper.reason


def test_one_run_and_many_sum_a_window_in_the_same_order() -> None:
    # Python's sum compensates since 3.12 and NumPy's adds by pairs: both would differ from this.
    values, window = [0.1] * 30, 10
    total = 0.0
    for value in values[:window]:
        total += value
    assert total == 0.9999999999999999
    rule = es.Warmup(es.Smoothed(es.Threshold("loss", total / window), "loss", window=window), 0)
    history = es.History({"loss": [values] * 2})
    stopper = es.Stopper(es.Warmup(rule, 5) & es.MaxEpochs(window + 5))
    together = decide(stopper.stop, stopper.save, history, tuning=Tuning(few_runs=0))
    assert together[0].tolist() == [window + 5] * 2
    assert together[1].all()
    assert len(es.replay(stopper, history).decisions(0)) == window + 5


def test_a_smoothed_rule_steps_its_other_parts_where_the_smoothed_metric_is_missing() -> None:
    rule = es.Smoothed(es.Threshold("loss", 0.1) | es.MaxEpochs(3), "loss", window=2)
    stopper = es.Stopper(rule, on_missing="skip")
    assert [stopper.step(metrics).stop for metrics in ({}, {"loss": 1.0}, {})] == [
        False,
        False,
        True,
    ]
