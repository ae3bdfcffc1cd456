"""Records in one JSON document, one per epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...errors import LogError
from ..columns import plain_number
from ..log_format import LogFormat
from ..records import runs_of
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]


def _recognise(log: Source) -> bool:
    document = log.document
    if isinstance(document, dict):  # a single epoch
        return any(plain_number(value) is not None for value in document.values())
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
    yield from runs_of(log, records)


FORMAT = LogFormat("records", _recognise, _read, general=True, order=160)
