"""The binary files of Weights & Biases, as its client writes them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.logs.reading import logged, read, write
from tests.support.wandb_files import BLOCK, about, history, log_of, wandb_file

EPOCHS = [{"epoch": e, "train/loss": 1 / (e + 1), "_step": e, "_runtime": e / 8} for e in range(5)]


@pytest.mark.parametrize("nested", [False, True])
def test_what_was_logged_is_read_in_the_spellings_of_older_and_newer_clients(nested: bool) -> None:
    found = read(wandb_file(EPOCHS, name="calm-river-3", nested=nested))
    assert found.names == ("calm-river-3",)
    assert list(found.metrics) == ["train/loss"]
    assert logged(found, "train/loss") == [1 / (e + 1) for e in range(5)]
    assert found.coordinates["epoch"].tolist() == found.coordinates["_step"].tolist()


@given(st.lists(st.floats(), min_size=1, max_size=5), st.integers(0, 2**40))
def test_every_value_and_step_is_kept(values: list[float], first: int) -> None:
    records = [history({"loss": value}, first + i) for i, value in enumerate(values)]
    found = read(log_of(records))
    np.testing.assert_array_equal(logged(found, "loss"), values)
    assert found.coordinates["_step"][0, -1] == first + len(values) - 1


@given(st.lists(st.integers(0, 2 * BLOCK), min_size=1, max_size=6))
def test_records_may_span_blocks_and_end_anywhere_in_them(sizes: list[int]) -> None:
    records = [history({"text": "x" * size, "loss": i}, i) for i, size in enumerate(sizes)]
    assert logged(read(log_of(records)), "loss") == list(range(len(sizes)))


def test_media_are_left_out_as_a_whole_and_named() -> None:
    picture = {"media/_type": "image-file", "media/width": 64, "media/path": "a.png"}
    whole = {"table": {"_type": "table-file", "nrows": 3}}
    found = read(wandb_file([{"loss": 1.0, **picture, **whole}, {"loss": math.nan}]))
    assert list(found.metrics) == ["loss"]
    assert "no numbers, left out: media, table" in str(found.report)


@given(st.data())
def test_a_file_that_is_cut_off_is_read_up_to_there_with_a_note(data: st.DataObject) -> None:
    """Wherever the writer was killed: what is lost is the last record alone."""
    records = [history({"loss": float(i)}, i) for i in range(4)]
    whole, least = log_of(records), len(log_of(records[:1]))
    cut = data.draw(st.integers(least + 1, len(whole) - 1))
    ends = [len(log_of(records[:n])) for n in range(5)]
    kept = sum(end <= cut for end in ends) - 1
    found = read(whole[:cut] + data.draw(st.sampled_from([b"", b"\0" * 99])) * (cut in ends))
    assert logged(found, "loss") == list(range(kept))
    if cut not in ends:
        assert f"byte {ends[kept]:,}: the last record is cut off: left out" in str(found.report)


def test_a_record_whose_last_piece_is_missing_is_cut_off() -> None:
    large = log_of([history({"loss": 0.5}, 0), history({"text": "x" * 3 * BLOCK, "loss": 1}, 1)])
    found = read(large[: 2 * BLOCK])
    assert logged(found, "loss") == [0.5]
    assert "cut off" in str(found.report)


def test_blank_bytes_at_the_end_are_what_a_crash_of_the_machine_leaves() -> None:
    found = read(wandb_file(EPOCHS) + bytes(9000))
    assert len(logged(found, "train/loss")) == 5
    assert "cut off" in str(found.report)


@pytest.mark.parametrize(
    ("damaged", "words"),
    [
        (log_of([history({"loss": 1}, 0)])[:-2] + b"xx" + log_of([about("a")])[7:], "checksum"),
        (log_of([history({"loss": 1}, 0), b"\xff" * 20]), "got another"),
        (log_of([b"\x10\x01" + b"\x12\x7f"]), "got another"),
        (log_of([about("a")]), "no metric was logged"),
        (b":W&B\xe1\xbe\x09" + bytes(30), "version 0"),
        (
            log_of([])[:7] + log_of([b"x" * BLOCK])[:BLOCK][7:] + log_of([b""])[7:],
            "part of another",
        ),
    ],
)
def test_a_file_that_is_damaged_is_refused_with_what_is_wrong(damaged: bytes, words: str) -> None:
    with pytest.raises(es.LogError, match=words):
        read(damaged)


def test_what_stands_before_the_damage_can_be_read() -> None:
    data = bytearray(wandb_file(EPOCHS))
    data[-40] ^= 1
    with pytest.warns(es.LogWarning, match="checksum"):
        found = read(bytes(data), on_error="skip")
    assert 3 <= len(logged(found, "train/loss")) <= 5


def test_a_record_may_be_no_larger_than_the_limits() -> None:
    large = wandb_file([{"loss": 1.0, "text": "x" * 3 * BLOCK}])
    with pytest.raises(es.LogError, match="limits"):
        read(large, limits=es.logs.Limits(record=BLOCK))


def test_runs_in_a_folder_are_named_by_their_folders(tmp_path: Path) -> None:
    for name in ("run-1-aaa", "run-2-bbb"):
        folder = tmp_path / "wandb" / name
        write(folder / f"{name[-3:]}.wandb", wandb_file(EPOCHS))
        write(folder / "files" / "wandb-summary.json", '{"loss": 1, "_step": 4, "_runtime": 1}')
    found = es.read_history(tmp_path)
    assert [name.split("/")[0] for name in found.names] == ["run-1-aaa", "run-2-bbb"]
