"""Rows that come in pieces are those of all pieces, one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.datasets.cells import Cells, Labels
from earlystop.datasets.gathering import GatheredRows
from earlystop.datasets.rows import TableRows

KINDS = st.sampled_from(["int32", "int64", "float32", "float64"])


@st.composite
def pieces(draw: st.DrawFn) -> TableRows:
    rows = draw(st.integers(1, 5))
    columns = {}
    for name in draw(st.sets(st.sampled_from(["step", "loss", "acc"]))):
        values = np.array(draw(st.lists(st.integers(0, 9), min_size=rows, max_size=rows)))
        nulls = draw(st.none() | st.lists(st.booleans(), min_size=rows, max_size=rows))
        mask = None if nulls is None else np.array(nulls)
        columns[name] = Cells(values.astype(draw(KINDS)), mask)
    return TableRows(np.arange(rows), columns)


def cell(piece: TableRows, name: str, row: int) -> Any:
    cells = piece.columns.get(name)
    if cells is None or (cells.nulls is not None and cells.nulls[row]):
        return None
    return cells.values[row]


@given(st.lists(pieces(), min_size=1, max_size=5), st.integers(0, 30))
def test_no_cell_is_lost_or_moved_whatever_was_expected(some: list[TableRows], rows: int) -> None:
    gathered = GatheredRows(rows, "here")
    for piece in some:
        gathered.add(piece)
    found = gathered.all()
    assert found is not None
    assert len(found) == sum(map(len, some))
    ids: list[Any] = [piece.runs for piece in some]
    np.testing.assert_array_equal(found.runs, np.concatenate(ids))
    names = {name for piece in some for name in piece.columns}
    assert set(found.columns) == names
    for name in names:
        expected = [cell(piece, name, row) for piece in some for row in range(len(piece))]
        assert [cell(found, name, row) for row in range(len(found))] == expected


def test_no_piece_is_no_rows() -> None:
    assert GatheredRows(10, "here").all() is None


@pytest.mark.parametrize("first", ["text", "numbers"])
def test_runs_that_are_text_in_one_piece_and_numbers_in_another_are_refused(first: str) -> None:
    both = [TableRows(Labels(["a"], np.array([0])), {}), TableRows(np.array([3]), {})]
    gathered = GatheredRows(2, "here")
    one, other = both if first == "text" else both[::-1]
    gathered.add(one)
    with pytest.raises(es.LogError, match="text in others"):
        gathered.add(other)
