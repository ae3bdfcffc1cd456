"""The metrics beside the checkpoints: one line a check, whatever ends the process."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.checkpoints import MetricsFile
from earlystop.checkpoints.names import checked_name

CHECKS = [
    (0, {"loss": 0.9, "val/loss": math.inf}),
    (1, {"loss": 0.5}),
    (3, {"loss": math.nan, "elapsed_seconds": 1.5, "ümläut \ud800": -1e-300}),
    (4, {"loss": 0.25}),
]


def written(folder: str | Path, checks: list[tuple[int, Any]] = CHECKS) -> MetricsFile:
    file = MetricsFile(folder)
    for epoch, metrics in checks:
        file.append(epoch, metrics)
    return file


def test_a_line_is_strict_json_with_the_epoch_first(tmp_path: Path) -> None:
    lines = written(tmp_path).path.read_text().splitlines()

    def refused(constant: str) -> None:
        raise AssertionError(constant)

    records = [json.loads(line, parse_constant=refused) for line in lines]
    assert [record["epoch"] for record in records] == [0, 1, 3, 4]
    assert list(records[2]) == ["epoch", *CHECKS[2][1]]
    assert records[0]["val/loss"] == "inf"


@given(data=st.data())
def test_wherever_the_file_is_torn_a_run_goes_on_after_any_epoch(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = written(folder)
        whole = file.path.read_bytes()
        length = data.draw(st.integers(0, len(whole)))
        zeros = data.draw(st.sampled_from([0, 1, 5000]))
        file.path.write_bytes(whole[:length] + b"\0" * zeros)
        last = data.draw(st.integers(-1, 5))
        complete = CHECKS[: whole[:length].count(b"\n")]
        expected = [check for check in complete if check[0] <= last]
        found = MetricsFile(folder).go_on_after(last)
        assert repr(found) == repr(expected)
        file.append(6, {"loss": 0.125})
        assert [epoch for epoch, _ in MetricsFile(folder).go_on_after(9)] == [
            *(epoch for epoch, _ in expected),
            6,
        ]


def test_lines_that_were_lost_are_written_again_from_the_ledger(tmp_path: Path) -> None:
    file = written(tmp_path, CHECKS[:2])
    told = {"epoch": 1.5, "step": 70.0}
    listed = [(0, {"loss": 7.0}), (3, {"loss": 0.5, **told}), (9, {"loss": 0.1})]
    assert file.go_on_after(4, listed) == [*CHECKS[:2], (3, {"loss": 0.5, **told})]
    assert file.go_on_after(4) == [*CHECKS[:2], (3, {"loss": 0.5, **told})]


def test_an_undone_check_leaves_no_line(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.cut_after(2)
    assert file.go_on_after(9) == CHECKS[:2]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"step": 1, "loss": 0.5}\n', 'line 1 .*should be an object with an "epoch"'),
        (b'{"step": 1, "loss": 0.5}', "line 1 .*it begins with"),
        (b"epoch,loss\n0,0.5\n", "line 1 .*Expecting value"),
        (b'{"epoch": 0}\n\n{"epoch": 1}\n', "line 2 .*Expecting value"),
        (b'{"epoch": 1}\n{"epoch": 1}\n', "line 2 .*not after the one before"),
        (b'{"epoch": 0}\n{"epoch": 1, "loss": [1]}\n', "line 2 .*loss should be a number"),
        (b'{"epoch": 0}\n\xff\n', "line 2 .*can't decode"),
        (b'{"epoch": 0}\n' + b"[" * 100_000 + b"\n", "line 2 .*nested too deeply"),
    ],
)
def test_a_file_of_another_kind_or_damaged_in_its_middle_is_left_as_it_is(
    content: bytes, text: str, tmp_path: Path
) -> None:
    file = MetricsFile(tmp_path)
    file.path.write_bytes(content)
    with pytest.raises(es.StateError, match=text):
        file.go_on_after(-1)
    with pytest.raises(es.CheckpointError, match=text):
        file.refuse_earlier_run()
    assert file.path.read_bytes() == content


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(es.CheckpointError, match="should be a file of metrics"):
        MetricsFile(tmp_path).refuse_earlier_run()
    with pytest.raises(es.CheckpointError, match="cannot be written or read"):
        MetricsFile(tmp_path).append(0, {})


def test_a_disk_that_is_full_leaves_no_part_of_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path)
    before = file.path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("earlystop.checkpoints.metrics_file._SYNC_AFTER", 0.0)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(es.CheckpointError, match=r"cannot be written or read: No space left"):
        file.append(5, {"loss": 0.1})
    assert file.path.read_bytes() == before


def test_no_checkpoint_can_have_the_file_s_name() -> None:
    for name in ("metrics.jsonl", "Metrics.JSONL"):  # some file systems do not tell them apart
        with pytest.raises(es.RuleError, match=r"not be checkpoints.json or metrics.jsonl"):
            checked_name(name, "{epoch}")


def test_a_folder_of_checkpoints_keeps_the_file(tmp_path: Path) -> None:
    content = written(tmp_path).path.read_bytes()
    for epoch in range(3):
        with es.Checkpoints(tmp_path, resume=True) as checkpoints:
            checkpoints.save(lambda path: path.touch(), epoch=epoch)
    assert (tmp_path / "metrics.jsonl").read_bytes() == content
