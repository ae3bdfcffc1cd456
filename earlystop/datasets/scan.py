"""`scan_history`: finds the runs in files, and plans how to read them part by part."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .._parallel import in_order
from .._text import count
from ..errors import LogError, RuleError, name_advice
from ..language.settings import Positive, validated
from ..logs.columns import is_coordinate
from .dataset import Copy, Dataset
from .layout import Layout
from .log_parts import parts_of_logs
from .parts import TablePart
from .planning import Range, ranges_of, unordered
from .sorting import sorted_copy
from .storage import files_of, paths_of
from .tables import ENDINGS, Chunk, chunks_of, schema_of

__all__ = ["scan_history"]

Found = TypeVar("Found")

_ROWS = 2**22
_FILES_AT_ONCE = 16  # that are looked at
_BYTES_PER_ROW = 64  # that the sorting of a table may take in memory, per row of a part


def scan_history(
    source: Any,
    run: str | None = None,
    step: str | None = None,
    metric: str | None = None,
    value: str | None = None,
    metrics: str | Iterable[str] | None = None,
    *,
    coordinates: Iterable[str] | None = None,
    rows: int = _ROWS,
    retries: int = 1,
    spill: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Dataset:
    """A data set of logged runs in files: planned now, read part by part when it is worked on.

    `sweep`, `replay` and `advise` take it where they take a `History`.

    source: a path, a glob pattern, a folder, an address that fsspec knows (such as
        s3://bucket/runs/*.parquet), or a list of these.
    run: the column with the id of the run, whole numbers or text, in tables (Parquet, Arrow, CSV).
        None: every file has runs of its own, and is read by `read_history`, which takes `options`.
    step: the column by which the rows of a run are in order; None for the order of the table. It is
        also their coordinate: under its own name, if that is one of a step, an epoch or a time,
        else as "step". Of rows at one step, the later value of a metric counts.
    metric, value: in tables with one row for each run, step and metric: the columns of the name of
        the metric and of its value.
    metrics: the columns of metrics, or the names in the column `metric`, to keep; by default all.
    coordinates: further columns that say where a row stands; by default those with the name of one.
    rows: how many rows a part reads at most, as far as the table allows. It takes about 60 bytes
        of memory per row with one metric, and a single run is never split.
    retries: how often a part is tried again that fails for a reason such as a lost connection.
    spill: a folder for a sorted copy of a table whose runs are in no order, which is made if one is
        needed, and DuckDB or polars is installed. By default a temporary folder, which is removed
        with the data set: workers on other machines need one that they share.

    A part of a table is a range of runs. It is planned by the statistics of Parquet; of other files
    the column of runs is read. Runs that straddle files and row groups come whole.

    Nulls are gaps; a NaN is a value. A metric that a file lacks is a gap in its rows, as
    `dataset.notes` says. Times count in seconds.

    Raises LogError for files that are no tables, or lack a column; FileNotFoundError where there
    are none; DatasetError, naming the command that sorts it, for a table in no order if it cannot
    be sorted here; ImportError, naming what to install.

    >>> import pathlib, tempfile
    >>> from earlystop import scan_history
    >>> file = pathlib.Path(tempfile.mkdtemp(), "runs.csv")
    >>> rows = ["run,step,metric,value", "a,0,loss,3", "a,1,loss,4", "a,1,acc,0.5", "b,0,loss,2"]
    >>> _ = file.write_text("\\n".join(rows))
    >>> runs = scan_history(file, run="run", step="step", metric="metric", value="value")
    >>> runs.read().metrics["loss"].tolist(), runs.read().names
    ([[3.0, 4.0], [2.0, 0.0]], ('a', 'b'))
    """
    rows = validated(Positive, rows, "scan_history(rows=...)")
    paths = paths_of(source)
    if run is None:
        _refuse_columns(step=step, metric=metric, value=value, spill=spill)
        names = (
            None if metrics is None else tuple([metrics] if isinstance(metrics, str) else metrics)
        )
        return Dataset(parts_of_logs(paths, names, rows, options), names, (), retries)
    if options:
        raise RuleError(
            f"`scan_history`: {', '.join(options)} are for logs that read_history reads, without "
            "`run`"
        )
    if (metric is None) != (value is None):
        raise RuleError("`scan_history`: `metric` and `value` name two columns: give both")
    files = files_of(paths, ENDINGS)
    wanted = None if metrics is None else tuple([metrics] if isinstance(metrics, str) else metrics)
    found = zip(files, _of_each(files, schema_of), strict=True)
    schemas = {path: schema for path, schema in found if schema is not None}
    if not schemas:
        raise LogError("there is no row in these files", files[0])
    layout = _layout(schemas, Layout(run, step, metric, value, wanted), coordinates)
    notes = list(_differences(schemas, layout))
    empty = len(files) - len(schemas)
    notes += [f"{count(empty, 'file')} empty"] if empty else []
    ranges, copy = _plan(list(schemas), layout, rows, spill, notes)
    parts = tuple(TablePart(layout, each) for each in ranges)
    return Dataset(parts, layout.metrics, tuple(notes), retries, copy)


def _refuse_columns(**columns: Any) -> None:
    given = [name for name, column in columns.items() if column is not None]
    if given:
        raise RuleError(
            f"`scan_history`: {', '.join(given)} are about tables: name the column with the id of "
            "the run, too (run=...)"
        )


def _layout(schemas: dict[str, Any], asked: Layout, coordinates: Iterable[str] | None) -> Layout:
    """The layout with the columns that hold metrics and coordinates, if they were not named.

    Raises LogError for a file that lacks a column without which no row can be read.
    """
    needed = [asked.run, *filter(None, [asked.step, asked.metric, asked.value])]
    for path, schema in schemas.items():
        for name in needed:
            if name not in schema.names:
                advice = name_advice(name, schema.names, "columns")
                raise LogError(f"there is no column {name!r}: {advice}", path)
    found = [*dict.fromkeys(_numeric(schemas))]
    others = [name for name in found if name not in needed]
    places = (
        [name for name in others if is_coordinate(name)] if coordinates is None else coordinates
    )
    metrics = asked.metrics
    if metrics is None and not asked.is_long:
        metrics = tuple(name for name in others if name not in set(places))
    every = {name for schema in schemas.values() for name in schema.names}
    wanted = [*places, *(metrics or () if not asked.is_long else ())]
    for name in wanted:
        if name not in every:
            raise LogError(
                f"no file has the column {name!r}: {name_advice(name, every, 'columns')}",
                next(iter(schemas)),
            )
    if metrics == ():
        raise LogError("there is no column of a metric in it", next(iter(schemas)))
    columns = (asked.run, asked.step, asked.metric, asked.value)
    return Layout(*columns, metrics, tuple(name for name in places if name not in (metrics or ())))


def _numeric(schemas: dict[str, Any]) -> Iterable[str]:
    """The columns of numbers or times, of all files."""
    import pyarrow.types as kinds

    for schema in schemas.values():
        for column in schema:
            kind = column.type
            if (
                kinds.is_integer(kind)
                or kinds.is_floating(kind)
                or kinds.is_decimal(kind)
                or (is_coordinate(column.name) and kinds.is_temporal(kind))
            ):
                yield column.name


def _differences(schemas: dict[str, Any], layout: Layout) -> Iterable[str]:
    """How the files differ in what is read of them."""
    for name in layout.columns(None):
        lacking = [path for path, schema in schemas.items() if name not in schema.names]
        if lacking:
            yield f"{count(len(lacking), 'file')} without the column {name!r}, such as {lacking[0]}"
        types: dict[str, str] = {}
        for path, schema in schemas.items():
            if name in schema.names:
                types.setdefault(str(schema.field(name).type), path)
        if len(types) > 1:
            told = ", ".join(f"{kind} in {path}" for kind, path in list(types.items())[:3])
            yield f"the type of the column {name!r} differs: {told}"


def _plan(
    files: Sequence[str], layout: Layout, rows: int, spill: Any, notes: list[str]
) -> tuple[list[Range], Copy | None]:
    """The ranges of runs; of a table whose runs are in no order, those of a sorted copy."""
    chunks = _all_chunks(files, layout.run)
    ranges = ranges_of(chunks, rows)
    if not unordered(ranges, rows):
        return ranges, None
    if spill is not None:
        folder, copy = Path(spill).absolute(), None
    else:
        folder = Path(tempfile.mkdtemp(prefix="earlystop-sorted-"))
        copy = Copy(folder)
    path = sorted_copy(files, layout, folder, rows * _BYTES_PER_ROW)
    notes.append(f"the runs were in no order: a sorted copy is read, {path}")
    return ranges_of(_all_chunks([path], layout.run), rows), copy


def _all_chunks(files: Sequence[str], run: str) -> list[Chunk]:
    of_files = _of_each(files, functools.partial(chunks_of, run=run))
    chunks = [chunk for of_file in of_files for chunk in of_file]
    texts = [chunk for chunk in chunks if isinstance(chunk.low, str)]
    if texts and len(texts) < len(chunks):
        other = next(chunk for chunk in chunks if not isinstance(chunk.low, str))
        raise LogError(
            f"the runs in {run!r} are text here and numbers in {other.path}: write them alike",
            texts[0].path,
        )
    return chunks


def _of_each(files: Sequence[str], look: Callable[[str], Found]) -> list[Found]:
    """What a look at each file finds, several at a time: a store takes its time to answer."""
    return list(in_order((functools.partial(look, path) for path in files), _FILES_AT_ONCE))
