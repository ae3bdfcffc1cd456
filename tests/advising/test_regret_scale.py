"""What a run loses, in each unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import earlystop as es
from earlystop.advising.regret_scale import RegretScale
from tests.advising.runs import LOSS, inf, nan, noisy

# What a run loses -----------------------------------------------------------------------------

LOSSES: dict[str, tuple[list[Any], int, float]] = {
    # values, the patience, the share of the improvement that is lost
    "half of the way": ([4.0, 3.0, 3.5, 2.0], 1, 0.5),
    "nothing": ([4.0, 3.0, 2.0], 1, 0.0),
    "all: stopped before it improved": ([4.0, 5.0, 2.0], 1, 1.0),
    "constant": ([4.0, 4.0, 4.0], 1, 0.0),
    "never better than the first": ([4.0, 5.0, 6.0], 1, 0.0),
    "stopped before it had a value": ([nan, nan, 4.0, 2.0], 1, 1.0),
    "stopped before its only value": ([nan, nan, 4.0], 1, 1.0),
    "an infinite first value does not count": ([inf, 4.0, 3.0, 3.5, 2.0], 2, 0.0),
    "from the first finite value on": ([nan, 4.0, 3.0, 3.5, 2.0], 1, 1.0),
    "no number at all": ([nan, inf, nan], 1, 0.0),
    "missed an infinitely good value": ([4.0, 5.0, -inf], 1, 1.0),
    "found an infinitely good value": ([4.0, -inf, 5.0, 3.0], 1, 0.0),
    "not reported at first": ([None, 4.0, 3.0, 3.5, 2.0], 1, 0.5),
    "as far apart as floats go": ([1e308, 1.5e308, -1e308], 1, 1.0),
}


@pytest.mark.parametrize("what", LOSSES)
@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_a_run_loses_as_a_share_of_its_improvement(what: str, mode: Any) -> None:
    values, patience, share = LOSSES[what]
    sign = 1 if mode == "min" else -1
    history = es.History.from_runs([{"m": [None if v is None else sign * v for v in values]}])
    save = es.Best("m", mode=mode)
    done = es.replay(es.Patience("m", patience, mode=mode), history, save=save)
    scale = RegretScale(history, save, "improvement")
    assert scale.lost(done.regret, slice(0, 1)).tolist() == [share]
    assert scale.usable.tolist() == [what != "no number at all"]
    assert scale.end.tolist() == [len(values)]


def test_other_units_count_in_the_metric_or_against_the_best_value() -> None:
    history = es.History({"loss": [[4.0, 3.0, 3.5, 2.0], [4.0, 1.0, 2.0, -2.0]]})
    done = es.replay(es.Patience("loss", 1), history, save=LOSS)
    runs = slice(0, 2)
    assert RegretScale(history, LOSS, "metric").lost(done.regret, runs).tolist() == [1.0, 3.0]
    assert RegretScale(history, LOSS, "best").lost(done.regret, runs).tolist() == [0.5, 1.5]


def test_an_expected_regret_in_units_without_a_bound_is_refused_or_capped() -> None:
    history = noisy(100)
    for unit in ("metric", "best"):
        with pytest.raises(es.RuleError, match="only if it is bounded"):
            es.advise(history, "loss", max_regret=0.02, unit=unit)
        assert es.advise(history, "loss", max_regret=0.02, unit=unit, at_most=0.1).promised == 0.1
    ask = {"max_regret": 0.02, "unit": "metric", "bound": 0.5, "family": "patience"}
    advice = es.advise(history, "loss", **ask)
    table = es.sweep(es.Patience("loss"), history, patience=range(1, 60))
    kept = (np.minimum(table.regret, 0.5).sum(axis=1) + 0.5) / 101 <= 0.02
    assert advice.rule == es.Patience("loss", int(kept.argmax()) + 1)
    assert advice.observed == pytest.approx(table.mean_regret[kept.argmax()])
    assert "of loss" in str(advice)


def test_a_warning_says_that_losses_above_the_bound_count_as_the_bound() -> None:
    values = noisy(100).metrics["loss"].copy()
    values[3, 50] = -1000.0
    ask: dict[str, Any] = {"max_regret": 0.05, "unit": "metric", "candidates": {"patience": [12]}}
    advice = es.advise(es.History({"loss": values}), "loss", bound=0.6, **ask)
    assert (advice.promised, advice.bound) == (0.05, 0.6)
    assert advice.observed > 9  # uncapped
    assert "counts as losing 0.6" in str(advice).replace("\n", " ")
    lost = es.replay(advice.rule, es.History({"loss": values}), save=LOSS).regret
    capped = f"{np.minimum(lost, 0.6).mean():.4g} on these runs"
    assert any("1 run of 100" in text and capped in text for text in advice.warnings)
    enough = es.advise(es.History({"loss": np.delete(values, 3, axis=0)}), "loss", bound=0.6, **ask)
    assert not any("the bound" in warning for warning in enough.warnings)


def test_the_requested_level_is_not_rounded() -> None:
    history, ask = noisy(150), {"max_regret": 0.12345}
    assert "at most 12.345 % of the improvement" in str(es.advise(history, "loss", **ask))
    sure = es.advise(history, "loss", at_most=0.23456, confidence=0.98765, **ask)
    for part in ("98.765 %", "23.456 %", "12.345 %"):
        assert part in str(sure).replace("\n", " ")
        assert part in repr(sure)


def test_a_share_just_below_one_is_not_rounded_to_100_percent() -> None:
    advice = es.advise(noisy(150), "loss", max_regret=0.3, at_most=0.5, confidence=0.9999)
    assert "With 99.99 % confidence" in str(advice)
