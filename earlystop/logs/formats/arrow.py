"""Parquet and Arrow (Feather, IPC) files; needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..columns import tells_apart
from ..log_format import LogFormat
from ..records import few, runs_of
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]

_AT_ONCE = 4096


def _recognise(log: Source) -> bool:
    return log.head.startswith((b"PAR1", b"ARROW1"))


def _read(log: Source) -> Iterator[Run]:
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            f"{log.name}: Parquet and Arrow files need pyarrow: pip install pyarrow"
        ) from error
    data = log.whole()
    try:
        yield from runs_of(log, _records(log, pyarrow.BufferReader(data), data[:4] == b"PAR1"))
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        if type(error).__name__ == "LogError":
            raise
        raise log.wrong(f"expected a table of Parquet or Arrow: {str(error)[:300]}") from None


def _records(log: Source, data: Any, parquet: bool) -> Iterator[dict[str, Any]]:
    if parquet:
        import pyarrow.parquet

        file = pyarrow.parquet.ParquetFile(data)
        columns = _columns(log, file.schema_arrow)
        _within(log, file.metadata.num_rows, len(columns))
        batches = file.iter_batches(_AT_ONCE, columns=columns)
    else:
        import pyarrow.ipc

        reader = pyarrow.ipc.open_file(data)
        columns = _columns(log, reader.schema)
        batches = (
            reader.get_batch(number).select(columns) for number in range(reader.num_record_batches)
        )
    rows = 0
    for batch in batches:
        batch.validate(full=True)  # damaged offsets would be followed to wherever they point
        rows += batch.num_rows
        _within(log, rows, batch.num_columns)
        yield from batch.to_pylist()


def _columns(log: Source, schema: Any) -> list[str]:
    """The columns of numbers and of run labels; other columns are not read, whatever their size."""
    import pyarrow.types as kinds

    taken: list[str] = []
    others: list[str] = []
    for field in schema:
        kind = field.type
        numbers = kinds.is_integer(kind) or kinds.is_floating(kind)
        is_label = tells_apart(field.name) and (
            kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_dictionary(kind)
        )
        (taken if numbers or is_label else others).append(field.name)
    if len(set(taken)) < len(taken):
        raise log.wrong(f"expected columns of different names, got {sorted(taken)[:10]}")
    if others:
        log.notes.append(f"no numbers, left out: {few(others)}")
    return taken


def _within(log: Source, rows: int, columns: int) -> None:
    if rows * columns > log.limits.values:
        raise log.wrong(
            f"{rows:,} rows of {columns:,} columns are more than `limits` allows "
            f"({log.limits.values:,} values)"
        )


FORMAT = LogFormat("arrow", _recognise, _read, order=30)
