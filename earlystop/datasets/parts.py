"""The parts of a data set: plain values that say what to read, and read it where they are sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .._arrow import as_mask
from ..history.history import History, history_of
from ..history.ragged import new_column
from ..language.positions import RESERVED
from .cells import Labels, ids_of, labels_of, numbers_of
from .gathering import GatheredRows
from .layout import Layout
from .planning import Cut, Range
from .rows import TableRows, history_of_rows
from .tables import Chunk, read_batches

__all__ = ["Part", "TablePart", "with_gaps"]


class Part(Protocol):
    """Whole runs that are read together; it can be pickled."""

    def read(self, metrics: frozenset[str] | None) -> History | None:
        """The runs, with these metrics (None: all), or None if there are none.

        A metric that none of them reports is a gap everywhere.
        """
        ...

    @property
    def rows(self) -> int:
        """How many rows are read at most, roughly."""
        ...


def with_gaps(history: History, metrics: tuple[str, ...] | None) -> History:
    """The history with just these metrics; one that it lacks is a gap everywhere. None: as it is.

    >>> with_gaps(History({"loss": [[3.0, 2.0]]}), ("acc",)).reported("acc").tolist()
    [[False, False]]
    """
    if metrics is None:
        return history
    columns, gaps = {}, {}
    more = (name for name in history.metrics if name in RESERVED)
    for name in dict.fromkeys([*metrics, *more]):
        if name in history.metrics:
            columns[name], gap = history.values(name), history.gaps(name)
        else:
            columns[name] = new_column(history.lengths, np.nan)
            gap = new_column(history.lengths, fill=True)
        if gap is not None:
            gaps[name] = gap
    places = history.coordinates.all_stored()
    names = history.given_names
    return history_of(columns, gaps, history.lengths, names, places, history.report)


@dataclass(frozen=True)
class TablePart:
    """A range of the runs of a table."""

    layout: Layout
    range: Range

    def read(self, metrics: frozenset[str] | None) -> History | None:
        """See `Part`. Raises LogError for a damaged file, or one without a step."""
        gathered = GatheredRows(self.range.rows, str(self))
        for chunk in self.range.chunks:
            for piece in self._rows_of(chunk, metrics):
                gathered.add(piece)
        rows = gathered.all()
        if rows is None:
            return None
        return history_of_rows(rows, self.layout, self.layout.wanted(metrics), str(self))

    @property
    def rows(self) -> int:
        """See `Part`."""
        return self.range.rows

    def _rows_of(self, chunk: Chunk, metrics: frozenset[str] | None) -> Iterator[TableRows]:
        """The rows of a piece that belong to runs of this part."""
        layout = self.layout
        texts = (layout.run, *([layout.metric] if layout.metric else []))
        columns = layout.columns(metrics)
        whole = self._holds(Cut(chunk.low, False)) and self._holds(Cut(chunk.high, True))
        for batch in read_batches(chunk, columns, texts):
            runs = self._runs(batch, chunk)
            kept = None if whole else self._mask(runs)
            if kept is not None and not kept.any():
                continue
            if kept is not None and not kept.all():
                some = _rows_where(kept, batch)
                yield self._as_rows(some, self._runs(some, chunk), chunk.path)
                continue
            yield self._as_rows(batch, runs, chunk.path)

    def _runs(self, batch: Any, chunk: Chunk) -> Any:
        return ids_of(batch.column(self.layout.run), f"{chunk.path}, column {self.layout.run!r}")

    def _as_rows(self, batch: Any, runs: Any, path: str) -> TableRows:
        layout, known = self.layout, set(batch.schema.names)
        names = [name for name in known if name not in (layout.run, layout.metric)]
        if layout.step == layout.run:
            names.append(layout.run)
        columns = {name: numbers_of(batch.column(name), f"{path}, {name!r}") for name in names}
        labels = None
        if layout.metric is not None:
            labels = labels_of(batch.column(layout.metric), f"{path}, {layout.metric!r}")
        return TableRows(runs, columns, labels)

    def _holds(self, cut: Cut) -> bool:
        begin, end = self.range.begin, self.range.end
        return (begin is None or begin <= cut) and (end is None or cut <= end)

    def _mask(self, runs: Any) -> Any:
        """Which rows belong to runs of this part."""
        if isinstance(runs, Labels):
            kept = np.array(
                [self._holds(Cut(t, False)) and self._holds(Cut(t, True)) for t in runs.texts]
            )
            return kept[runs.codes]
        mask = np.ones(len(runs), np.bool_)
        begin, end = self.range.begin, self.range.end
        if begin is not None:
            mask &= runs > begin.id if begin.after else runs >= begin.id
        if end is not None:
            mask &= runs <= end.id if end.after else runs < end.id
        return mask

    def __str__(self) -> str:
        paths = list(dict.fromkeys(chunk.path for chunk in self.range.chunks))
        more = f" and {len(paths) - 1:,} more files" if len(paths) > 1 else ""
        begin = "the first" if self.range.begin is None else repr(self.range.begin.id)
        end = "the last" if self.range.end is None else repr(self.range.end.id)
        return f"runs from {begin} to {end} in {paths[0]}{more}"


def _rows_where(mask: Any, batch: Any) -> Any:
    """The rows of a batch where a mask is true, at least one."""
    first, count = int(mask.argmax()), int(mask.sum())
    if mask[first : first + count].all():  # as where the table is sorted by run
        return batch.slice(first, count)
    return batch.filter(as_mask(mask))
