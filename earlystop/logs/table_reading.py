"""The rows of a text table, collected by columns.

Text is split in blocks where no quotes, comments, blank lines or other headers are in it, and row
by row otherwise: the same cells either way.
"""

from __future__ import annotations

import collections
import contextlib
import csv
import functools
import itertools
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

from .._parallel import in_order
from .arrow_cells import ArrowCells, Numbers
from .cell_columns import CellColumn
from .columns import is_coordinate
from .dialect import Dialect, cells_of_rows, is_comment, is_number
from .header import names_in_header
from .source import Source
from .text_lines import Block

__all__ = ["Table", "read_tables"]


_SLACK = 1.2  # of the rows that are expected, as the first rows may be longer
_LARGE = 2**23  # bytes, from which several blocks are converted at a time
_WORKERS = 4
_ROWS = 4096  # that are collected before they are added to the columns


class Table:
    """The rows below one header.

    header: the names of the columns; "" for columns that are left out.
    columns: their cells.
    """

    def __init__(self, header: list[str], plain: Callable[[str], str] | None) -> None:
        self.header = header
        self.columns = [CellColumn(plain) for _ in header]
        self._lines: list[Sequence[int]] = []

    @property
    def length(self) -> int:
        """How many rows there are."""
        return self.columns[0].length

    @property
    def filled(self) -> int:
        """How many cells are not empty."""
        return sum(column.filled for column in self.columns)

    def add(
        self, columns: Sequence[Sequence[str]], lines: Sequence[int], *, underscores: bool = True
    ) -> None:
        """Add rows, given by columns, and the numbers of their lines."""
        for column, cells in zip(self.columns, columns, strict=True):
            column.add(cells, underscores=underscores)
        self._lines.append(lines)

    def expect(self, rows: int) -> None:
        """Prepare for this number of rows in all."""
        for column in self.columns:
            column.expect(rows)

    def append(self, columns: Sequence[Numbers], lines: Sequence[int]) -> None:
        """Add rows of numbers, given by columns, and the numbers of their lines."""
        for column, (values, gaps) in zip(self.columns, columns, strict=True):
            column.append(values, gaps)
        self._lines.append(lines)

    def line_of(self, row: int) -> int:
        """The number of the line of a row."""
        for lines in self._lines:
            if row < len(lines):
                return lines[row]
            row -= len(lines)
        raise IndexError(row)

    def cut(self, length: int) -> None:
        """Leave out all rows from this one on."""
        for column in self.columns:
            column.cut(length)


def _are_floats(cells: Sequence[str]) -> bool:
    """Are all of these cells numbers, as Python writes them, or empty?"""
    try:
        collections.deque(map(float, (cell or "0" for cell in cells)), 0)
    except ValueError:
        return False
    return True


