"""How the tests of logs write and read them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import earlystop as es


def read(text: str | bytes, **options: Any) -> es.History:
    return es.read_history(io.BytesIO(text.encode() if isinstance(text, str) else text), **options)


def logged(history: es.History, name: str, run: int = 0) -> list[float]:
    """The values of a metric as they were logged, gaps left out."""
    return [record[name] for record in history.records(run) if name in record]


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path
