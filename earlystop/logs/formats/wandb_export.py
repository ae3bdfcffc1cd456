"""The chart that the pages of Weights & Biases export: runs as columns, `<run> - <metric>`.

Beside each stand `<run> - <metric>__MIN` and `__MAX`, which repeat it. A run is blank in the rows
that others have and it has not. The table of runs, one row a run, is no history and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..log_format import LogFormat
from ..rows import Rows
from ..run import Run
from ..source import Log
from .table import cells, plain_rows, separator_of

__all__ = ["FORMAT"]


def _header(log: Log) -> list[str]:
    lines = log.first_lines
    return cells(lines[0], separator_of(log) or ",") if lines else []


def _is_chart(header: list[str]) -> bool:
    known = set(header)
    pairs = [name for name in header[1:] if " - " in name]
    return (
        bool(pairs)
        and len(pairs) == len(header) - 1
        and any(f"{name}__MIN" in known or f"{name}__MAX" in known for name in pairs)
    )


def _is_list_of_runs(header: list[str]) -> bool:
    known = set(header)
    return "Name" in known and len(known & {"State", "Created", "Runtime", "User", "Sweep"}) >= 2


def _recognise(log: Log) -> bool:
    header = _header(log)
    return _is_chart(header) or _is_list_of_runs(header)


def _read(log: Log) -> Iterator[Run]:
    header = _header(log)
    if not _is_chart(header):
        raise log.wrong(
            "expected a log of metrics, got a table of runs of Weights & Biases, one row a run: "
            "export the chart of a metric, or the history",
            not_a_log=True,
        )
    split = {}
    for name in header[1:]:
        if not name.endswith(("__MIN", "__MAX")):
            split[name] = name.rsplit(" - ", 1)
    runs: dict[str, Rows] = {run: log.rows(run) for run, _ in split.values()}
    counter = header[0]
    for record in plain_rows(log):
        rows: dict[str, dict[str, float]] = {}
        for name, (run, metric) in split.items():
            value = record.get(name)
            if isinstance(value, float):
                rows.setdefault(run, {})[metric] = value
        place = record.get(counter)
        for run, row in rows.items():
            if isinstance(place, float):
                row[counter] = place
            runs[run].add(row)
    for collected in runs.values():
        if collected.length:
            yield collected.run(coordinates=[counter])


FORMAT = LogFormat("wandb_export", _recognise, _read)
