"""Text: lines matched by patterns, tables in many dialects, encodings, compressed files."""

from __future__ import annotations

import gzip
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.logs import text_lines
from earlystop.logs.options import Options
from tests.logs.reading import logged, read, write

nan = math.nan


def test_text_is_read_through_patterns() -> None:
    text = "Batch 2\nTraining Loss: 0.5\nModel test error: 0.6\n\nTraining Loss: 0.4\n"
    history = read(text, pattern=r"(?P<name>Training Loss|Model test error): (?P<value>\S+)")
    assert logged(history, "Training Loss") == [0.5, 0.4]
    assert history.reported("Model test error").tolist() == [[True, False]]
    text = "Epoch 1: x=3\r\nEpoch 1: y=5\r\nEpoch 2: x=nan\r10%\rEpoch 2: y=1e-3\r\n"
    history = read(text, pattern=[r"Epoch (?P<epoch>\d+)", r"x=(?P<x>\S+)", r"y=(?P<y>\S+)"])
    np.testing.assert_array_equal(history.metrics["x"], [[3, nan]])
    assert history.metrics["y"].tolist() == [[5, 1e-3]]
    assert history.coordinates["epoch"].tolist() == [[1, 2]]


def test_long_tables_are_split_by_run_and_phase() -> None:
    text = "run,epoch,phase,loss\na,0,train,3\na,0,val,4\nb,0,train,5\na,1,train,2\nb,0,val,6\n"
    history = read(text)
    assert history.names == ("a", "b")
    assert logged(history, "train/loss") == [3, 2]
    assert logged(history, "val/loss", 1) == [6]
    assert history.lengths.tolist() == [2, 1]


def test_decimal_commas_are_read_where_another_separator_is_used() -> None:
    assert logged(read("epoch;loss\n0;0,5\n1;1,25e-1\n"), "loss") == [0.5, 0.125]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_give_the_encoding(encoding: str) -> None:
    text = "epoch,größe\n0,1.5\n1,2.5\n"
    assert logged(read(text.encode(encoding)), "größe") == [1.5, 2.5]
    lines = '{"epoch": 0, "größe": 1.5}\n{"epoch": 1, "größe": 2.5}\n'
    assert logged(read(lines.encode(encoding)), "größe") == [1.5, 2.5]


def test_text_in_an_old_encoding_needs_the_name_of_its_encoding() -> None:
    data = "epoch,größe\n0,1.5\n".encode("latin-1")
    with pytest.raises(es.LogError, match="encoding"):
        read(data)
    assert logged(read(data, encoding="latin-1"), "größe") == [1.5]


def test_compressed_files_and_text_files_are_read(tmp_path: Path) -> None:
    text = "epoch,loss\n0,1.5\n"
    path = write(tmp_path / "log.csv.gz", gzip.compress(text.encode()))
    assert es.read_history(path).names == ("log",)
    assert logged(es.read_history(io.StringIO(text)), "loss") == [1.5]
    with open(write(tmp_path / "log.csv", text)) as file:
        assert logged(es.read_history(file), "loss") == [1.5]


def test_the_groups_of_one_match_stay_in_one_row() -> None:
    text = "".join(f"[{e}/{i}] a {e}.{i} b {i}.{e}\n" for e in range(3) for i in range(1, 4))
    pattern = r"\[(?P<epoch>\d+)/(?P<iter>\d+)\] a (?P<a>\S+) b (?P<b>\S+)"
    history = read(text, pattern=pattern)
    assert history.coordinates["epoch"].tolist() == [[0, 0, 0, 1, 1, 1, 2, 2, 2]]
    assert history.coordinates["iter"].tolist() == [[1, 2, 3] * 3]
    assert logged(history, "a") == [0.1, 0.2, 0.3, 1.1, 1.2, 1.3, 2.1, 2.2, 2.3]
    assert logged(history, "b") == [1.0, 2.0, 3.0, 1.1, 2.1, 3.1, 1.2, 2.2, 3.2]


def test_an_epoch_that_reports_nothing_is_no_row() -> None:
    text = "epoch 1\nepoch 2\nloss 0.5\nepoch 3\nepoch 4\nloss 0.25\n"
    history = read(text, pattern=[r"epoch (?P<epoch>\d+)", r"loss (?P<loss>\S+)"])
    assert history.coordinates["epoch"].tolist() == [[2, 4]]


@given(
    st.text("ab,é\n", max_size=40) | st.text("ab\r\n", max_size=40),
    st.integers(1, 20),
    st.booleans(),
    st.booleans(),
)
def test_lines_are_the_same_however_much_is_read_at_a_time(
    text: str, size: int, packed: bool, growing: bool
) -> None:
    content = gzip.compress(text.encode()) if packed else text.encode()

    def source() -> es.logs.Source:
        return es.logs.Source("text", Options(growing=growing), content=content)

    *lines, rest = text.split(source().line_end)
    expected = [(n, line + "\n") for n, line in enumerate(lines, 1) if line not in ("", "\r")]
    if rest.strip() and not growing:
        expected.append((len(lines) + 1, rest))
    assert [*source().lines()] == expected
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_FIRST", "_CHUNK", "_IN_CACHE", "_SHORT"):
            patch.setattr(text_lines, name, size)
        assert [*source().lines()] == expected
