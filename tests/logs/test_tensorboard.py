"""Event files of TensorBoard, as PyTorch and TensorFlow write them."""

from __future__ import annotations

import math
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.logs.formats.tensorboard import _any_event, _plain_event
from earlystop.logs.tf_records import masked_crc
from tests.logs.reading import logged, read
from tests.support.event_files import (
    crc32c,
    event,
    event_file,
    field,
    picture,
    record,
    write_events,
)

nan = math.nan


@pytest.mark.parametrize("as_tensor", [False, True])
def test_tensorboard_scalars_are_read_in_both_encodings(as_tensor: bool) -> None:
    scalars = [(float(i), i, tag, 1 / (i + 1)) for i in range(3) for tag in ("loss", "val/loss")]
    scalars += [(9.0, 2, "epoch", 7.0), (9.0, 0, "hp_metric", -1.0)]
    history = read(event_file(scalars, as_tensor))
    assert list(history.metrics) == ["loss", "val/loss"]
    expected = np.array([1, 1 / 2, 1 / 3], dtype=np.float32).tolist()
    assert logged(history, "loss") == logged(history, "val/loss") == expected
    assert history.coordinates["step"].tolist() == [[0, 1, 2]]
    np.testing.assert_array_equal(history.coordinates["epoch"], [[nan, nan, 7]])


@given(st.lists(st.floats(width=32), min_size=1, max_size=5), st.integers(0, 2**40))
def test_tensorboard_keeps_every_value_and_step(values: list[float], first: int) -> None:
    scalars = [(0.0, first + i, "loss", value) for i, value in enumerate(values)]
    history = read(event_file(scalars))
    np.testing.assert_array_equal(logged(history, "loss"), values)
    assert history.coordinates["step"][0, -1] == first + len(values) - 1


def test_tensorboard_tags_written_one_after_the_other_are_aligned() -> None:
    scalars = [(0.0, i, tag, float(i)) for tag in ("a", "b") for i in range(4)]
    history = read(event_file(scalars))
    assert history.epochs == 4
    assert history.metrics["a"].tolist() == history.metrics["b"].tolist() == [[0, 1, 2, 3]]


def test_tensorboard_files_of_a_folder_are_one_run_whose_restart_replaces_rows(
    tmp_path: Path,
) -> None:
    later = [(50.0 + i, i, "loss", 10.0 + i) for i in range(2, 5)]
    write_events(tmp_path / "exp" / "events.out.tfevents.9.a", later)
    first = [(float(i), i, "loss", float(i)) for i in range(4)]
    write_events(tmp_path / "exp" / "events.out.tfevents.9.b", first)
    (tmp_path / "exp" / "events.out.tfevents.9.c").write_bytes(event_file([]))
    history = es.read_history(tmp_path)
    assert history.names == ("exp",)
    assert logged(history, "loss") == [0, 1, 12, 13, 14]
    assert "resumed" in str(history.report)
    assert "2 rows replaced" in str(history.report)


def test_tensorflow_s_train_and_validation_folders_are_one_run(tmp_path: Path) -> None:
    for part, scale in (("train", 1.0), ("validation", 2.0)):
        scalars = [(float(i), i, "epoch_loss", scale * i) for i in range(3)]
        write_events(tmp_path / "logs" / part / "events.out.tfevents.1.v2", scalars, as_tensor=True)
    history = es.read_history(tmp_path / "logs")
    assert history.runs == 1
    assert logged(history, "validation/epoch_loss") == [0, 2, 4]
    assert es.replay(es.Patience("validation/epoch_loss", 1), history).epochs.tolist() == [2]


def test_a_run_of_tensorboard_is_named_by_its_folder(tmp_path: Path) -> None:
    for name in ("big", "small"):
        write_events(tmp_path / name / "events.out.tfevents.1.machine", [(0.0, 1, "loss", 0.5)])
    assert es.read_history(tmp_path).names == ("big", "small")
    assert es.read_history(tmp_path / "*" / "events*").names == ("big", "small")


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=30),
)
def test_writers_that_take_turns_are_one_run(turns: list[int]) -> None:
    """Each event is written to one of three files; the clock rises with the step."""
    with tempfile.TemporaryDirectory() as folder:
        for writer in set(turns):
            scalars = [(100.0 + s, s, "loss", float(s)) for s, w in enumerate(turns) if w == writer]
            write_events(Path(folder) / f"events.out.tfevents.{writer}.host", scalars)
        history = es.read_history(folder)
        assert logged(history, "loss") == list(range(len(turns)))
        assert "resumed" not in str(history.report)


def test_writers_of_one_folder_that_report_the_same_steps_are_runs(tmp_path: Path) -> None:
    for rank in range(2):
        scalars = [(100.0 + s + rank / 4, s, "loss", 10.0 * rank + s) for s in range(6)]
        write_events(tmp_path / f"events.out.tfevents.1.host.{rank}", scalars)
    history = es.read_history(tmp_path)
    assert [logged(history, "loss", run) for run in range(history.runs)] == [
        [10.0 * rank + s for s in range(6)] for rank in range(2)
    ]
    assert "2 event files report the same steps" in str(history.report)


