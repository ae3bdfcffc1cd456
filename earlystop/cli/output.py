"""What commands print: JSON and CSV for machines, lines for people. Tables are in `tables.py`."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from .._text import one_line
from ..language.state import number_to_json

__all__ = ["Machine", "say", "write_csv", "write_json"]

Machine = str | None  # "json", "csv", or None: for people


def say(text: str = "") -> None:
    """Print a line."""
    click.echo(one_line(text))


def write_json(data: Mapping[str, Any]) -> None:
    """Print an object as JSON: NaN and the infinities as text, as everywhere in the project."""
    json.dump(_plain(data), sys.stdout, allow_nan=False, indent=2, ensure_ascii=True)
    click.echo()


def write_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as CSV with a header: nothing for None, true and false, nan and inf as text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)


def _plain(value: Any) -> Any:
    """The value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return number_to_json(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return repr(value)  # a rule, as one writes it


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return number_to_json(value)
    return value
