"""Arrow columns become what pyarrow makes of them, without pandas."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlystop._arrow import as_mask, nulls_of, values_of

KINDS = [
    *(pyarrow.int8(), pyarrow.uint16(), pyarrow.int32(), pyarrow.int64(), pyarrow.uint64()),
    *(pyarrow.float32(), pyarrow.float64()),
]


@st.composite
def columns(draw: st.DrawFn) -> Any:
    """Slices of arrays with and without nulls, alone or in chunks."""
    kind = draw(st.sampled_from(KINDS))
    cells = st.lists(st.none() | st.integers(0, 100), max_size=40)
    chunks = []
    for values in draw(st.lists(cells, min_size=1, max_size=3)):
        start = draw(st.integers(0, len(values)))
        chunks.append(pyarrow.array(values, kind).slice(start, draw(st.integers(0, 40))))
    return chunks[0] if draw(st.booleans()) else pyarrow.chunked_array(chunks, kind)


@given(columns())
def test_values_and_nulls_are_those_of_pyarrow(column: Any) -> None:
    whole = column.combine_chunks() if hasattr(column, "chunks") else column
    np.testing.assert_array_equal(values_of(column), whole.to_numpy(zero_copy_only=False))
    assert nulls_of(column).tolist() == column.is_null().to_pylist()
    if not column.null_count:
        assert values_of(column).dtype == whole.to_numpy(zero_copy_only=False).dtype


@given(st.lists(st.booleans(), max_size=40))
def test_masks_keep_their_length_and_order(mask: list[bool]) -> None:
    assert as_mask(np.array(mask, np.bool_)).to_pylist() == mask


def test_an_array_in_no_chunks_is_empty() -> None:
    assert values_of(pyarrow.chunked_array([], pyarrow.int32())).dtype == np.int32


PROGRAM = """
import sys
import earlystop as es

table = es.scan_history(sys.argv[1], run="run_id", step="step")
print(es.sweep(es.Patience("val_loss"), table, patience=[1]).runs, "pandas" in sys.modules)
"""


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_table_is_swept_without_importing_pandas(suffix: str, tmp_path: Any) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    table = pyarrow.table({"run_id": [1, 1, 2], "step": [1, 2, 1], "val_loss": [0.5, None, 2.5]})
    path = tmp_path / f"runs.{suffix}"
    write = pyarrow.csv.write_csv if suffix == "csv" else pyarrow.parquet.write_table
    write(table, path)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path], capture_output=True, check=True, text=True
    )
    assert done.stdout.split() == ["2", "False"]
