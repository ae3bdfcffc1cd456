"""SQLite databases: the storage of Optuna (a run per trial) and of MLflow (a run per run)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..log_format import LogFormat
from ..rows import Rows
from ..run import Run
from ..source import Source

if TYPE_CHECKING:
    import sqlite3

__all__ = ["FORMAT"]

_MAGIC = b"SQLite format 3\0"
_SPECIAL = {"NAN": math.nan, "INF_POS": math.inf, "INF_NEG": -math.inf}


@dataclass(frozen=True)
class _Schema:
    """The tables of a tool, and what is asked of them.

    rows: selects the id of the run, the metric, the step, the time, the value and a text for a
        special value, in the order in which they were logged.
    names: selects the id of the run, its name and the direction of its metric.
    """

    tables: frozenset[str]
    rows: str
    names: str


_OPTUNA = _Schema(
    frozenset(("studies", "trials", "trial_intermediate_values", "study_directions")),
    "SELECT trial_id, NULL, step, NULL, intermediate_value, intermediate_value_type "
    "FROM trial_intermediate_values ORDER BY trial_id, step",
    "SELECT t.trial_id, s.study_name || ' ' || t.number, "
    "(SELECT min(d.direction) FROM study_directions d WHERE d.study_id = t.study_id) "
    "FROM trials t JOIN studies s ON s.study_id = t.study_id",
)
_MLFLOW = _Schema(
    frozenset(("runs", "metrics", "experiments")),
    "SELECT run_uuid, key, step, timestamp, value, CASE WHEN is_nan THEN 'NAN' END "
    "FROM metrics ORDER BY run_uuid, timestamp, step",
    "SELECT run_uuid, name, NULL FROM runs",
)
_SCHEMAS = (_OPTUNA, _MLFLOW)
_MODES = {"MINIMIZE": "min", "MAXIMIZE": "max"}


@contextlib.contextmanager
def _connected(log: Source) -> Iterator[sqlite3.Connection]:
    """The database, opened for reading alone. Raises LogError for what is none."""
    if log.path is None:
        raise log.wrong("an SQLite database is read from its file: pass its path")
    import sqlite3  # slow, and some builds of Python have none

    wal = log.path.with_name(f"{log.path.name}-wal")
    unchanging = "" if wal.exists() else "&immutable=1"  # then no file is made beside it
    address = f"file:{quote(str(log.path.absolute()))}?mode=ro{unchanging}"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            yield database
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise log.wrong(f"expected a database of SQLite: {error!s:.200}") from None


def _schema(log: Source, database: sqlite3.Connection) -> _Schema:
    # Only tables: a view would be a program.
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    tables = {str(name) for (name,) in found}
    for schema in _SCHEMAS:
        if schema.tables <= tables:
            return schema
    raise log.wrong(
        "an SQLite database, but not one of Optuna or MLflow: export its metrics as CSV",
        not_a_log=True,
    )


def _read(log: Source) -> Iterator[Run]:
    with _connected(log) as database:
        schema = _schema(log, database)
        about = {key: (name, mode) for key, name, mode in database.execute(schema.names)}
        runs: dict[Any, Rows] = {}
        for key, *cells in database.execute(schema.rows):
            rows = runs.get(key)
            if rows is None:
                rows = runs[key] = log.rows(str(about.get(key, (None,))[0] or key)[:200])
            row = _row(log, *cells)
            if row is not None:
                rows.add(row)
    if not runs:
        raise log.wrong("no metric was logged into this database", not_a_log=True)
    for key, rows in runs.items():
        run = rows.run(joined=schema is _MLFLOW)
        mode = _MODES.get(str(about.get(key, (None, None))[1]))
        run.modes = {log.options.value_name: mode} if mode else {}
        yield run


def _row(
    log: Source, metric: Any, step: Any, time: Any, value: Any, special: Any
) -> dict[str, float] | None:
    """One value with its step and time; None if there is no value."""
    found = _SPECIAL.get(str(special), value)
    if not isinstance(found, (int, float)):
        return None
    row = {log.options.value_name if metric is None else str(metric): float(found)}
    for name, counter in (("step", step), ("timestamp", time)):
        if isinstance(counter, (int, float)):
            row[name] = float(counter)
    return row


FORMAT = LogFormat("sqlite", lambda log: log.head.startswith(_MAGIC), _read, general=True, order=5)
