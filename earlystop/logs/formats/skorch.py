"""skorch's `history.json`: a list of epochs, each with a list of its batches.

Beside the metrics are flags: which are the best so far (`valid_loss_best`), and events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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
    yield from runs_of(log, map(_metrics, log.document))


def _metrics(epoch: Mapping[str, Any]) -> dict[str, Any]:
    """An epoch without its batches and flags."""
    return {n: v for n, v in epoch.items() if n != "batches" and not isinstance(v, bool)}


FORMAT = LogFormat("skorch", _recognise, _read, order=70)
