"""Data frames in memory, and the files that arrays and frames are saved to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest

import earlystop as es
from tests.logs.reading import logged, read

nan = math.nan


def test_data_frames_written_as_json_are_read() -> None:
    frame = pandas.DataFrame({"loss": [0.5] * 11, "val_loss": [*range(11)]})
    history = read(frame.to_json())
    assert logged(history, "val_loss") == list(range(11))


def test_numpy_arrays_and_structured_arrays_are_read(tmp_path: Path) -> None:
    for array in (np.arange(5.0), np.arange(6, dtype=np.int32).reshape(2, 3)):
        np.save(tmp_path / "a.npy", np.asfortranarray(array))
        history = es.read_history(tmp_path / "a.npy", value_name="return")
        np.testing.assert_array_equal(history.metrics["return"], np.atleast_2d(array))
    table = np.array([(0, 0.5), (1, 0.25)], dtype=[("epoch", "i4"), ("loss", "f4")])
    np.save(tmp_path / "a.npy", table)
    history = es.read_history(tmp_path / "a.npy")
    assert logged(history, "loss") == [0.5, 0.25]
    assert history.coordinates["epoch"].tolist() == [[0, 1]]


def test_parquet_and_arrow_files_are_read(tmp_path: Path) -> None:
    table = pyarrow.table({"epoch": [0, 1, 2], "loss": [0.5, None, nan], "who": ["a", "b", "c"]})
    pyarrow.parquet.write_table(table, tmp_path / "a.bin")
    pyarrow.feather.write_feather(table, str(tmp_path / "b.bin"), compression="uncompressed")
    for name in ("a.bin", "b.bin"):
        history = es.read_history(tmp_path / name)
        assert history.reported("loss").tolist() == [[True, False, True]]
        np.testing.assert_array_equal(logged(history, "loss"), [0.5, nan])


COLUMNS = {"epoch": [0, 1, 2], "loss": [0.5, None, 0.25]}


@pytest.mark.parametrize(
    "frame",
    [
        pandas.DataFrame(COLUMNS),
        pandas.DataFrame(COLUMNS).set_index("epoch"),
        pandas.DataFrame(COLUMNS).convert_dtypes(),
        polars.DataFrame(COLUMNS),
        polars.LazyFrame(COLUMNS),
        pyarrow.table(COLUMNS),
    ],
    ids=["pandas", "pandas index", "pandas nullable", "polars", "polars lazy", "pyarrow"],
)
def test_frames_in_memory_are_read(frame: Any) -> None:
    history = es.read_history(frame)
    assert history.reported("loss").tolist() == [[True, False, True]]
    assert history.coordinates["epoch"].tolist() == [[0, 1, 2]]


def test_a_nan_of_a_frame_is_a_value_where_the_frame_has_other_gaps() -> None:
    frame = {"loss": [0.5, nan, 0.25]}
    assert es.read_history(polars.DataFrame(frame)).reported("loss").all()
    assert es.read_history(pandas.DataFrame(frame), nan_is_gap=False).reported("loss").all()
    assert not es.read_history(pandas.DataFrame(frame)).reported("loss").all()
