"""Parsing JSON, with a ValueError for every kind of failure."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

__all__ = ["NoDocument", "broken_start", "no_document", "parsed", "scanned"]


_TOKEN = 16  # characters that the longest word or escape of JSON takes


class NoDocument(NamedTuple):
    """The document of a source that is not one JSON document.

    error: why it is not; "" if it does not begin like one.
    position: the position of the error.
    """

    error: str = ""
    position: str = ""


def no_document(error: json.JSONDecodeError) -> NoDocument:
    """The `NoDocument` for an error of the parser."""
    return NoDocument(error.msg, f"line {error.lineno} column {error.colno}")


def broken_start(text: str) -> NoDocument | None:
    """What is wrong with the beginning of a JSON text, other than that it is not all of it."""
    try:
        parsed(text)
    except json.JSONDecodeError as error:
        told = error.pos < len(text) - _TOKEN and "Unterminated" not in error.msg
        return no_document(error) if told else None
    except ValueError as error:
        return NoDocument(str(error))
    return None


_scan: Any = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # not in its stubs


def scanned(text: str) -> tuple[Any, int]:
    """The value at the very beginning of a text, and where it ends; for many short texts.

    Raises ValueError, and StopIteration where no value begins.
    """
    try:
        found: tuple[Any, int] = _scan(text, 0)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    return found


def parsed(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, also for text that is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
