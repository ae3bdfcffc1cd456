"""Settings of `Improvement`, of the gate and of the cooldown, and what rules do with them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.language.improvement import Terms
from earlystop.language.ops import improves
from tests.rules.firing import fires, firing
from tests.support.strategies import values

nan, inf = math.nan, math.inf


def saved(curve: list[float], mode: Any = "min", **settings: Any) -> list[int]:
    """The epochs that a `Best` saves; settings that it does not have are those of `Improvement`."""
    own = {name: settings.pop(name) for name in [*settings] if hasattr(es.Best, name)}
    return fires(es.Best("m", mode=mode, improvement=es.Improvement(**settings), **own), curve, "m")


def stops(curve: list[float], patience: int, mode: Any = "min", **settings: Any) -> list[int]:
    """The epochs on which a `Patience` fires, with settings as in `saved`."""
    own = {name: settings.pop(name) for name in [*settings] if hasattr(es.Patience, name)}
    improvement = es.Improvement(**settings)
    return fires(es.Patience("m", patience, mode=mode, improvement=improvement, **own), curve, "m")


def test_the_margin_stands_on_the_value_on_the_reference_or_on_the_gap() -> None:
    # 0.03 + 0.02 == 0.05, and 0.05 - 0.02 > 0.03, and 0.05 - 0.03 > 0.02, in float64.
    curve = [0.05, 0.03]
    assert saved(curve, min_delta=0.02) == [0]
    assert saved(curve, min_delta=0.02, margin_on="reference") == [0, 1]
    assert saved(curve, min_delta=0.02, margin_on="gap") == [0, 1]
    curve = [-value for value in curve]
    assert saved(curve, "max", min_delta=0.02, margin_on="reference") == [0, 1]
    assert saved([inf, 1.0], min_delta=0.02, margin_on="gap") == [1]


def test_a_relative_margin_has_the_magnitude_or_the_sign_of_the_reference_or_is_a_factor() -> None:
    below_zero = {"min_delta": 0.1, "relative": True, "margin_on": "reference"}
    assert saved([-1.0, -1.05, -0.95], **below_zero) == [0]
    assert saved([-1.0, -0.95, -0.8], relative_form="signed", **below_zero) == [0, 1]
    assert saved([-1.0, -0.95, -0.8], relative_form="factor", **below_zero) == [0, 1]
    assert saved([1.0, 1.05, 1.2], "max", relative_form="factor", **below_zero) == [0, 2]
    by_factor = 0.55 * (1 - 0.01)
    assert by_factor < 0.55 - 0.01 * 0.55  # neighbours
    one_in_a_hundred = {"min_delta": 0.01, "relative": True, "margin_on": "reference"}
    assert saved([0.55, by_factor], relative_form="signed", **one_in_a_hundred) == [0, 1]
    assert saved([0.55, by_factor], relative_form="factor", **one_in_a_hundred) == [0]


def test_ties_improve_if_they_are_to_with_a_margin_and_without() -> None:
    assert saved([2, 2, 1, 1, 3], ties=True) == [0, 1, 2, 3]
    assert saved([2, 1.5, 1.25], ties=True, min_delta=0.5) == [0, 1]
    assert saved([2, 1.5, 1.25], ties=True, min_delta=0.5, margin_on="gap") == [0, 1]
    assert stops([1.0] * 9, 1, ties=True) == []


def test_a_nan_misses_improves_or_is_skipped() -> None:
    curve = [3, nan, 4, nan, nan, 2]
    assert saved(curve) == [0, 5]
    assert saved(curve, nan="improves") == [0, 1, 2, 3, 4, 5]
    assert saved(curve, nan="improves", margin_on="gap") == [0, 1, 2, 3, 4, 5]
    assert saved(curve, nan="skipped") == [0, 5]
    assert stops(curve, 2) == [2, 3, 4]
    assert stops(curve, 2, nan="skipped") == []
    assert stops([3, nan, 4, nan, 4, nan, 5], 2, nan="skipped") == [4, 6]
    assert stops([nan] * 9, 1, nan="skipped") == []
    assert stops([nan] * 9, 1, nan="improves") == []


def test_the_first_value_is_judged_taken_or_free() -> None:
    curve = [nan, 2, 3, 1]
    assert saved(curve) == [1, 3]
    assert saved(curve, first="taken") == [0]
    assert saved([inf, inf, 2, 1], first="taken") == [0, 2, 3]
    assert saved(curve, first="free") == [1, 3]
    assert stops(curve, 1) == [0, 2]
    assert stops(curve, 1, first="taken") == [1, 2, 3]
    assert stops(curve, 1, first="free") == [2]
    assert stops([nan, nan, nan], 2, first="free") == [2]
    assert stops([nan, 5, 6], 1, first="taken", start_from_epoch=1) == [2]
    assert stops([nan, nan, 6], 1, first="free", start_from_epoch=1) == []


def test_with_a_baseline_there_is_a_reference_before_the_first_value() -> None:
    assert saved([3, 1], first="taken", baseline=2) == [1]
    assert stops([3, 3, 1], 1, first="taken", baseline=2) == [0, 1]
    assert stops([3, 3, 1], 1, first="free", baseline=2) == [1]


def test_the_reference_moves_on_an_improvement_on_any_gain_or_on_either() -> None:
    creeping = [1, 0.95, 0.9, 0.85, 0.8]
    assert saved(creeping, min_delta=0.1) == [0, 3]
    assert saved(creeping, min_delta=0.1, moved_by="gain") == [0]
    assert saved(creeping, min_delta=0.1, moved_by="either") == [0]
    assert stops(creeping, 3, min_delta=0.1, moved_by="gain") == [3, 4]
    worse = {"min_delta": -0.2, "signed": True}  # within 0.2 of the reference
    assert saved([1, 1.1, 1.2, 1.3], moved_by="gain", **worse) == [0, 1]
    assert saved([1, 1.1, 1.2, 1.3], moved_by="either", **worse) == [0, 1, 2, 3]


def test_a_reference_that_is_none_is_improved_on_by_any_value() -> None:
    assert saved([-inf, 5, 6], none_at="infinite") == [0, 1]
    assert saved([inf, nan, 3], none_at="infinite") == [0, 1]
    assert saved([1, 0, 3, 4], none_at="zero") == [0, 1, 2]
    assert saved([1, 0, 3, 4], none_at="zero", moved_by="gain") == [0, 1, 2]


def test_a_margin_below_0_lets_slightly_worse_values_improve() -> None:
    assert saved([1, 1.1, 1.2, 1.5], min_delta=-0.2, signed=True) == [0, 1, 2]
    for rule in (es.Best, es.Patience):
        with pytest.raises(es.RuleError, match=r"Improvement\(signed=True\)"):
            rule("loss", min_delta=-0.2)


def test_arithmetic_in_float32_rounds_the_value_before_the_margin_is_added() -> None:
    # 0.1 in float32 is 0.10000000149: above 0.1 in float64, and so is not reached by 0.1 + 0.
    assert saved([0.2, 0.1 + 1e-9, 0.1]) == [0, 1, 2]
    assert saved([0.2, 0.1 + 1e-9, 0.1], arithmetic="float32") == [0, 1]
    curve = [0.23, 0.13]  # 0.13 + 0.1 is 0.23, also rounded once; of rounded numbers, it is less
    assert saved(curve, min_delta=0.1) == saved(curve, min_delta=0.1, dtype="float32") == [0]
    assert saved(curve, min_delta=0.1, arithmetic="float32") == [0, 1]


def test_an_improvement_that_does_not_beat_the_gate_neither_ends_the_wait_nor_is_a_check() -> None:
    assert stops([0.9, 0.8, 0.7, 0.6, 0.65, 0.4, 0.5, 0.5, 0.5], 3, gate=0.5) == [4, 8]
    assert stops([0.9 - 0.01 * n for n in range(30)], 3, gate=0.5) == []
    assert stops([0.4, 0.6, 0.6], 2, gate=0.5) == [2]
    assert stops([0.49, 0.6], 1, gate=0.5, min_delta=0.05) == [1]
    assert stops([5, 6, 7], 2, "max", gate=6, min_delta=0.5) == []


def test_with_a_cooldown_the_rule_begins_anew_after_it_has_fired() -> None:
    worse = [1.0] * 12
    assert stops(worse, 2) == [*range(2, 12)]
    assert stops(worse, 2, cooldown=0) == [2, 4, 6, 8, 10]
    assert stops(worse, 2, cooldown=1) == [2, 5, 8, 11]
    assert stops([*worse[:4], 0.5, *worse[:5]], 2, cooldown=3) == [2, 7]
    assert stops([1, 1, 1, nan, nan, 1, 1, 1], 2, cooldown=1, nan="skipped") == [2, 7]


def test_lasting_fires_when_its_rule_has_fired_n_times_in_a_row() -> None:
    assert fires(es.Lasting(es.Threshold("loss", 1), 3), [1, 1, 2, 0, 0, 0, 0, 2]) == [5, 6]
    assert fires(es.Lasting(es.Threshold("loss", 1), 1), [1, 2, 1]) == [0, 2]
    assert fires(es.Lasting(es.Always(), 2), [1, 2, 1]) == [1, 2]


def test_a_check_without_the_metric_neither_adds_to_a_row_nor_ends_it() -> None:
    lasting = es.Lasting(es.Threshold("loss", 1), 2)
    columns = {"loss": [1, None, 1, None, 2, 1], "other": [0] * 6}
    assert firing(lasting, columns) == [2]


@given(values(), values(), st.sampled_from(["min", "max"]), st.floats(0, 2), st.booleans())
def test_the_default_is_the_plain_comparison(
    value: float, reference: float, mode: Any, min_delta: float, narrow: bool
) -> None:
    dtype: Any = "float32" if narrow else "float64"
    found = es.Improvement().improves(value, reference, Terms(mode, min_delta, False, dtype))
    assert found == improves(value, reference, mode, min_delta, dtype)


@given(st.lists(values(), min_size=1, max_size=20), st.integers(0, 4))
def test_the_settings_of_another_default_change_nothing(curve: list[float], patience: int) -> None:
    plain = stops(curve, patience)
    assert stops(curve, patience, signed=True) == plain
    assert stops(curve, patience, margin_on="gap") == stops(curve, patience, margin_on="reference")
    assert stops(curve, patience, moved_by="gain") == plain
