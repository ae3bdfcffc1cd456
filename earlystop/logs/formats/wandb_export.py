"""Charts exported from the web pages of Weights & Biases: columns `<run> - <metric>`.

Next to each column are `<run> - <metric>__MIN` and `__MAX`, which repeat it. The cells of a run are
empty in rows that only other runs have. The table of runs, with one row per run, is not a history
and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..log_format import LogFormat
from ..rows import Rows
from ..run import Run
from ..source import Source
from .table import plain_rows

__all__ = ["FORMAT"]


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


def _recognise(log: Source) -> bool:
    if not any(" - " in line or "Name" in line for line in log.first_lines[:1]):
        return False
    header = log.dialect.header
    return _is_chart(header) or _is_list_of_runs(header)


def _rows_by_run(
    record: Mapping[str, Any], columns: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """The values in one row of the table, by run and metric."""
    rows: dict[str, dict[str, float]] = {}
    for name, (run, metric) in columns.items():
        value = record.get(name)
        if isinstance(value, float):
            rows.setdefault(run, {})[metric] = value
    return rows


def _read(log: Source) -> Iterator[Run]:
    header = log.dialect.header
    if not _is_chart(header):
        raise log.wrong(
            "expected a log of metrics, got a table of runs of Weights & Biases, one row per run: "
            "export the chart of a metric, or the history",
            not_a_log=True,
        )
    columns = {
        name: name.rsplit(" - ", 1) for name in header[1:] if not name.endswith(("__MIN", "__MAX"))
    }
    runs: dict[str, Rows] = {run: log.rows(run) for run, _ in columns.values()}
    counter = header[0]
    for record in plain_rows(log):
        step = record.get(counter)
        for run, row in _rows_by_run(record, columns).items():
            if isinstance(step, float):
                row[counter] = step
            runs[run].add(row)
    for collected in runs.values():
        if collected.length:
            yield collected.run(coordinates=[counter])


FORMAT = LogFormat("wandb_export", _recognise, _read, order=180)
