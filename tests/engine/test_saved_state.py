"""The envelope of everything saved: what older versions wrote loads, everything else is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import earlystop as es
from earlystop.engine.saved_state import SavedFormat
from earlystop.sweeping.grid import walk
from tests.support.data import DATA, saved_files
from tests.support.random_rules import library_rules
from tests.support.saved_data import STOPPERS

# Two changes: "length" became "size", and sizes then came to be in metres.
CHANGING = SavedFormat(
    "example",
    3,
    "an example",
    {
        1: lambda body: {"size": body["length"]},
        2: lambda body: {"metres": body["size"] / 100},
    },
)


@pytest.mark.parametrize(
    "data",
    [
        {"format": "example", "version": 1, "length": 150},
        {"format": "example", "version": 2, "size": 150},
        {"format": "example", "version": 3, "metres": 1.5},
    ],
)
def test_data_of_an_older_version_go_through_every_later_migration(data: Any) -> None:
    before = dict(data)
    assert CHANGING.unwrap(data) == {"metres": 1.5}
    assert data == before


def test_what_is_wrapped_is_unwrapped_to_the_same() -> None:
    wrapped = CHANGING.wrap({"metres": 2.0})
    assert wrapped == {"format": "example", "version": 3, "metres": 2.0}
    assert CHANGING.unwrap(wrapped) == {"metres": 2.0}
    assert CHANGING.matches(wrapped)


@pytest.mark.parametrize("version", [True, False, None, "1", 1.0, 0, -1])
def test_a_version_that_is_not_a_positive_integer_is_refused(version: Any) -> None:
    with pytest.raises(es.StateError) as caught:
        CHANGING.unwrap({"format": "example", "version": version, "length": 1})
    assert str(caught.value) == (
        f"the state has version {version!r}, this library reads versions 1 to 3"
    )


def test_data_without_a_version_are_refused() -> None:
    with pytest.raises(es.StateError, match="has version None, this library reads versions 1 to"):
        CHANGING.unwrap({"format": "example", "length": 1})


def test_data_of_a_newer_version_are_refused_with_their_source_and_advice_to_upgrade() -> None:
    with pytest.raises(es.StateError) as caught:
        CHANGING.unwrap({"format": "example", "version": 4}, "the file 'a.json'")
    assert str(caught.value) == (
        "the file 'a.json' has version 4, this library reads versions 1 to 3: upgrade earlystop"
    )


@pytest.mark.parametrize("data", [None, 3, [], "example", {}, {"format": "other", "version": 1}])
def test_data_of_another_kind_are_refused(data: Any) -> None:
    assert not CHANGING.matches(data)
    with pytest.raises(es.StateError) as caught:
        CHANGING.unwrap(data, "the file 'a.json'")
    assert str(caught.value) == (
        f'the file \'a.json\': expected an example ("format": "example"), got {data!r}'
    )


# Files of every version ---------------------------------------------------------------------------


def test_every_version_that_was_released_has_files() -> None:
    changelog = (DATA.parents[1] / "CHANGELOG.md").read_text()
    released = set(re.findall(r"^## (\d\S*) \((?!unreleased)", changelog, re.MULTILINE))
    assert released | {"0.1.0"} <= {path.name for path in DATA.iterdir()}


def test_every_rule_of_the_library_is_in_a_saved_stopper() -> None:
    rules = [rule for run in STOPPERS.values() for rule in (run.stop, run.save)]
    assert {type(part) for rule in rules for part in walk(rule)} == set(library_rules())


@pytest.mark.parametrize("path", saved_files("stopper/*.json"))
def test_a_stopper_goes_on_from_a_state_of_any_version_as_if_never_interrupted(path: Path) -> None:
    run = STOPPERS[path.stem]
    written = json.loads(path.read_text())
    whole = run.stopper()
    decisions, states = [], [whole.state_dict()]
    for metrics in run.metrics():
        if whole.stopped:
            break
        decisions.append(whole.step(metrics))
        states.append(whole.state_dict())
    assert [list(decision[:3]) for decision in decisions] == [
        decision[:3] for decision in written["decisions"]
    ]
    for state in written["states"]:
        stopper = run.stopper()
        stopper.load_state_dict(state)
        assert without_reason(stopper) == without(states[stopper.checks])
        assert bool(stopper.reason) == stopper.stopped
        for decision in decisions[stopper.checks :]:
            assert stopper.step(run.metrics()[stopper.checks]) == decision
        assert without_reason(stopper) == without_reason(whole)


def without_reason(stopper: es.Stopper) -> dict[str, Any]:
    return without(stopper.state_dict())


def without(state: dict[str, Any]) -> dict[str, Any]:
    """A state but for the text of the reason, which another version may have put otherwise, and
    for the last epoch of a run that has stopped, which 0.1.0 did not keep."""
    return {name: entry for name, entry in state.items() if name not in ("reason", "last_check")}


def test_the_saved_stoppers_hold_what_is_hard_to_save() -> None:
    states = [
        json.dumps(state)
        for path in DATA.glob("*/stopper/*.json")
        for state in json.loads(path.read_text())["states"]
    ]
    for text in ('"nan"', '"inf"', '"-inf"', '"stopped": true', '"best_epoch": null'):
        assert any(text in state for state in states), text
