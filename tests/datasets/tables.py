"""Tables of runs in many forms, and the runs that they hold."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq

import earlystop as es

__all__ = ["curves", "history_of", "same", "write", "written"]


def curves(runs: int = 30, longest: int = 12, seed: int = 0) -> dict[int, list[float]]:
    """Runs of unequal length, by id; with some NaN."""
    random = np.random.default_rng(seed)
    found = {}
    for run in random.permutation(runs * 3)[:runs].tolist():
        values = random.integers(0, 9, random.integers(1, longest + 1)).astype(float)
        values[random.random(len(values)) < 0.05] = np.nan
        found[run] = values.tolist()
    return dict(sorted(found.items()))


def history_of(runs: dict[Any, list[float]]) -> es.History:
    """The runs as they are, in memory."""
    lengths = [len(values) for values in runs.values()]
    steps = np.full((len(runs), max(lengths)), np.nan)
    for row, length in enumerate(lengths):
        steps[row, :length] = np.arange(length)
    history = es.History.from_runs([{"val_loss": v} for v in runs.values()], map(str, runs))
    return es.History(dict(history.metrics), lengths, history.names, {"step": np.nan_to_num(steps)})


def rows_of(runs: dict[Any, list[float]]) -> pa.Table:
    """One row per run and step."""
    return pa.table(
        {
            "run_id": [run for run, values in runs.items() for _ in values],
            "step": [step for values in runs.values() for step in range(len(values))],
            "val_loss": [value for values in runs.values() for value in values],
        }
    )


def write(table: pa.Table, path: Path, rows: int = 2**20) -> None:
    """Write a table in the format of the path's ending."""
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=rows)
    elif path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.feather.write_feather(table, path, chunksize=rows, compression="uncompressed")


def written(
    table: pa.Table,
    folder: Path,
    *,
    kind: str = "parquet",
    cuts: Sequence[int] = (),
    group: int = 2**20,
) -> Path:
    """Write a table as files, cut at these rows; returns the folder."""
    ends = [0, *sorted(cuts), table.num_rows]
    for number, (begin, end) in enumerate(itertools.pairwise(ends)):
        write(table.slice(begin, end - begin), folder / f"{number:03}.{kind}", group)
    return folder


def same(one: es.Sweep, other: es.Sweep) -> bool:
    """Whether two sweeps say the same, to the bit."""
    names = ("mean_epochs", "mean_used", "share_saved", "mean_regret", "logged")
    return (
        (one.unit, one.runs, one.knee) == (other.unit, other.runs, other.knee)
        and all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names)
        and np.array_equal(one.checks, other.checks)
    )
