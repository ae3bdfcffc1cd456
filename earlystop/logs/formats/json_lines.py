"""JSON lines, one record per line: detectron2, wandb-history.jsonl, and other tools."""

from __future__ import annotations

from collections.abc import Iterator

from ..json_columns import run_of_lines
from ..log_format import LogFormat
from ..records import runs_of
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]


def _recognise(log: Source) -> bool:
    return len(log.first_records) > 0 and log.has_lines


def _read(log: Source) -> Iterator[Run]:
    run = run_of_lines(log)
    if run is not None:
        yield run
    else:
        yield from runs_of(log, (record for _, record in log.records()))


FORMAT = LogFormat("json_lines", _recognise, _read, general=True, order=130)
