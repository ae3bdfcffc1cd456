"""States with any part changed: refused as documented, or the run goes on without a fault."""

from __future__ import annotations

import contextlib
import json
import math
import random
from typing import Any

import pytest
from earlystop.adapters.loop import EpochLoop
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es

from ..support.damage import VALUES, changed, places
from ..support.random_rules import METRICS, library_rules, random_rule_of

HUGE = {"400 digits": 10**400, "5,000 digits": 10**5000, "NaN": math.nan, "inf": math.inf}


def stepped(rule: es.Rule, chance: random.Random) -> es.Stopper:
    stopper = es.Stopper(rule, save=es.Best("loss", mode="min"), on_missing="skip")
    for _ in range(chance.randint(0, 5)):
        if not stopper.stopped:
            stopper.step({name: chance.uniform(-1, 1) for name in METRICS})
    return stopper


def following_positions(stopper: es.Stopper) -> dict[str, float]:
    """The epoch and the step after the last ones, of those that the run is told by."""
    state: Any = stopper.state_dict()["positions"] or {}
    last = {name: state.get(name) for name in ("epoch", "step")}
    return {
        name: max(value + 1, math.nextafter(value, math.inf))
        for name, value in last.items()
        if value is not None
    }


@pytest.mark.parametrize("cls", library_rules())
@given(data=st.data())
def test_a_changed_state_of_any_rule_is_refused_or_goes_on(
    cls: type[es.Rule], data: st.DataObject
) -> None:
    chance = random.Random(data.draw(st.integers(0, 1 << 30)))
    first = stepped(random_rule_of(cls, chance), chance)
    state: Any = first.state_dict()
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(list(places(state))))
        how = data.draw(st.sampled_from(["delete", "repeat", "replace"]))
        state = changed(state, place, how, data.draw(VALUES))
    second = es.Stopper(first.stop, save=first.save, on_missing="skip")
    with contextlib.suppress(es.StateError):
        second.load_state_dict(state)
    for _ in range(4):
        with contextlib.suppress(es.StoppedError):
            metrics = {name: chance.uniform(-1, 1) for name in METRICS}
            str(second.step(metrics, **following_positions(second)))
    text = json.dumps(second.state_dict(), allow_nan=False)
    es.Stopper(first.stop, save=first.save, on_missing="skip").load_state_dict(json.loads(text))


@pytest.mark.parametrize("what", HUGE)
def test_a_number_beyond_all_is_refused_at_every_place_of_a_state(what: str) -> None:
    with EpochLoop(es.Stopper(es.Patience("loss", 3, growth=1.5), save=es.Best("loss"))) as loop:
        for _, loss in zip(loop, (1.0, 0.5), strict=False):
            loop.report(loss=loss)
    state = loop.state_dict()
    numbers = [
        place
        for place in places(state)
        if place[-2:-1] != ("Patience",) and isinstance(_at(state, place), (int, float))
    ]
    assert len(numbers) > 8
    for place in numbers:
        again = EpochLoop(es.Stopper(es.Patience("loss", 3, growth=1.5), save=es.Best("loss")))
        with pytest.raises(es.StateError) as caught:
            again.load_state_dict(changed(state, place, "replace", HUGE[what]))
        assert len(str(caught.value)) < 1000
        assert again.stopper.epoch == 0


@pytest.mark.parametrize("place", [(), ("stopper",), ("stopper", "stop"), ("stopper", "reason")])
def test_a_state_nested_by_the_thousand_is_refused(place: tuple[str, ...]) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    loop = EpochLoop(es.EarlyStopping("loss"))
    state = changed(loop.state_dict(), place, "replace", deep)
    with pytest.raises(es.StateError):
        loop.load_state_dict(state)


def _at(tree: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        tree = tree[step]
    return tree
