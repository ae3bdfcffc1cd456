"""The ledger: what is written, what is read, what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import earlystop as es
from earlystop import Checkpoints
from earlystop.checkpoints import Checkpoint
from earlystop.checkpoints.ledger import Ledger
from earlystop.checkpoints.names import LEDGER

from .runs import names, save_all, writer


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: "{", "is damaged"),
        (lambda d: "3", 'expected .* \\("format": "earlystop.Checkpoints"\\), got 3'),
        (lambda d: {**d, "format": "other"}, '"format": "earlystop.Checkpoints".*other'),
        (lambda d: {**d, "version": 4}, "has version 4, this library reads versions 1 to 3: up"),
        (lambda d: {**d, "version": True}, "has version True, this library reads versions 1 to 3"),
        (lambda d: {**d, "unwanted": None}, "lacks"),
        (
            lambda d: {**d, "unwanted": ["../../precious"]},
            "is not the name of a file in the folder",
        ),
        (
            lambda d: {**d, "unwanted": ["checkpoints.json"]},
            "is not the name of a file in the folder",
        ),
        (lambda d: {**d, "checkpoints": d["checkpoints"] * 2}, "not in order"),
        (lambda d: {**d, "checkpoints": [{}]}, "entry 0 is damaged"),
        (
            lambda d: {**d, "checkpoints": [{**d["checkpoints"][0], "file": "../x"}]},
            "entry 0.file: '../x' is not the name of a file in the folder",
        ),
        (lambda d: {**d, "checkpoints": [{**d["checkpoints"][0], "epoch": "1"}]}, "whole number"),
        (lambda d: {**d, "checkpoints": [{**d["checkpoints"][0], "metrics": []}]}, "an object"),
    ],
)
def test_a_damaged_ledger_is_refused_and_no_file_is_deleted(
    change: Callable[[Any], Any], text: str, tmp_path: Path
) -> None:
    folder = tmp_path / "runs" / "1"
    (tmp_path / "precious").write_text("mine")
    with Checkpoints(folder, "{epoch}.txt") as checkpoints:
        save_all(checkpoints, [1.0])
    changed = change(json.loads((folder / LEDGER).read_text()))
    (folder / LEDGER).write_text(changed if isinstance(changed, str) else json.dumps(changed))
    with pytest.raises(es.StateError, match=text):
        Checkpoints(folder, "{epoch}.txt", resume=True)
    assert names(folder) == {"0.txt"}
    assert (tmp_path / "precious").exists()


def test_a_state_that_is_not_json_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        for state in (object(), math.nan):
            with pytest.raises(es.StateError, match="must be plain JSON"):
                checkpoints.save(writer(0), epoch=0, state=state)
    assert names(tmp_path) == set()


def test_files_that_the_next_ledger_does_not_list_become_unwanted() -> None:
    first, second, third = (Checkpoint(n, f"{n}.txt", False, {}) for n in range(3))
    state_only = Checkpoint(3, None, False, {})
    ledger = Ledger((first, second, state_only), ("old.txt", "2.txt"))
    following = ledger.followed_by((second, third))
    assert following == Ledger((second, third), ("old.txt", "0.txt"), (first, state_only))
    assert following.lists("2.txt")
    assert not following.lists("0.txt")


def test_a_file_that_is_listed_stays_even_where_the_ledger_calls_it_unwanted(
    tmp_path: Path,
) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", keep_last=2) as checkpoints:
        save_all(checkpoints, [2.0, 1.0])
    data = json.loads((tmp_path / LEDGER).read_text())
    (tmp_path / LEDGER).write_text(json.dumps({**data, "unwanted": ["0.txt"]}))
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True, keep_last=2) as checkpoints:
        assert [entry.file for entry in checkpoints.entries] == ["0.txt", "1.txt"]
    assert names(tmp_path) == {"0.txt", "1.txt"}
