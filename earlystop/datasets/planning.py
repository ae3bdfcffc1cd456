"""How the runs of a table are cut into parts: ranges of ids, by what is known of each piece.

A piece (a row group) has rows of runs from `low` to `high`. The runs may be cut where a piece
begins: before its lowest run. A part reads every piece that may have rows of its runs, and keeps
only these. So a run that straddles pieces or files comes whole, and where two neighbouring parts
share a piece, both read it.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .tables import Chunk

__all__ = ["Cut", "Range", "ranges_of", "unordered"]

_MOST_READ = 4  # times the rows of a part: beyond it, a store counts as not sorted by run


class Cut(NamedTuple):
    """A place between runs: before the run of this id, or after it."""

    id: Any
    after: bool


class Range(NamedTuple):
    """A part: the runs between two cuts (None: from the first, to the last), and their pieces.

    rows: the rows of all pieces: the most that are read. is_one_run: whether all belong to one run.
    """

    chunks: tuple[Chunk, ...]
    begin: Cut | None
    end: Cut | None
    rows: int
    is_one_run: bool


def ranges_of(chunks: Sequence[Chunk], rows: int) -> list[Range]:
    """Ranges of runs that read at most `rows` rows each, as far as the pieces allow.

    >>> pieces = [
    ...     Chunk("a", "parquet", 0, 5, 1, 3),
    ...     Chunk("a", "parquet", 1, 5, 3, 6),
    ...     Chunk("b", "parquet", 0, 5, 7, 9),
    ... ]
    >>> for part in ranges_of(pieces, 10):
    ...     print([piece.rows for piece in part.chunks], part.begin, part.end)
    [5, 5] None Cut(id=7, after=False)
    [5] Cut(id=7, after=False) None
    """
    cuts = sorted({Cut(c.low, False) for c in chunks} | {Cut(c.high, True) for c in chunks})
    return list(_joined(sorted(chunks, key=lambda chunk: chunk.low), cuts, rows))


def _joined(chunks: Sequence[Chunk], cuts: Sequence[Cut], rows: int) -> Iterator[Range]:
    """Neighbouring ranges joined, as long as they read at most `rows` rows."""
    begins = [Cut(chunk.low, False) for chunk in chunks]
    open_now: list[Chunk] = []  # those that reach beyond the cut where the part begins
    first, begin, last = 0, 0, len(cuts) - 1
    while begin < last:
        taken, end, taken_rows = list(open_now), begin, sum(chunk.rows for chunk in open_now)
        while end < last:
            more = bisect.bisect_left(begins, cuts[end + 1], first)
            added = chunks[first:more]
            further = sum(chunk.rows for chunk in added)
            if end > begin and taken_rows + further > rows:
                break
            taken, taken_rows, end, first = [*taken, *added], taken_rows + further, end + 1, more
        if taken:
            yield _range(taken, cuts, begin, end, taken_rows)
        open_now = [chunk for chunk in taken if Cut(chunk.high, True) > cuts[end]]
        begin = end


def _range(chunks: list[Chunk], cuts: Sequence[Cut], begin: int, end: int, rows: int) -> Range:
    first, last = cuts[begin], cuts[end]
    return Range(
        tuple(sorted(chunks, key=lambda chunk: (chunk.path, chunk.group))),
        None if begin == 0 else first,
        None if end == len(cuts) - 1 else last,
        rows,
        first.id == last.id,
    )


def unordered(ranges: Sequence[Range], rows: int) -> list[Range]:
    """The ranges that would read far more than `rows` rows, though they hold several runs."""
    return [part for part in ranges if part.rows > _MOST_READ * rows and not part.is_one_run]
