"""Numbers with units, in records and in tables: read alike, or named as left out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.logs.reading import logged


def lines(cells: Sequence[str | float], name: str = "x") -> es.History:
    rows = [{"epoch": e, "loss": 1.0, name: cell} for e, cell in enumerate(cells)]
    return es.read_history(io.StringIO("".join(json.dumps(row) + "\n" for row in rows)))


def table(cells: Sequence[str | float], name: str = "x") -> es.History:
    rows = "".join(f"{e},1.0,{cell}\n" for e, cell in enumerate(cells))
    return es.read_history(io.StringIO(f"epoch,loss,{name}\n{rows}"))


@pytest.mark.parametrize("read", [lines, table])
@pytest.mark.parametrize(
    ("cells", "values", "note"),
    [
        (["93.1%", "94 %"], [93.1, 94], "x: in per cent, as written"),
        (["12.3 s", "1e1s"], [12.3, 10], "x: in s, as written"),
        (["3.5it/s", "4it/s"], [3.5, 4], "x: in it/s, as written"),
        (["1/10", "2/10"], [1, 2], "x: of 10, as written"),
    ],
)
def test_numbers_in_one_unit_are_read_as_written(
    read: Callable[[Sequence[str | float]], es.History],
    cells: list[str],
    values: list[float],
    note: str,
) -> None:
    history = read(cells)
    assert logged(history, "x") == values
    assert note in str(history.report)


@pytest.mark.parametrize("read", [lines, table])
@pytest.mark.parametrize("cells", [["9/10", "8/12"], ["12 s", "900 ms"], ["1.5 s", "1m 2s"]])
def test_numbers_of_several_kinds_are_left_out_and_named(
    read: Callable[[Sequence[str | float]], es.History], cells: list[str]
) -> None:
    history = read(cells)
    assert list(history.metrics) == ["loss"]
    assert f"x: left out, as its numbers are of several kinds: {cells[0]!r}" in str(history.report)


def test_a_column_of_records_is_one_of_numbers_wherever_its_text_stands() -> None:
    """Neither the first cell nor the order decides, but all of the column."""
    for cells in (["bad", "0.5", "0.25"], ["0.5", "bad", "0.25"], [0.5, 0.25, "bad"]):
        history = lines(cells)
        assert logged(history, "x") == [0.5, 0.25]
        assert "x: 1 value is no number, such as 'bad': left out" in str(history.report)
    assert list(lines(["0.5", "bad", "worse"]).metrics) == ["loss"]
    mixed = lines([0.5, "93.1%"])
    assert list(mixed.metrics) == ["loss"]
    assert "several kinds: plain numbers and '93.1%'" in str(mixed.report)


def test_epochs_of_a_number_of_epochs_count_the_rows() -> None:
    text = "epoch,loss\n1/3,0.5\n2/3,0.4\n3/3,0.3\n"
    assert es.read_history(io.StringIO(text)).coordinates["epoch"].tolist() == [[1, 2, 3]]


def test_what_is_left_out_of_records_is_told_in_one_note() -> None:
    rows = [{"loss": 1 / e, "date": f"day {e}", "done": False} for e in (1, 2, 3)]
    assert str(es.read_history(rows).report).count("no numbers, left out") == 1


WORDS = st.sampled_from(["train", "a b", "2024-05-01 10:00", "x_1", "3", "0.5", "9%", "7 s", ""])


@given(st.lists(st.tuples(WORDS, WORDS, st.floats(-9, 9)), min_size=1, max_size=12))
def test_tables_with_text_are_read_as_the_same_records_are(
    rows: list[tuple[str, str, float]],
) -> None:
    """By columns, where the text is text for certain; a header or odd cells are told by both."""
    names = ("note", "model", "loss")
    text = ",".join(names) + "\n" + "".join(f"{a},{b},{c!r}\n" for a, b, c in rows)
    try:
        by_columns = es.read_history(io.StringIO(text))
    except es.LogError:
        return  # an odd cell in a column of numbers, which tables refuse
    records = [dict(zip(names, (*row[:2], row[2]), strict=True)) for row in rows]
    by_rows = es.read_history(records)
    assert by_columns.runs == by_rows.runs
    assert {m: by_columns.reported(m).tolist() for m in by_columns.metrics} == {
        m: by_rows.reported(m).tolist() for m in by_rows.metrics
    }
    assert repr(by_columns.metrics["loss"].tolist()) == repr(by_rows.metrics["loss"].tolist())