def test_the_values_that_pytorch_writes_by_add_scalars_are_one_run(tmp_path: Path) -> None:
    """It makes a folder for each, with the same tag in all."""
    write_events(tmp_path / "run" / "events.out.tfevents.1.host", [(1.0, 0, "lr", 0.5)])
    for part, losses in {"train": [0.9, 0.5], "D_fake": [0.8, 0.6]}.items():
        write_events(
            tmp_path / "run" / f"Loss_all_{part}" / "events.out.tfevents.2.host",
            [(2.0 + step, step, "Loss/all", loss) for step, loss in enumerate(losses)],
        )
    write_events(
        tmp_path / "run" / "other_run" / "events.out.tfevents.3.host", [(1.0, 0, "acc", 0.5)]
    )
    history = es.read_history(tmp_path)
    assert history.runs == 2
    (number,) = (n for n in range(2) if logged(history, "train/Loss/all", n))
    assert logged(history, "train/Loss/all", number) == pytest.approx([0.9, 0.5])
    assert logged(history, "D_fake/Loss/all", number) == pytest.approx([0.8, 0.6])


@given(st.integers(1, 10**6), st.booleans())
def test_an_event_file_that_is_cut_off_is_read_up_to_there_with_a_note(
    cut: int, blank: bool
) -> None:
    """The writer was killed, or with blank bytes at the end, the machine went down."""
    ends = [len(event_file([(0.0, i, "loss", float(i)) for i in range(n)])) for n in range(6)]
    whole = event_file([(0.0, i, "loss", float(i)) for i in range(5)])
    cut = ends[1] + 1 + cut % (ends[5] - ends[1] - 1)
    kept = sum(end <= cut for end in ends) - 1
    history = read(whole[:cut] if not blank else whole[: ends[kept]] + bytes(999))
    assert logged(history, "loss") == list(range(kept))
    if cut not in ends or blank:
        assert f"byte {ends[kept]:,}: the last record is cut off: left out" in str(history.report)


def test_of_several_event_files_the_note_says_which_is_cut_off(tmp_path: Path) -> None:
    for writer in range(2):
        scalars = [(100.0 + s, s, "loss", float(s)) for s in range(writer, 9, 2)]
        path = write_events(tmp_path / f"events.out.tfevents.{writer}.host", scalars)
    path.write_bytes(path.read_bytes()[:-3])
    history = es.read_history(tmp_path)
    assert logged(history, "loss") == [0, 1, 2, 3, 4, 5, 6, 8]
    assert str(history.report).count("events.out.tfevents.1.host: byte") == 1


STEPS = st.integers(0, 2**64 - 1) | st.integers(0, 300)


@given(STEPS, st.text(max_size=60) | st.text("ab/ ", max_size=130), st.data())
def test_an_event_as_nearly_all_are_is_read_as_any_event_is(
    step: int, tag: str, data: st.DataObject
) -> None:
    plain = event(1.5, step, tag, 0.25)
    found = _plain_event(plain)
    assert found in (None, _any_event(plain))
    assert found is not None or len(tag.encode()) > 118
    place, byte = data.draw(st.integers(0, len(plain) - 1)), data.draw(st.integers(0, 255))
    damaged = bytes([*plain[:place], byte, *plain[place + 1 :]])
    found = _plain_event(damaged)
    if found is not None:
        np.testing.assert_equal(_any_event(damaged), found)


@given(st.binary(max_size=40))
def test_the_checksum_is_crc_32c_masked(data: bytes) -> None:
    crc = crc32c(data)
    assert masked_crc(data) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize("size", [10, 65_000, 65_536, 70_000, 300_000])
def test_records_of_any_size_are_read_and_what_is_cut_off_is_told(size: int) -> None:
    parts = [picture(1.0, 0, size) if n % 3 else event(0.0, n, "loss", n) for n in range(9)]
    whole = b"".join(map(record, parts))
    assert logged(read(whole), "loss") == [0, 3, 6]
    for rest in (record(parts[0])[:-1], bytes(20), bytes(200_000), struct.pack("<Q", 9)):
        history = read(whole + rest)
        assert logged(history, "loss") == [0, 3, 6]
        assert f"byte {len(whole):,}: the last record is cut off" in str(history.report)
    with pytest.raises(es.LogError, match="fail its checksum"):
        read(whole + bytes(100_000) + b"x")


def test_a_tag_in_more_bytes_than_one_can_count_is_read() -> None:
    tag = "loss/" + "a" * 200
    assert logged(read(event_file([(0.0, 1, tag, 0.5), (1.0, 2, tag, 0.25)])), tag) == [0.5, 0.25]
    other_order = b"\x10\x01" + field(5, field(1, b"\x15\x00\x00\x00\x3f" + field(1, b"loss")))
    assert logged(read(event_file([]) + record(other_order)), "loss") == [0.5]
