"""The header of a text table."""

from __future__ import annotations

from .dialect import is_number
from .records import few
from .source import Source

__all__ = ["names_in_header"]


def names_in_header(log: Source, row: list[str], line: int) -> list[str]:
    """The names of the columns: those that stand twice get a number, as in `loss.1`.

    Raises LogError for a header of numbers, and for one of more columns than the limits allow.
    """
    if row and not row[-1]:
        row = row[:-1]  # a separator at the end of each line
    if row and (not row[0] or row[0] == "Unnamed: 0"):
        row = ["index", *row[1:]]  # the index of a data frame
    if not row or all(map(is_number, row)):
        raise log.wrong(
            "expected a header with the names of the columns, got numbers: add one, or read it "
            "with numpy.loadtxt and pass {'loss': array}",
            f"line {line}",
        )
    if len(row) > log.limits.names:
        raise log.wrong(f"more than {log.limits.names:,} columns (see `limits`)", f"line {line}")
    return _different(log, row)


def _different(log: Source, row: list[str]) -> list[str]:
    taken, names, renamed = set(row), dict[str, None](), []
    for written in row:
        name, number = written, 0
        while (name and name in names) or (number and name in taken):
            number += 1
            name = f"{written}.{number}"
        if number:
            taken.add(name)
            renamed.append(name)
        names[name or f"\0{len(names)}"] = None
    if renamed:
        log.notes.append(f"columns of one name, told apart: {few(renamed)}")
    return ["" if name.startswith("\0") else name for name in names]
