"""The columns of a text table, with what their cells say: numbers, text, or nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..language.coordinate_names import EPOCHS, STEPS, plain_name
from .cell_columns import CellColumn
from .columns import tells_apart
from .columnwise import Column, joined
from .commas import Commas
from .source import Source
from .spelled_numbers import spelled, unit_note, unit_of_all
from .table_reading import Table, read_tables

__all__ = ["columns_of_tables"]


def columns_of_tables(log: Source) -> list[list[Column]]:
    """The tables in a text, each by columns.

    A column is of text if more of its cells are text than numbers, or if it tells rows apart. A
    table that goes on where the one above ended is part of it.

    Raises LogError for a table that is damaged or has no rows.
    """
    tables, damage, open_line = _read(log)
    found: list[_Together] = []
    for table in tables:
        bad = min(filter(None, map(_bad_cell, table.header, table.columns)), default=None)
        if bad is not None:
            row, message = bad
            table.cut(row)
            line = table.line_of(row)
            if line != open_line:
                damage = damage if damage and damage[1] < line else (message, line)
            else:
                log.left_out(line)
        if table.length:
            columns = _columns(log, table)
            if not (found and found[-1].add(columns)):
                found.append(_Together(log, columns))
        if damage is not None and bad is not None:
            break
    if damage is not None:
        log.damaged(damage[0], f"line {damage[1]}")
    elif not found:
        header = ", ".join(tables[0].header) if tables else ""
        raise log.wrong(f"no rows below the header ({header[:200]})", not_a_log=True)
    return [joined(together.tables) for together in found]


def _read(log: Source) -> tuple[list[Table], tuple[str, int] | None, int]:
    """What `read_tables` gives, with numbers in which commas matter as Python writes them."""
    notes = len(log.notes)
    read = read_tables(log)
    if not any(
        map(Commas.matter, {t for table in read[0] for c in table.columns for t in c.odd_texts})
    ):
        return read
    commas = Commas()
    for plain in (commas.learned, commas.plain):
        log.recount()
        del log.notes[notes:]
        read = read_tables(log, plain)
    if commas.unclear and not (commas.decimal or commas.thousands):
        log.notes.append(f"commas are taken for those of decimals, as in {commas.unclear}")
    return read


def _bad_cell(name: str, column: CellColumn) -> tuple[int, str] | None:
    """The row of a cell that is no number, in a column of numbers, and what is wrong."""
    if not name or not column.odd_rows or tells_apart(name):
        return None
    text, why = column.odd_texts[0], ""
    if Commas.matter(text):
        why = ": its comma may begin decimals or group thousands, as others in this file do either"
    elif len(column.odd_rows) > column.numbers:
        return None
    return column.odd_rows[0], f"expected a number in the column {name!r}, got {text[:40]!r}{why}"


def _columns(log: Source, table: Table) -> list[Column]:
    found = []
    for name, column in zip(table.header, table.columns, strict=True):
        if not name:
            continue
        unit = "" if column.numbers or tells_apart(name) else unit_of_all(set(column.odd_texts))
        if unit:
            column.set_odd([found.value for found in map(spelled, column.odd_texts) if found])
            log.notes.append(unit_note(name, unit))
        texts = dict(zip(column.odd_rows, column.odd_texts, strict=True))
        gaps = column.gaps()
        if texts:
            values = column.values()
            for row in np.setdiff1d(np.arange(column.length), gaps, assume_unique=True).tolist():
                texts[row] = f"{values[row]:.12g}"
            gaps = np.arange(column.length)
        found.append(Column(name, column.values(), gaps, texts))
    return found


class _Together:
    """Tables that are parts of one: each goes on where the one above it ended."""

    def __init__(self, log: Source, columns: list[Column]) -> None:
        self._log = log
        self.tables = [columns]
        self._header = [column.name for column in columns]
        self._ends: dict[str, float] = {}  # the last value of each column that counts rows
        self._count_on(columns)

    def add(self, columns: list[Column]) -> bool:
        """Add a table, if it goes on; False if it does not.

        It goes on if both count their rows by the same column, and either their headers are equal
        or its count rises from one to the other.
        """
        lower = {column.name: column for column in columns}
        counter = next((name for name in self._header if name in lower and self._counts(name)), "")
        if not counter:
            return False
        if self._header != [*lower]:
            end, first = self._ends.get(counter), _counted(lower[counter])[:1]
            if end is None or not len(first) or not first[0] > end:
                return False
        self.tables.append(columns)
        self._header = [*dict.fromkeys([*self._header, *lower])]
        self._count_on(columns)
        return True

    def _count_on(self, columns: list[Column]) -> None:
        for column in columns:
            if self._counts(column.name) and len(values := _counted(column)):
                self._ends[column.name] = values[-1]

    def _counts(self, name: str) -> bool:
        return plain_name(name) in (*STEPS, *EPOCHS) or name == self._log.options.coordinate


def _counted(column: Column) -> npt.NDArray[np.float64]:
    missing = np.isnan(column.values)
    return column.values[~missing] if missing.any() else column.values