class _Reader:
    """Reads a table, or several, one below the other."""

    def __init__(self, log: Source, dialect: Dialect, plain: Callable[[str], str] | None) -> None:
        self._log, self._dialect, self._plain = log, dialect, plain
        self._before = dialect.preamble  # lines that stand before the header
        self._written: list[str] = []  # the cells of the header, as they stand there
        self._names: list[str] = []  # those of the columns
        self._filled = 0  # cells of the table that are counted
        self._arrow = ArrowCells()
        self._pending: list[list[str]] = []
        self._lines: list[int] = []
        self.open_line = 0
        self.damage: tuple[str, int] | None = None
        self.tables: list[Table] = []

    def read(self) -> None:
        with contextlib.closing(self._converted()) as converted:
            for found, known in converted:
                block, numbers = (found, known) if self.tables else self._past_header(found)
                if self._take(block, numbers) or self._split(block):
                    continue
                blocks: Iterable[Block] = [block]
                if '"' in block.text:  # a quoted cell may go on in the next block
                    blocks = itertools.chain(blocks, (block for block, _ in converted))
                for line, row in self._rows(blocks):
                    self._row(line, row)
                    if self.damage is not None:
                        break
                self._flush()
                if self.damage is not None:
                    return

    def _converted(self) -> Generator[tuple[Block, list[Numbers] | None]]:
        """The text in blocks, and the numbers in those of plain rows; several at a time."""
        blocks = self._blocks()
        for block in itertools.islice(blocks, 1):  # with the header
            yield block, None
        workers = min(_WORKERS, os.cpu_count() or 1) if self._log.size > _LARGE else 1
        tasks = (functools.partial(self._by_arrow, block) for block in blocks)
        yield from in_order(tasks, workers, ahead=1)

    def _blocks(self) -> Iterator[Block]:
        """The text; a last line without an end is a block of its own."""
        for block in self._log.blocks():
            if block.plain is not None or block.text.endswith("\n"):
                yield block
                continue
            whole = block.text.rfind("\n") + 1
            if whole:
                yield Block(block.first, block.text[:whole])
            self.open_line = block.first + block.text.count("\n")
            yield Block(self.open_line, block.text[whole:])

    def _past_header(self, block: Block) -> tuple[Block, list[Numbers] | None]:
        """Read the header and what stands before it; what is left of the block, and its numbers."""
        text, begin, lines = block.text, 0, 0
        while not self.tables and (end := text.find("\n", begin)) >= 0:
            content = text[begin:end]
            if content.count('"') % 2:
                break
            if content := self._of_table(content):
                self._begin(self._cells(content), block.first + lines)
            begin, lines = end + 1, lines + 1
        return self._by_arrow(block.after(begin, lines))

    def _split(self, block: Block) -> bool:
        """Add the rows of a block, if all of them are plain rows."""
        text, separator = block.text, self._dialect.separator
        if not text or text.isspace():
            return True
        if not self.tables or separator == " " or '"' in text or "#" in text:
            return False
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        width = len(self.tables[-1].header)
        if "\r" in text or not text.endswith("\n") or width == 1:
            return False
        return self._split_rows(text, separator, width, block)

    def _by_arrow(self, block: Block) -> tuple[Block, list[Numbers] | None]:
        """The block, and its numbers, if all of its rows are plain."""
        return block, self._numbers(block)

    def _numbers(self, block: Block) -> list[Numbers] | None:
        """The columns of a block, if all of its rows are plain numbers, and pyarrow is worth it."""
        separator = self._dialect.separator
        if self._plain is not None or not self.tables or separator == " ":
            return None
        width, data = len(self.tables[-1].header), block.ascii
        if width == 1 or not data or b'"' in data or b"#" in data:
            return None
        return self._arrow.columns(data, separator, block.count or data.count(b"\n"), width)

    def _take(self, block: Block, numbers: list[Numbers] | None) -> bool:
        """Add the rows of a block by their numbers, if they are known."""
        table = self.tables[-1] if self.tables else None
        if numbers is None or table is None or len(numbers) != len(table.header):
            return False
        rows = len(numbers[0].values)
        if not table.length:
            table.expect(int(_SLACK * rows * self._log.size / len(block.ascii)))
        table.append(numbers, range(block.first, block.first + rows))
        self._counted(rows)
        return True

    def _split_rows(self, text: str, separator: str, width: int, block: Block) -> bool:
        rows, begin = text[:-1].split("\n"), block.first
        if block.plain is None and max(map(len, rows)) > csv.field_size_limit():
            return False
        if set(map(str.count, rows, itertools.repeat(separator))) != {width - 1}:
            return False
        cells = text[:-1].replace("\n", separator).split(separator)
        columns = [cells[place::width] for place in range(width)]
        if self._may_be_headers(columns) and any(
            self._is_header(row.split(separator)) for row in rows
        ):
            return False
        self._add(columns, range(begin, begin + len(rows)), underscores="_" in text)
        return True

    def _may_be_headers(self, columns: Sequence[Sequence[str]]) -> bool:
        """May any of these rows, given by columns, be a header?

        Then there is no number, and nothing empty, in it where the header above has a name; so one
        column of numbers, wherever, says that there is none.
        """
        named = enumerate(zip(self._written, columns, strict=False))
        return not any(
            name and (place == 0 or not is_number(name)) and _are_floats(cells)
            for place, (name, cells) in named
        )

    def _rows(self, blocks: Iterable[Block]) -> Iterator[tuple[int, list[str]]]:
        """The cells of each row, stripped, and the number of its last line."""
        last = [0]

        def lines() -> Iterator[str]:
            for block in blocks:
                for number, line in enumerate(block.text.split("\n"), block.first):
                    last[0] = number
                    if line := self._of_table(line):
                        yield line + "\n"

        if self._dialect.separator == " ":
            for line in lines():
                yield last[0], line.split()
            return
        reader = csv.reader(lines(), delimiter=self._dialect.separator, skipinitialspace=True)
        while True:
            try:
                row = next(reader, None)
            except csv.Error as error:
                raise self._log.wrong(
                    f"expected cells of a table: {error}", f"line {last[0]}"
                ) from None
            if row is None:
                return
            yield last[0], [cell.strip() for cell in row]

    def _of_table(self, line: str) -> str:
        """What of this line is part of the table: nothing if it stands before it, or is a comment.

        A header may be written as a comment.
        """
        if not line.strip():
            return ""
        if self._before:
            self._before -= 1
            return ""
        if not self.tables:
            return line.lstrip("#")
        if not is_comment(line):
            return line
        line = line.lstrip("#")
        return line if self._cells(line) == self._written else ""

    def _cells(self, line: str) -> list[str]:
        return next(cells_of_rows([line], self._dialect.separator), [])

    def _row(self, line: int, row: list[str]) -> None:
        if not self.tables or self._is_header(row):
            self._begin(row, line)
            return
        width = len(self.tables[-1].header)
        if len(row) > width and not any(row[width:]):
            row = row[:width]
        if len(row) != width:
            if len(row) < width and line == self.open_line:
                self._log.left_out(line)
            else:
                self.damage = f"expected {width} cells, as in the header, got {len(row)}", line
            return
        self._pending.append(row)
        self._lines.append(line)
        if len(self._pending) == _ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._add(list(zip(*self._pending, strict=True)), self._lines)
            self._pending, self._lines = [], []

    def _add(
        self, columns: Sequence[Sequence[str]], lines: Sequence[int], *, underscores: bool = True
    ) -> None:
        self.tables[-1].add(columns, lines, underscores=underscores)
        self._counted(len(lines))

    def _counted(self, rows: int) -> None:
        """Count rows that were added."""
        table, limits = self.tables[-1], self._log.limits
        self._log.count(table.filled - self._filled + rows)
        self._filled = table.filled
        cells = table.length * len(table.header)
        if cells > limits.values:
            self._log.count(cells)

    def _begin(self, row: list[str], line: int) -> None:
        self._flush()
        again = bool(self.tables) and row == self._written
        if self.tables:
            self._log.count_run()
        names = self._names if again else names_in_header(self._log, row, line)
        self._written, self._names, self._filled = row, names, 0
        self.tables.append(Table(names, self._plain))

    def _is_header(self, row: list[str]) -> bool:
        if not row or is_number(row[0]):
            return False
        if row == self._written:
            return True
        return (
            len(row) > 1
            and not any(is_number(cell) or not cell for cell in row)
            and any(map(is_coordinate, row))
        )


def read_tables(
    log: Source, plain: Callable[[str], str] | None = None
) -> tuple[list[Table], tuple[str, int] | None, int]:
    """The tables in a text, one below the other, and what is wrong with the text.

    plain: see `CellColumn`. Returns the tables; (what is wrong, number of the line) or None; and
    the number of the line that has no end, 0 if all have one.
    """
    reader = _Reader(log, log.dialect, plain)
    reader.read()
    return reader.tables, reader.damage, reader.open_line
