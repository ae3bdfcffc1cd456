"""Parquet and Arrow (Feather, IPC) files; needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import LogError
from ..bounded import Allowance
from ..columns import tells_apart
from ..log_format import LogFormat
from ..records import few, runs_of
from ..run import Run
from ..source import Source
from ..unpacked import arrow as arrow_sizes
from ..unpacked import parquet

__all__ = ["FORMAT"]

_AT_ONCE = 4096
_BYTES = 8  # of a value, whatever it was packed to


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
        yield from runs_of(log, _records(log, data))
    except LogError:
        raise
    except (pyarrow.ArrowException, *_ERRORS) as error:
        raise log.wrong(f"expected a table of Parquet or Arrow: {str(error)[:300]}") from None


# What pyarrow raises for damaged files, besides its own errors.
_ERRORS = (OSError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError)


def _records(log: Source, data: bytes) -> Iterator[dict[str, Any]]:
    batches = _parquet_batches if data[:4] == b"PAR1" else _arrow_batches
    rows = 0
    for whole in batches(log, data):
        whole.validate(full=True)  # damaged offsets would be followed to wherever they point
        rows += whole.num_rows
        _within(log, rows, whole.num_columns)
        for start in range(0, whole.num_rows, _AT_ONCE):
            batch = whole.slice(start, _AT_ONCE)
            columns = map(_values, batch.columns)
            for row in zip(*columns, strict=True):
                yield dict(zip(batch.schema.names, row, strict=True))


def _parquet_batches(log: Source, data: bytes) -> Iterator[Any]:
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(data))
    columns = _columns(log, file.schema_arrow)
    _within(log, file.metadata.num_rows, len(columns))
    left = Allowance(log)
    for unpacked, values in parquet.pages(data, parquet.chunks(data, set(columns))):
        left.take(max(unpacked, _BYTES * values))
    # Labels stay numbers with a list of texts: a long one, repeated, would fill the memory.
    labels = [name for name in columns if tells_apart(name)]
    file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(data), read_dictionary=labels)
    yield from file.iter_batches(_AT_ONCE, columns=columns, use_threads=False)


def _arrow_batches(log: Source, data: bytes) -> Iterator[Any]:
    import pyarrow.ipc

    schema = pyarrow.ipc.open_file(pyarrow.BufferReader(data)).schema
    columns = _columns(log, schema)
    left = Allowance(log)
    for unpacked in arrow_sizes.buffers(data):
        left.take(unpacked)
    options = pyarrow.ipc.IpcReadOptions(
        included_fields=[schema.get_field_index(name) for name in columns], use_threads=False
    )
    reader = pyarrow.ipc.open_file(pyarrow.BufferReader(data), options=options)
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number).select(columns)


def _values(column: Any) -> list[Any]:
    """The values of a column. A text that is repeated is one object."""
    if not hasattr(column, "dictionary"):
        values: list[Any] = column.to_pylist()
        return values
    texts = column.dictionary.to_pylist()
    return [None if index is None else texts[index] for index in column.indices.to_pylist()]


def _columns(log: Source, schema: Any) -> list[str]:
    """The columns of numbers and of run labels; other columns are not read, whatever their size."""
    import pyarrow.types as kinds

    taken: list[str] = []
    others: list[str] = []
    for field in schema:
        kind = field.type
        numbers = kinds.is_integer(kind) or kinds.is_floating(kind)
        text = kind.value_type if kinds.is_dictionary(kind) else kind
        is_text = kinds.is_string(text) or kinds.is_large_string(text)
        is_label = tells_apart(field.name) and is_text
        (taken if numbers or is_label else others).append(field.name)
    if len(set(taken)) < len(taken) or set(taken) & set(others):
        raise log.wrong(f"expected columns of different names, got {few(sorted(taken))}")
    if not taken:
        raise log.wrong(f"there is no column of numbers in it: {few(others)}", not_a_log=True)
    if others:
        log.notes.append(f"no numbers, left out: {few(others)}")
    return taken


def _within(log: Source, rows: int, columns: int) -> None:
    if rows * columns > log.limits.values:
        raise log.wrong(
            f"{rows:,} rows of {columns:,} columns are more than `limits` allows "
            f"({log.limits.values:,} values)"
        )


FORMAT = LogFormat("arrow", _recognise, _read, general=True, order=30)
