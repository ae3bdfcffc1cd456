"""Checkpoints of checks that are not epochs: several of one epoch, or within it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.checkpoints import read_ledger
from earlystop.checkpoints.names import LEDGER

CHECKS: list[dict[str, Any]] = [
    {"check": 0, "epoch": 0.5, "step": 100},
    {"check": 1, "epoch": 1, "step": 200},
    {"check": 2, "epoch": 1, "step": 300},
    {"check": 4, "epoch": None, "step": 500},
    {"check": 5, "epoch": 2.25, "step": None},
]


def save(checkpoints: es.Checkpoints, **place: Any) -> Path | None:
    return checkpoints.save(lambda path: path.write_text("weights"), **place)


def test_entries_keep_where_their_checks_stand(tmp_path: Path) -> None:
    with es.Checkpoints(tmp_path, "{check}.txt", keep_last=9) as checkpoints:
        for place in CHECKS:
            assert save(checkpoints, **place) is not None
        written = checkpoints.entries
    assert read_ledger(tmp_path) == written
    assert [(e.check, e.step) for e in written] == [(p["check"], p["step"]) for p in CHECKS]
    assert [e.epoch for e in written] == [0.5, 1, 1, 4, 2.25]
    assert [type(e.epoch) for e in written] == [float, int, int, int, float]
    assert [e.where for e in written[1:]] == [
        "epoch 1, step 200",
        "epoch 1, step 300",
        "step 500",
        "epoch 2.25",
    ]
    told = "last epoch 2.25, best None"
    with pytest.raises(es.CheckpointError, match=told):
        es.Checkpoints(tmp_path, "{check}.txt")


def test_a_ledger_of_epochs_reads_as_before(tmp_path: Path) -> None:
    with es.Checkpoints(tmp_path, "{epoch}.txt", keep_last=9) as checkpoints:
        save(checkpoints, epoch=0)
        save(checkpoints, epoch=2.0)
    entries = json.loads((tmp_path / LEDGER).read_text())["checkpoints"]
    assert [list(entry) for entry in entries] == [["epoch", "file", "best", "metrics", "state"]] * 2
    assert [(e.epoch, e.check, e.place) for e in read_ledger(tmp_path)] == [
        (0, 0, None),
        (2, 2, None),
    ]


def test_names_say_epoch_step_and_check(tmp_path: Path) -> None:
    name = "{epoch}-{epoch:.2f}-{step}-{check:03d}.txt"
    with es.Checkpoints(tmp_path, name, keep_last=9, count_from=1) as checkpoints:
        for place in CHECKS[:3]:
            save(checkpoints, **place)
        assert [entry.file for entry in checkpoints.entries] == [
            "1.5-1.50-100-001.txt",
            "2-2.00-200-002.txt",
            "2-2.00-300-003.txt",
        ]
        with pytest.raises(es.MissingMetricError, match="asks for 'step'"):
            save(checkpoints, check=3, epoch=3)


@pytest.mark.parametrize(
    ("name", "place", "text"),
    [
        ("{epoch}.txt", {"check": 1, "epoch": 0, "step": 2}, "put {step} into it"),
        ("{epoch}.txt", {"check": 1, "epoch": 0}, "put {check} into it"),
        ("{epoch}-{step}.txt", {"check": 1, "epoch": 0, "step": 1}, "put {check} into it"),
        ("{check}.txt", {"check": 0, "epoch": 1}, "check 0 is not after check 0, epoch 0, step 1"),
        ("{check}.txt", {"epoch": 0}, "epoch 0 is not after .* pass `check=decision.check`"),
        ("{check}.txt", {"epoch": 0.5}, "is within an epoch: pass the number of the check"),
        ("{check}.txt", {"check": 1, "epoch": float("nan")}, "epoch=...\\)` must be a finite"),
        ("{check}.txt", {"check": 1, "step": float("inf")}, "step=...\\)` must be a finite"),
        ("{check}.txt", {"check": 1.5}, "check=...\\)` must be a whole number"),
        ("{check}.txt", {}, "epoch=...\\)` must be a whole number"),
    ],
)
def test_a_check_that_is_no_next_one_is_refused_and_nothing_changes(
    name: str, place: dict[str, Any], text: str, tmp_path: Path
) -> None:
    with es.Checkpoints(tmp_path, name) as checkpoints:
        save(checkpoints, check=0, epoch=0, step=1)
        before, ledger = sorted(tmp_path.iterdir()), (tmp_path / LEDGER).read_text()
        with pytest.raises(es.EarlystopError, match=text):
            save(checkpoints, **place)
        assert (sorted(tmp_path.iterdir()), (tmp_path / LEDGER).read_text()) == (before, ledger)


@given(
    bests=st.lists(st.booleans(), min_size=1, max_size=12),
    keep_last=st.integers(0, 3),
    keep_every=st.none() | st.integers(1, 3),
)
def test_what_is_kept_of_checks_is_what_is_kept_of_as_many_epochs(
    bests: list[bool], keep_last: int, keep_every: int | None, tmp_path_factory: Any
) -> None:
    settings: Any = {"keep_last": keep_last, "keep_every": keep_every}
    kept = []
    for told in (False, True):
        folder = tmp_path_factory.mktemp("run")
        with es.Checkpoints(folder, "{check}.txt", **settings) as checkpoints:
            for number, best in enumerate(bests):
                place = {"check": number, "epoch": number / 4} if told else {"epoch": number}
                assert checkpoints.wants(**place, best=best) == (
                    save(checkpoints, **place, best=best) is not None
                )
            kept.append([(entry.check, entry.file, entry.best) for entry in checkpoints.entries])
    assert kept[0] == kept[1]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"check": -1}, "entry 1.check should be at least 0"),
        ({"check": 0}, "entry 1.check: the checks are not in order: 0 follows 0"),
        ({"check": "1"}, "entry 1.check should be a whole number"),
        ({"epoch": "late"}, "entry 1.epoch should be a number"),
        ({"step": "inf"}, "entry 1.step should be a finite number"),
        ({"other": 1}, "entry 1 is damaged: it should be an object of"),
    ],
)
def test_an_entry_with_a_damaged_place_is_refused_by_its_name(
    change: dict[str, Any], text: str, tmp_path: Path
) -> None:
    with es.Checkpoints(tmp_path, "{check}.txt", keep_last=9) as checkpoints:
        for place in CHECKS[:2]:
            save(checkpoints, **place)
    data = json.loads((tmp_path / LEDGER).read_text())
    data["checkpoints"][1].update(change)
    (tmp_path / LEDGER).write_text(json.dumps(data))
    with pytest.raises(es.StateError, match=text):
        es.Checkpoints(tmp_path, "{check}.txt", resume=True)
