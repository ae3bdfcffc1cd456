"""mljar's `learner_fold_0_training.log`: rows of iteration, training and validation, no header."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..columns import number
from ..log_format import LogFormat
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]

_NAME = re.compile(r"learner_fold_\d+(_sample_\d+)?_training\.log")
_COLUMNS = ("iteration", "train", "validation")


def _values(line: str) -> list[float] | None:
    """The numbers of a line; None if it does not have three."""
    cells = line.split(",")
    if len(cells) != len(_COLUMNS):
        return None
    try:
        values = [number(cell) for cell in cells]
    except ValueError:
        return None
    return [value for value in values if value is not None]


def _recognise(log: Source) -> bool:
    if log.path is None or not _NAME.fullmatch(log.path.name):
        return False
    return bool(log.first_lines) and len(_values(log.first_lines[0]) or ()) == len(_COLUMNS)


def _read(log: Source) -> Iterator[Run]:
    rows = log.rows()
    for line_number, line in log.lines():
        values = _values(line)
        if values is None or len(values) != len(_COLUMNS):
            log.damaged(
                f"expected {', '.join(_COLUMNS)}, got {line.strip()[:60]!r}", f"line {line_number}"
            )
            break
        rows.add(dict(zip(_COLUMNS, values, strict=True)))
    yield rows.run()


FORMAT = LogFormat("mljar", _recognise, _read, order=177)
