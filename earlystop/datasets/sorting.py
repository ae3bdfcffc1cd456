"""A table that is not sorted by run, sorted on disk by DuckDB or polars where one is installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import DatasetError
from .layout import Layout
from .storage import is_address

__all__ = ["sort_command", "sorted_copy"]

_GROUP = 2**17  # rows of a row group of the copy


def sort_command(paths: Sequence[str], layout: Layout, to: str = "sorted.parquet") -> str:
    """The command of DuckDB that sorts a table.

    >>> layout = Layout("run_id", "step", None, None, None)
    >>> print(sort_command(["runs.parquet"], layout))
    COPY (SELECT * FROM read_parquet(['runs.parquet'], union_by_name=true) ORDER BY "run_id", \
"step") TO 'sorted.parquet' (FORMAT parquet, ROW_GROUP_SIZE 131072)
    """
    by = ", ".join('"' + name.replace('"', '""') + '"' for name in _keys(layout))
    names = ", ".join(map(_quoted, paths))
    reader = "read_parquet" if paths[0].endswith((".parquet", ".pq")) else "read_csv"
    return (  # a query in words: names are quoted
        f"COPY (SELECT * FROM {reader}([{names}], union_by_name=true) ORDER BY {by}) "  # noqa: S608
        f"TO {_quoted(to)} (FORMAT parquet, ROW_GROUP_SIZE {_GROUP})"
    )


def _keys(layout: Layout) -> list[str]:
    return [layout.run, *([layout.step] if layout.step is not None else [])]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def sorted_copy(paths: Sequence[str], layout: Layout, folder: Path, memory: int) -> str:
    """The path of a copy in this folder, sorted by run and step.

    memory: how many bytes the sorting may take, beyond which it goes to the disk.

    Raises DatasetError, with the command that sorts the table, if neither is installed or can do
    it.
    """
    to = str(folder / "sorted.parquet")
    if any(importlib.util.find_spec(name) for name in ("duckdb",)) and not any(
        map(is_address, paths)
    ):
        _by_duckdb(sort_command(paths, layout, to), folder, memory)
        return to
    if importlib.util.find_spec("polars") and layout.step is not None:
        _by_polars(paths, layout, to)
        return to
    some = [*paths[:3], *(["..."] if len(paths) > 3 else [])]
    raise DatasetError(
        "the runs of this table are in no order, so that no part of it can be read by itself. "
        "With DuckDB it is sorted by itself (pip install duckdb); or sort it once: "
        f"duckdb -c {sort_command(some, layout)!r}"
    )


def _by_duckdb(command: str, folder: Path, memory: int) -> None:
    import duckdb

    with duckdb.connect(":memory:") as connection:
        connection.execute(f"SET memory_limit = '{max(memory // 2**20, 256)}MB'")
        connection.execute(f"SET temp_directory = {_quoted(str(folder))}")
        connection.execute("SET preserve_insertion_order = true")
        connection.execute(f"SET threads = {min(os.cpu_count() or 1, 4)}")
        connection.execute(command)


def _by_polars(paths: Sequence[str], layout: Layout, to: str) -> None:
    import polars

    scan = polars.scan_parquet if paths[0].endswith((".parquet", ".pq")) else polars.scan_csv
    frame = (
        scan(list(paths), missing_columns="insert")
        if scan is polars.scan_parquet
        else scan(list(paths))
    )
    frame.sort(_keys(layout), maintain_order=True).sink_parquet(to, row_group_size=_GROUP)
