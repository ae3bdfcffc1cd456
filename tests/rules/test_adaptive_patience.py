"""`AdaptivePatience`: tables worked by hand, and the definition written out a second time."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.rules.firing import fires
from tests.support.strategies import values

nan, inf = math.nan, math.inf


def rule(patience: float, **settings: Any) -> es.AdaptivePatience:
    settings = {"min_gain": 0.0, "alpha": 0.5, **settings}
    return es.AdaptivePatience("loss", patience, **settings)


# Scores (wait + 1)^2 / ratio, on numbers that binary floats hold exactly.
TABLES: dict[str, tuple[es.AdaptivePatience, list[Any], list[int]]] = {
    # 8, 4: gained 4, moved 4, ratio 1: scores 1, 1. Then 4: moved 2, ratio 1/2, wait 1: 8.
    # Then 4: moved 1, ratio 1/4, wait 2: 36. The dial 6 has the square 36.
    "fires once the score reaches the square of the dial": (rule(6), [8, 4, 4, 4], [3]),
    "and not before": (rule(6.001), [8, 4, 4, 4], []),
    # As above, then 2: gained 6, moved (1 + 2) / 2, ratio 1/4, wait 0: 4. Then 2: ratio 1/8, 32.
    "a gain ends the wait": (rule(6), [8, 4, 4, 4, 2, 2], [3]),
    "a maximised metric is the mirror image": (rule(6, mode="max"), [-8, -4, -4, -4], [3]),
    # 0, 4, 0, 4, 0: gained 0: ratio 1, whatever it moves: scores 1, 4, 9, 16, 25
    "where nothing has been gained the dial counts checks": (rule(4), [0, 4, 0, 4, 0], [3, 4]),
    "a constant run, too": (rule(3), [7, 7, 7, 7], [2, 3]),
    # wait is 1 at the first check: a NaN is no reference.
    "without any value every check waits": (rule(3), [nan, inf, -inf, None], [1, 2]),
    # 8, NaN, 4: moved 4, gained 4: the NaN waits (score 4) and is no value to move from.
    "a NaN waits and moves nothing": (rule(2), [8, nan, 4, nan], [1, 3]),
    "an infinity neither improves nor moves": (rule(6), [8, 4, -inf, inf], []),
    # after the infinities: moved stays 4, ratio 1, waits 1, 2: scores 4, 9
    "an infinity waits": (rule(3), [8, 4, -inf, inf], [3]),
    "a tie is no gain": (rule(2), [4, 4], [1]),
    # gained 16, margin 1/16 * 16 = 1: 7 does not beat 8 by more than 1 (gained 9, margin 9/16).
    "what has been gained counts the newest value": (
        rule(100, min_gain=0.125),
        [16, 8, 7],
        [],
    ),
    "a dial of at most 1 stops at once": (rule(1), [5.0, 4.0], [0, 1]),
    # ratio 1000 / 1e-9 is cut to 1000: (wait + 1)^2 / 1000
    "the ratio is at most 1000": (
        rule(1 / math.sqrt(1000) - 1e-9, alpha=1.0),
        [1e-9, 0, 1000, 0, 1000],
        [0, 1, 2, 3, 4],
    ),
}


@pytest.mark.parametrize("behaviour", TABLES)
def test_the_rule_fires_at_these_checks(behaviour: str) -> None:
    adaptive, losses, expected = TABLES[behaviour]
    assert fires(adaptive, losses) == expected


def test_a_gain_must_exceed_its_share_of_what_the_run_has_gained() -> None:
    # 16, 8: gained 8. 7: gained 9, margin 9/8: 1 is less. 6.5: gained 9.5, margin 1.1875: 1.5 is
    # more, and 6.5 is the reference.
    state, adaptive = rule(9, min_gain=0.125).init(), rule(9, min_gain=0.125)
    references = []
    for value in [16.0, 8.0, 7.0, 6.5]:
        state, _ = adaptive.follow(state, value)
        references.append((state.reference, state.wait))
    assert references == [(16, 0), (8, 0), (8, 1), (6.5, 0)]


def test_a_huge_first_value_makes_it_fire_soon_and_a_warmup_mends_it() -> None:
    losses = [1e12, *(4.0, 3.0, 2.0, 2.5, 1.9, 2.2, 1.8, 2.0)]
    adaptive = es.AdaptivePatience("loss", 20)
    # No gain counts beside 1e12, and moved falls by 0.6: at check 6, 6^2 / 0.6^5 is above 20^2.
    assert fires(adaptive, losses)[0] == 6
    assert fires(es.Warmup(adaptive, checks=1), losses) == []


def scores_by_definition(losses: list[float], adaptive: es.AdaptivePatience) -> list[float]:
    """The definition in plain Python, over the whole curve at every check."""
    found = []
    sign = 1.0 if adaptive.mode == "min" else -1.0
    reference, reference_at, moved = inf, -1, None
    for now, value in enumerate(losses):
        finite = [sign * x for x in losses[: now + 1] if math.isfinite(x)]
        gained = abs(finite[0] - min(finite)) if finite else 0.0
        if math.isfinite(value):
            if len(finite) > 1:
                step = abs(finite[-1] - finite[-2])
                a = adaptive.alpha
                moved = step if moved is None else a * step + (1 - a) * moved
            if finite[-1] + adaptive.min_gain * gained < reference:
                reference, reference_at = finite[-1], now
        wait = now - reference_at
        ratio = 1.0 if not gained else (moved or 0.0) / gained
        ratio = min(max(ratio, 1e-6), 1e3) if ratio == ratio else nan
        found.append((wait + 1.0) ** 2 / ratio)
    return found


@given(st.lists(values(), max_size=12), st.integers(0, 2**32))
def test_it_fires_by_its_definition(losses: list[float], seed: int) -> None:
    chance = random.Random(seed)
    adaptive = es.AdaptivePatience(
        "loss",
        patience=chance.choice([0.5, 1.0, 1.5, 2.0, 3.0, 10.0, 50.0]),
        min_gain=chance.choice([0.0, 0.03, 0.5]),
        alpha=chance.choice([0.1, 0.4, 1.0]),
        mode=chance.choice(["min", "max"]),
    )
    scores = scores_by_definition(losses, adaptive)
    expected = [now for now, score in enumerate(scores) if score >= adaptive.patience**2]
    assert fires(adaptive, losses) == expected


@given(st.lists(st.integers(-50, 50).map(float), max_size=20), st.integers(-3, 3))
def test_scale_and_shift_of_the_metric_change_nothing(losses: list[float], power: int) -> None:
    adaptive = es.AdaptivePatience("loss", 5, min_gain=0.03125, alpha=0.5)
    moved = [loss * 2.0**power + 64.0 for loss in losses]
    assert fires(adaptive, moved) == fires(adaptive, losses)


def test_the_reason_says_how_long_since_where_and_how_much_it_moves() -> None:
    stopper = es.Stopper(es.AdaptivePatience("val_loss", 6, min_gain=0, alpha=0.5))
    decisions = [stopper.step({"val_loss": value}) for value in [8.0, 4.0, 4.0, 4.0]]
    assert decisions[-1].reason == (
        "val_loss has gained nothing worth counting for 2 epochs (since 4, epoch 1) and moves by "
        "25 % of its improvement an epoch"
    )
    stopper = es.Stopper(es.AdaptivePatience("val_loss", 6, min_gain=0, alpha=0.5))
    places = [(value, 500 * n) for n, value in enumerate([8.0, 4.0, 4.0, 4.0], 1)]
    told = [stopper.step({"val_loss": value}, step=step) for value, step in places][-1].reason
    assert told == (
        "val_loss has gained nothing worth counting for 2 checks (since 4, step 1,000) and moves "
        "by 25 % of its improvement a check"
    )


def test_the_reason_says_when_there_was_nothing_to_gain_on() -> None:
    stopper = es.Stopper(es.AdaptivePatience("loss", 3))
    last = [stopper.step({"loss": value}) for value in [7.0, 8.0, 7.0]][-1]
    assert last.reason == (
        "loss has gained nothing on its first value for 2 epochs (since 7, epoch 0)"
    )
    stopper = es.Stopper(es.AdaptivePatience("loss", 3))
    last = [stopper.step({"loss": value}) for value in [nan, inf]][-1]
    assert last.reason == "loss has had no value to improve on for 2 epochs"


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"patience": 0}, "patience"),
        ({"patience": -1}, "patience"),
        ({"patience": 5, "min_gain": -0.1}, "min_gain"),
        ({"patience": 5, "alpha": 0}, "alpha"),
        ({"patience": 5, "alpha": 1.5}, "alpha"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], wrong: str) -> None:
    with pytest.raises(es.RuleError, match=wrong):
        es.AdaptivePatience("loss", **settings)
