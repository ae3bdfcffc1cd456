"""Records, one an epoch or a row: what JSON, tables and frames come down to.

`runs_of` is where names are given their meaning: a column that tells runs apart, one that says
which part of the data a row is about, and coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import LogError
from .format import LogFormat
from .log import Log
from .run import Rows, Run, is_coordinate, plain_number

__all__ = ["FORMAT", "flat", "runs_of"]

_DEEPEST = 4  # records within records
# Columns that tell runs apart, and those that say which data a row is about, in lower case.
_RUN_COLUMNS = frozenset(
    (
        *("run", "run_id", "run_name", "run_uuid", "runid", "trial", "trial_id", "trial_name"),
        *("fold", "seed", "experiment_id"),
    )
)
_PART_COLUMNS = frozenset(["mode", "phase", "split", "stage", "subset"])
_PARTS = frozenset(
    (
        *("train", "training", "val", "valid", "validation", "test", "testing", "eval"),
        *("evaluation", "dev"),
    )
)


def flat(record: Mapping[Any, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The entries of a record, those of records within it under names with a slash.

    >>> dict(flat({"epoch": 1, "val": {"loss": 0.5, "plot": {"_type": "image-file"}}}))
    {'epoch': 1, 'val/loss': 0.5}
    """
    for name, value in record.items():
        path = f"{above}{str(name).strip()}"
        if isinstance(value, Mapping):
            if "_type" not in value and depth < _DEEPEST:  # a picture, say, of Weights & Biases
                yield from flat(value, f"{path}/", depth + 1)
        else:
            yield path, value


def runs_of(log: Log, records: Iterable[Mapping[Any, Any]]) -> Iterator[Run]:
    """The runs of these rows; what is no number is left out, and rows without a metric are."""
    runs: dict[tuple[str, ...], Rows] = {}
    labels: dict[str, str] = {}
    texts: dict[str, None] = {}
    for record in records:
        values: list[tuple[str, float]] = []
        part, coordinates = "", 0
        for name, value in flat(record):
            number = plain_number(value)
            lower = name.lower()
            if lower in _RUN_COLUMNS and value not in (None, ""):
                labels[name] = f"{number:.12g}" if number is not None else str(value)
            elif number is not None:
                coordinates += is_coordinate(name) or name == log.options.coordinate
                values.append((name, number))
            elif isinstance(value, str):
                if lower in _PART_COLUMNS and value.strip().lower() in _PARTS:
                    part = f"{value.strip()}/"
                elif value:
                    texts[name] = None
        if len(values) == coordinates:
            continue
        key = tuple(labels.values())
        rows = runs.get(key)
        if rows is None:
            if len(runs) >= log.limits.names:
                raise log.wrong(f"more than {log.limits.names:,} runs (see `limits`)")
            rows = runs[key] = log.rows()
        if part:
            values = [(n if is_coordinate(n) else part + n, v) for n, v in values]
        rows.add(values)
    if texts:
        log.notes.append(f"no numbers, left out: {', '.join(texts)}")
    further = [] if log.options.coordinate is None else [log.options.coordinate]
    for key, rows in runs.items():
        if len(runs) > 1:
            rows.name = "/".join(key) or "unnamed"
        yield rows.run(coordinates=further)


def _recognise(log: Log) -> bool:
    document = log.document
    if isinstance(document, dict):  # an epoch alone
        return any(plain_number(value) is not None for value in document.values())
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(record, dict) for record in document)
    )


def _read(log: Log) -> Iterator[Run]:
    document = log.document
    records = [document] if isinstance(document, dict) else document
    if not isinstance(records, list) or not all(isinstance(r, Mapping) for r in records):
        raise LogError("expected a list of records, one an epoch", log.name)
    yield from runs_of(log, records)


FORMAT = LogFormat("records", _recognise, _read, general=True)
