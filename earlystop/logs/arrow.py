"""Parquet and Arrow (Feather, IPC) files: tables in the columns of Arrow; needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .format import LogFormat
from .log import Log
from .records import runs_of
from .run import Run

__all__ = ["FORMAT"]

_AT_ONCE = 4096


def _recognise(log: Log) -> bool:
    return log.head.startswith((b"PAR1", b"ARROW1"))


def _read(log: Log) -> Iterator[Run]:
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            f'{log.name}: Parquet and Arrow files need pyarrow: pip install "earlystop[arrow]"'
        ) from error
    with log.open() as file:
        data = file.read(log.limits.document + 1)
    if len(data) > log.limits.document:
        raise log.wrong(f"larger than {log.limits.document:,} bytes (see `limits`)")
    try:
        yield from runs_of(log, _records(log, pyarrow.BufferReader(data), data[:4] == b"PAR1"))
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        if type(error).__name__ == "LogError":
            raise
        raise log.wrong(f"expected a table of Parquet or Arrow: {str(error)[:300]}") from None


def _records(log: Log, data: Any, parquet: bool) -> Iterator[dict[str, Any]]:
    if parquet:
        import pyarrow.parquet

        file = pyarrow.parquet.ParquetFile(data)
        _within(log, file.metadata.num_rows, file.metadata.num_columns)
        batches = file.iter_batches(_AT_ONCE)
    else:
        import pyarrow.ipc

        reader = pyarrow.ipc.open_file(data)
        batches = (reader.get_batch(place) for place in range(reader.num_record_batches))
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        _within(log, rows, batch.num_columns)
        yield from batch.to_pylist()


def _within(log: Log, rows: int, columns: int) -> None:
    if rows * columns > log.limits.values:
        raise log.wrong(
            f"{rows:,} rows of {columns:,} columns are more than `limits` allows "
            f"({log.limits.values:,} values)"
        )


FORMAT = LogFormat("arrow", _recognise, _read)
