"""What the fields of rules accept, and how settings are compared, replaced and saved."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any, Literal

import numpy as np
import pytest

import earlystop as es

nan, inf = math.nan, math.inf


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
    "patience beyond 64 bits": (
        lambda: es.Patience("val_loss", patience=2**63),
        ValueError,
        "`Patience(patience=...)` must be a whole number that fits in 64 bits of at least 0, got 9",
    ),
    "min_delta as truth": (
        lambda: es.Patience("val_loss", min_delta=True),
        TypeError,
        "`Patience(min_delta=...)` must be a number, got True",
    ),
    "min_delta of NaN": (
        lambda: es.Patience("val_loss", min_delta=nan),
        ValueError,
        "`Patience(min_delta=...)` must be a finite number, got nan",
    ),
    "negative min_delta": (
        lambda: es.Best("val_loss", min_delta=-0.1),
        ValueError,
        "`Best(min_delta=...)` must be a number of at least 0, got -0.1 "
        "(`improvement=Improvement(signed=True)` allows less)",
    ),
    "a factor of the value": (
        lambda: es.Improvement(relative_form="factor"),
        ValueError,
        '`Improvement(relative_form="factor")` multiplies the reference: pass '
        "margin_on=\"reference\" with it, not 'value'",
    ),
    "a rule as an improvement": (
        lambda: es.Patience("val_loss", improvement=es.MaxEpochs(3)),
        TypeError,
        "`Patience(improvement=...)` must be an Improvement, got MaxEpochs(3)",
    ),
    "an unknown place of the margin": (
        lambda: es.Improvement(margin_on="both"),
        ValueError,
        "`Improvement(margin_on=...)` must be one of 'value', 'reference', 'gap', got 'both'",
    ),
    "a cooldown in steps": (
        lambda: es.Patience("val_loss", unit="step", cooldown=3),
        ValueError,
        "`Patience(cooldown=...)` counts checks: pass unit=\"checks\", not 'step', or leave it out",
    ),
    "an improvement in JSON that is a rule": (
        lambda: es.Rule.from_dict({"Best": {"monitor": "loss", "improvement": {"Never": {}}}}),
        ValueError,
        "expected {\"Improvement\": {settings}} in the settings of Best, got {'Never': {}}",
    ),
    "an improvement with an unknown setting in JSON": (
        lambda: es.Rule.from_dict(
            {"Best": {"monitor": "loss", "improvement": {"Improvement": {"tie": True}}}}
        ),
        ValueError,
        "expected the settings of Improvement (margin_on, relative_form, ties, nan, first, ",
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
        "`Plateau(window=...)` must be a whole number of at least 2 and at most 100,000, got 1",
    ),
    "smoothing both ways": (
        lambda: es.Smoothed(es.Patience("loss"), "loss", window=3, alpha=0.1),
        ValueError,
        "`Smoothed(...)` takes exactly one of `window` and `alpha`",
    ),
    "smoothing neither way": (
        lambda: es.Smoothed(es.Patience("loss"), "loss"),
        ValueError,
        "`Smoothed(...)` takes exactly one of `window` and `alpha`",
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
    "no rules": (es.AnyOf, ValueError, "`AnyOf()` needs at least one rule"),
    "items that are no rules": (
        lambda: es.AllOf(es.MaxEpochs(3), 3),
        TypeError,
        "`AllOf(rules=...)` must be a Rule, got (MaxEpochs(3), 3)",
    ),
    "NumPy's truth, spelt out": (
        lambda: es.Patience("loss", relative=1),
        TypeError,
        "`Patience(relative=...)` must be True, False or one of 'best', 'improvement', got 1",
    ),
    "the base of rules": (
        es.Rule,
        TypeError,
        "Rule is the base of rules: make one of its subclasses",
    ),
    "an unknown field": (
        lambda: es.Patience("loss").replace(patients=3),
        TypeError,
        "`Patience` has no field 'patients': available fields: baseline, cooldown, dtype, "
        "gate, growth, improvement, min_delta, mode, monitor, patience, relative, "
        "start_from_epoch, unit; did you mean 'patience'?",
    ),
    "an unknown rule in JSON": (
        lambda: es.Rule.from_dict({"Patients": {}}),
        ValueError,
        "there is no rule called 'Patients': available rules:",
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
    "bad items in JSON": (
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


def test_settings_are_converted_to_one_form() -> None:
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


def test_replace_resolves_the_mode_again_only_if_it_was_left_to_the_name() -> None:
    assert es.Best("loss").replace(monitor="accuracy").mode == "max"
    assert es.Best("loss", mode="min").replace(monitor="accuracy").mode == "min"
    assert (es.MaxEpochs(1) | es.MaxEpochs(2)).replace(rules=(es.MaxEpochs(3),)) == es.AnyOf(
        es.MaxEpochs(3)
    )


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


def test_fields_that_cannot_be_checked_are_refused_when_a_rule_is_made() -> None:
    with pytest.raises(
        es.RuleError, match=r"`Changeable\.values` must be a value: a tuple, not a l"
    ):
        Changeable([1.0])
    with pytest.raises(es.RuleError, match="needs a field called `monitor`"):
        Undirected("loss")
