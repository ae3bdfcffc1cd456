"""Tables for people, in which every number is printed in full, however narrow the terminal is.

A number that lacks its last digits is another number. So columns of numbers are never cut or
folded: where they do not fit beside each other, the table goes on below with the columns that are
left, and repeats those that name the row. Only columns of text are folded into several lines.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .._text import one_line
from .output import say

__all__ = ["print_table"]

_UNBOUNDED = 100_000  # columns: of a file or a pipe, which has no width
_NARROWEST = 16  # characters of a column of text that names rows, before it is folded further
_WIDE_GAP, _GAP, _NARROW_GAP = 3, 2, 1  # blanks between columns; fewer where space is scarce


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    title: str | None = None,
    caption: str | None = None,
    names: int | None = None,
) -> None:
    """Print a table: text to the left where a heading begins with "<", else to the right.

    names: how many columns, from the first, name a row; by default those of text before the others.
    """
    lines = [[one_line(cell) for cell in row] for row in rows]
    texts = [heading.startswith("<") for heading in headings]
    if names is None:
        names = texts.index(False) if False in texts else 1
    console = _console()
    widest = _widths(headings, lines)
    least = [
        min(width, _NARROWEST) if text else width for width, text in zip(widest, texts, strict=True)
    ]
    width = console.width
    gap = _gap(widest, least, width)
    if title is not None:
        say(title)
    for number_of_part, part in enumerate(_parts(least, names, gap, width)):
        if number_of_part:
            say()
        table = _table(
            [headings[column] for column in part],
            [[line[column] for column in part] for line in lines],
            [least[column] for column in part],
            gap,
        )
        console.width = max(width, _total([least[column] for column in part], gap))
        console.print(table)
    if caption is not None:
        say(caption)
    say()


def _total(widths: Sequence[int], gap: int) -> int:
    """How wide the columns are beside each other."""
    return sum(widths) + gap * (len(widths) - 1)


def _gap(widest: Sequence[int], least: Sequence[int], width: int) -> int:
    """The widest gap with which the columns fit, at best without folding any text."""
    tried = ((widest, _WIDE_GAP), (widest, _GAP), (least, _GAP), (least, _NARROW_GAP))
    fitting = (gap for widths, gap in tried if _total(widths, gap) <= width)
    return next(fitting, _GAP)


def _parts(least: Sequence[int], names: int, gap: int, width: int) -> Iterator[list[int]]:
    """The columns, in parts that fit, each with those that name the rows.

    A column that is too wide by itself has a part of its own.
    """
    naming = list(range(names))
    part = list(naming)
    for column in range(names, len(least)):
        wanted = [*part, column]
        if len(part) > names and _total([least[each] for each in wanted], gap) > width:
            yield part
            wanted = [*naming, column]
        part = wanted
    yield part


def _table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], least: Sequence[int], gap: int
) -> Any:
    """One part, as rich prints it. least: the least widths; those of numbers are all they need."""
    from rich.box import ASCII2, SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=SIMPLE_HEAD if _is_unicode() else ASCII2,
        padding=(0, 0, 0, gap - 1),  # the box has a blank of its own
        pad_edge=False,
        show_edge=False,
    )
    for heading, width in zip(headings, least, strict=True):
        left = heading.startswith("<")
        table.add_column(
            Text(heading.removeprefix("<")),
            justify="left" if left else "right",
            no_wrap=not left,
            overflow="fold",
            min_width=width,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _widths(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of every column, in cells of a terminal: some characters take two."""
    from rich.cells import cell_len

    widths = [
        max(cell_len(line) for line in heading.removeprefix("<").split("\n"))
        for heading in headings
    ]
    for row in rows:
        widths = [max(width, cell_len(cell)) for width, cell in zip(widths, row, strict=True)]
    return widths


def _is_unicode() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")


def _console() -> Any:
    """A console as wide as COLUMNS says, or else the terminal; a file or a pipe has no width."""
    from rich.console import Console

    class Quiet(Console):
        """A console that leaves a broken pipe to the group of commands."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    told = os.environ.get("COLUMNS", "").isdecimal() or sys.stdout.isatty()
    width = None if told else _UNBOUNDED
    return Quiet(markup=False, highlight=False, emoji=False, width=width)
