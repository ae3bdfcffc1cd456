"""What commands print about what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .._text import count, one_line
from .extent import LoggedExtent

if TYPE_CHECKING:
    from ..history.history import History

__all__ = ["files_of", "print_notes", "print_skipped", "report_of"]

_FEW_NOTES = 10


def files_of(history: History) -> list[Any]:
    """The reports on the files that a history was read from."""
    return [] if history.report is None else list(history.report.files)


def report_of(history: History) -> dict[str, Any]:
    """What was read, as JSON data."""
    files, read = {}, history.runs
    if history.report is not None:
        files = history.report.to_dict()
        read = sum(len(file.runs) for file in history.report.files)
    return {
        "runs": history.runs,
        "runs_left_out": read - history.runs,
        **LoggedExtent(history).totals(),
        "metrics": list(history.metrics),
        **files,
    }


def print_notes(history: History) -> None:
    """Say on the error output what reading left out, merged or reordered, each note once."""
    sources: dict[str, list[str]] = {}
    for file in files_of(history):
        for note in file.notes:
            sources.setdefault(note, []).append(file.source)
    for note, names in list(sources.items())[:_FEW_NOTES]:
        more = f" and {count(len(names) - 1, 'more file')}" if len(names) > 1 else ""
        click.echo(one_line(f"{names[0]}{more}: {note}"), err=True)
    if len(sources) > _FEW_NOTES:
        click.echo(
            f"and {count(len(sources) - _FEW_NOTES, 'more note')}: `earlystop metrics` lists them",
            err=True,
        )


def print_skipped(history: History) -> None:
    """Report on the error output how many logs were left out."""
    skipped = [] if history.report is None else history.report.skipped
    if skipped:
        click.echo(
            one_line(f"{count(len(skipped), 'log')} left out, in whole or in part"), err=True
        )
