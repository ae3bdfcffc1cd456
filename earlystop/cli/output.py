"""What commands print: tables for people, JSON and CSV for machines."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from .._text import one_line
from ..language.state import number_to_json

__all__ = ["Machine", "print_table", "say", "write_csv", "write_json"]

_WIDEST = 10_000
_NARROWEST = 16  # characters of a column of text, before what does not fit is cut off

Machine = str | None  # "json", "csv", or None: for people


def say(text: str = "") -> None:
    """Print a line."""
    click.echo(one_line(text))


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    title: str | None = None,
    caption: str | None = None,
) -> None:
    """Print a table: text to the left where a heading begins with "<", else to the right."""
    from rich.box import ASCII2, SIMPLE_HEAD
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    console = _console()
    table = Table(
        title=None if title is None else Text(one_line(title)),
        caption=None if caption is None else Text(one_line(caption)),
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD if console.encoding.lower().startswith("utf") else ASCII2,
        padding=(0, 0, 0, 2),
        pad_edge=False,
        show_edge=False,
    )
    rows = [[one_line(cell) for cell in row] for row in rows]
    longest = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
    longest = longest or [0] * len(headings)
    for index, heading in enumerate(headings):
        left = heading.startswith("<")
        table.add_column(
            heading.lstrip("<"),
            justify="left" if left else "right",
            no_wrap=not left,
            overflow="fold",
            min_width=min(_NARROWEST, longest[index]) if left else None,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    whole = Measurement.get(console, console.options.update(width=_WIDEST), table)
    if whole.maximum > console.width:
        table.padding = (0, 0, 0, 1)
    console.print(table)
    console.print()


def _console() -> Any:
    from rich.console import Console

    class Quiet(Console):
        """A console that leaves a broken pipe to the group of commands."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Quiet(markup=False, highlight=False, emoji=False)


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
