"""Records in one JSON document, one per epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...errors import LogError
from ..columns import is_coordinate, plain_number
from ..known_names import is_metric
from ..log_format import LogFormat
from ..records import runs_of
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]


def _recognise(log: Source) -> bool:
    document = log.document
    if isinstance(document, dict):  # a single epoch, rather than settings
        numbers = [name for name, value in document.items() if plain_number(value) is not None]
        known = any(is_coordinate(str(n)) or is_metric(str(n)) for n in numbers[:1000])
        return known or (bool(numbers) and log.value is not None)
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(record, dict) for record in document)
    )


def _read(log: Source) -> Iterator[Run]:
    document = log.document
    records = [document] if isinstance(document, dict) else document
    if not isinstance(records, list) or not all(isinstance(r, Mapping) for r in records):
        raise LogError("expected a list of records, one per epoch", log.name)
    if len(records) == 1 and log.value is None:
        log.notes.append("a single record: a run of one epoch, or the final figures of one")
    yield from runs_of(log, records)


FORMAT = LogFormat("records", _recognise, _read, general=True, order=160)
