"""mmengine's `scalars.json` and mmcv's `.log.json`: JSON lines of training and validation rows.

mmengine: `step` is the iteration in training rows, but the epoch in validation rows. mmcv: `mode`
distinguishes the rows; `iter` restarts with each epoch, and is the number of batches in validation
rows. -1 stands for an undefined average precision.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..columns import is_coordinate
from ..log_format import LogFormat
from ..records import runs_of
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]

_PRECISION = re.compile(r"(^|[/_ ])(m?A[PR])(?![a-z])")


def _is_training(record: Mapping[str, Any]) -> bool:
    if record.get("mode") == "train":
        return "iter" in record and "epoch" in record
    return (
        "mode" not in record
        and record.get("iter") is not None
        and (record["iter"] == record.get("step"))
    )


def _recognise(log: Source) -> bool:
    return any(map(_is_training, log.first_records)) and log.has_lines


def _read(log: Source) -> Iterator[Run]:
    yield from runs_of(log, _records(log))


def _records(log: Source) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    epoch = step = None
    missing: dict[str, None] = {}
    for _, record in log.records():
        row = {
            name: value for name, value in record.items() if not _is_missing(name, value, missing)
        }
        mode = row.pop("mode", None)
        if not any(isinstance(value, (int, float)) for value in row.values()):
            continue  # the configuration of the run, say
        if mode == "val":
            row.pop("iter", None)
            row = {
                n if n not in seen or is_coordinate(n) else f"val/{n}": v for n, v in row.items()
            }
        elif _is_training(record):
            epoch, step = record.get("epoch"), record.get("step")
            if mode:
                seen.update(row)
        elif "epoch" not in row and row.get("step") != step and epoch is not None:
            row["epoch"] = row.pop("step", None)
        yield row
    if missing:
        log.notes.append(
            f"-1, which is not a valid value, is taken for a gap: {', '.join(missing)}"
        )


def _is_missing(name: str, value: Any, missing: dict[str, None]) -> bool:
    if value == -1 and not isinstance(value, bool) and _PRECISION.search(name):
        missing[name] = None
        return True
    return False


FORMAT = LogFormat("mmengine", _recognise, _read, order=120)
