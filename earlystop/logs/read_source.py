"""`ReadSource`: what was read from one source."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import LogError
from .run import Run

__all__ = ["ReadSource"]


@dataclass
class ReadSource:
    """What was read from one source.

    source: its name.
    parts: the parts of its path.
    found: whether it was found in a folder, where not all files are logs.
    format: the name of its format.
    runs: the runs in it.
    notes: notes for the report.
    error: why it, or the rest of it, was skipped.
    """

    source: str
    parts: tuple[str, ...]
    found: bool = False
    format: str = ""
    runs: list[Run] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: LogError | None = None

    def leave_out(self, runs: list[Run], why: str) -> None:
        """Leave runs out, and note why."""
        if runs:
            left = set(map(id, runs))
            self.runs = [run for run in self.runs if id(run) not in left]
            self.notes.append(f"{why}: left out")
