"""How many values a rule may keep, and numbers beyond what a setting can hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import earlystop as es

WINDOWS: dict[str, Callable[[int], es.Rule]] = {
    "Plateau": lambda count: es.Plateau("loss", count, 0.1),
    "Smoothed": lambda count: es.Smoothed(es.Patience("loss"), "loss", window=count),
    "ProgressQuotient": lambda count: es.ProgressQuotient("val_loss", "loss", strip=count),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_has_an_upper_bound(name: str) -> None:
    assert len(str(es.Stopper(WINDOWS[name](100_000)).state_dict())) > 100_000
    for count in (100_001, 10**9, 10**30, 10**5000):
        with pytest.raises(es.RuleError, match="at most 100,000, got"):
            WINDOWS[name](count)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_beyond_the_bound_is_refused_wherever_it_comes_from(name: str) -> None:
    small = WINDOWS[name](3)
    field = "strip" if name == "ProgressQuotient" else "window"
    with pytest.raises(es.RuleError, match="at most 100,000"):
        es.Rule.from_text(repr(small).replace("=3", "=1000000000", 1))
    data = small.to_dict()
    data[name][field] = 10**9
    with pytest.raises(es.RuleError, match="at most 100,000"):
        es.Rule.from_dict(data)
    with pytest.raises(es.RuleError, match="at most 100,000"):
        small.replace(**{field: 10**9})
    history = es.History({"loss": [1.0, 2.0], "val_loss": [1.0, 2.0]})
    with pytest.raises(es.RuleError, match="at most 100,000"):
        es.sweep(small, history, **{field: [2, 10**9]})


@pytest.mark.parametrize(
    "make",
    [
        lambda: es.Every(10**30),
        lambda: es.MaxEpochs(2**63),
        lambda: es.Patience("loss", 10**400),
        lambda: es.Patience("loss", min_delta=10**400),
        lambda: es.ConsecutiveIncreases("loss", strip=2**64),
        lambda: es.Threshold("loss", -(10**309)),
        lambda: es.TimeLimit(10**5000),
        lambda: es.Plateau("loss", 3, 10**400),
    ],
)
def test_a_number_that_no_state_could_hold_is_refused(make: Callable[[], es.Rule]) -> None:
    with pytest.raises(es.RuleError, match=r"fits in 64 bits|finite number"):
        make()


def test_counts_that_need_no_memory_may_be_as_large_as_64_bits_hold() -> None:
    most = 2**63 - 1
    rule = es.Every(most) | es.MaxEpochs(most) | es.Patience("loss", most)
    rule = es.Warmup(rule | es.ConsecutiveIncreases("loss", most, most), most)
    stopper = es.Stopper(rule)
    assert not stopper.step({"loss": 1.0}).stop
    es.Stopper(rule).load_state_dict(stopper.state_dict())
    assert not es.replay(rule, es.History({"loss": [[1.0, 2.0]] * 9})).stopped.any()
