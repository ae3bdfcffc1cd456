"""Tables in files, read by pyarrow a piece at a time: Parquet, Arrow (Feather, IPC), CSV."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import LogError
from ..logs.odd_numbers import NOT_REPORTED
from .cells import Ids, Labels, ids_of
from .storage import is_address, opened

__all__ = ["ENDINGS", "Chunk", "chunks_of", "read_batches", "schema_of"]

ENDINGS = (".parquet", ".pq", ".feather", ".arrow", ".ipc", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
_ROWS_AT_ONCE = 131_072
_WHOLE = -1


class Chunk(NamedTuple):
    """A piece of a file that can be read by itself, and the runs that it has rows of.

    kind: "parquet", "arrow" or "csv". group: the number of a row group; -1 for the whole file.
    low, high: the least and the greatest id of a run in it.
    """

    path: str
    kind: str
    group: int
    rows: int
    low: Any
    high: Any


@contextlib.contextmanager
def _parquet(path: str, texts: tuple[str, ...] = ()) -> Iterator[Any]:
    import pyarrow.parquet

    if not is_address(path):  # which it reads faster by itself
        with pyarrow.parquet.ParquetFile(path, read_dictionary=list(texts)) as file:
            yield file
        return
    with opened(path) as stream:
        yield pyarrow.parquet.ParquetFile(stream, read_dictionary=list(texts))


def _kind(path: str) -> str:
    """ "parquet", "arrow" or "csv", by what the file begins with."""
    with opened(path) as file:
        head = file.read(6)
    if head[:4] == b"PAR1":
        return "parquet"
    return "arrow" if head == b"ARROW1" else "csv"


def schema_of(path: str) -> Any:
    """The columns of a file, and their types. None for an empty file.

    Raises LogError for a file that is no table.
    """
    import pyarrow

    try:
        kind = _kind(path)
        if kind == "parquet":
            with _parquet(path) as file:
                return file.schema_arrow
        with _stream(path, kind) as reader:
            return None if reader is None else reader.schema
    except pyarrow.ArrowException as error:
        raise _damaged(path, error) from None


def chunks_of(path: str, run: str) -> list[Chunk]:
    """The pieces of a file, with the runs in them, by its statistics where it has some.

    Without statistics the column of runs is read. Raises LogError for a damaged file.
    """
    import pyarrow

    try:
        kind = _kind(path)
        if kind == "parquet":
            with _parquet(path) as file:
                return list(_groups(path, file, run))
        return _whole(path, kind, _WHOLE, run)
    except pyarrow.ArrowException as error:
        raise _damaged(path, error) from None


def _groups(path: str, file: Any, run: str) -> Iterator[Chunk]:
    meta = file.metadata
    column = [meta.schema.column(n).path for n in range(meta.num_columns)].index(run)
    for number in range(meta.num_row_groups):
        group = meta.row_group(number)
        if not group.num_rows:
            continue
        known = group.column(column).statistics
        if known is not None and known.has_null_count and known.null_count:
            raise LogError(f"{known.null_count:,} rows have no run", path, f"column {run!r}")
        if known is None or not known.has_min_max or not _exact(known):
            yield from _whole(path, "parquet", number, run)
        else:
            yield Chunk(
                path, "parquet", number, group.num_rows, *map(_plain, (known.min, known.max))
            )


def _exact(known: Any) -> bool:
    """Are the least and the greatest value complete? Writers may cut long texts."""
    told = (getattr(known, name, None) for name in ("is_min_value_exact", "is_max_value_exact"))
    if any(each is False for each in told):
        return False
    return not isinstance(known.min, (str, bytes)) or max(len(known.min), len(known.max)) < _CUT


_CUT = 60  # bytes: some writers cut texts at 64 and do not say so


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _whole(path: str, kind: str, group: int, run: str) -> list[Chunk]:
    """A piece whose column of runs has to be read."""
    rows = 0
    low: Any = None
    high: Any = None
    for batch in read_batches(Chunk(path, kind, group, 0, None, None), [run], (run,)):
        ids = ids_of(batch.column(run), f"{path}, column {run!r}")
        if not batch.num_rows:
            continue
        rows += batch.num_rows
        least, most = _ends(ids)
        low = least if low is None or least < low else low
        high = most if high is None or most > high else high
    return [Chunk(path, kind, group, rows, low, high)] if rows else []


def _ends(ids: Labels | Ids) -> tuple[Any, Any]:
    """The least and the greatest id."""
    if isinstance(ids, Labels):
        return ids.texts[0], ids.texts[-1]
    return int(ids.min()), int(ids.max())


def read_batches(chunk: Chunk, columns: list[str], texts: tuple[str, ...]) -> Iterator[Any]:
    """The rows of a piece of a file, some at a time; columns that the file lacks are left out.

    texts: columns that are read as dictionaries if they are text. Raises LogError for damage.
    """
    import pyarrow

    try:
        if chunk.kind == "parquet":
            with _parquet(chunk.path, texts) as file:
                known = [name for name in columns if name in file.schema_arrow.names]
                groups = None if chunk.group == _WHOLE else [chunk.group]
                yield from file.iter_batches(
                    _ROWS_AT_ONCE, row_groups=groups, columns=known, use_threads=False
                )
            return
        with _stream(chunk.path, chunk.kind) as reader:
            for batch in reader or ():
                known = [name for name in columns if name in batch.schema.names]
                yield batch.select(known)
    except pyarrow.ArrowException as error:
        raise _damaged(chunk.path, error) from None


@contextlib.contextmanager
def _stream(path: str, kind: str) -> Iterator[Any]:
    """The batches of an Arrow or CSV file; None for an empty one."""
    import pyarrow.csv
    import pyarrow.ipc

    with opened(path) as file:
        if kind == "arrow":
            reader = pyarrow.ipc.open_file(file)
            yield _Batches(reader)
            return
        if not file.read(1):
            yield None
            return
        file.seek(0)
        compression = "gzip" if path.endswith(".gz") else None
        stream = pyarrow.input_stream(file, compression=compression)
        separator = "\t" if ".tsv" in path[-7:] else ","
        yield pyarrow.csv.open_csv(
            stream,
            pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK),
            pyarrow.csv.ParseOptions(delimiter=separator),
            pyarrow.csv.ConvertOptions(null_values=_NULLS, strings_can_be_null=False),
        )


_NULLS = [spelled for text in NOT_REPORTED for spelled in {text, text.upper(), text.title()}]
_BLOCK = 2**24  # bytes of text; the types of columns are told by the first


class _Batches:
    """The batches of an Arrow file, one after another."""

    def __init__(self, reader: Any) -> None:
        self._reader, self.schema = reader, reader.schema

    def __iter__(self) -> Iterator[Any]:
        for number in range(self._reader.num_record_batches):
            yield self._reader.get_batch(number)


def _damaged(path: str, error: Exception) -> LogError:
    return LogError(f"expected a table of Parquet, Arrow or CSV: {str(error)[:300]}", path)
