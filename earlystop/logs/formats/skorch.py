"""skorch's `history.json`: a list of epochs, each with a list of its batches."""

from __future__ import annotations

from collections.abc import Iterator

from ..log_format import LogFormat
from ..records import runs_of
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]


def _recognise(log: Source) -> bool:
    document = log.document
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(e, dict) and isinstance(e.get("batches"), list) for e in document)
    )


def _read(log: Source) -> Iterator[Run]:
    if not _recognise(log):
        raise log.wrong("expected a JSON list of epochs, each with its batches")
    yield from runs_of(log, log.document)


FORMAT = LogFormat("skorch", _recognise, _read, order=70)
