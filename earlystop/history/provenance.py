"""`Report`: what `read_history` read from each file, and what it left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["FileReport", "Report"]


@dataclass(frozen=True)
class FileReport:
    """What was read from one source.

    source: the path of the file, or another name.
    format: the name of its format; "" if it is not a log, or a folder in which files were passed
        over.
    runs: the names of the runs it contained.
    notes: what to know about these runs, one sentence each.
    error: why it, or the rest of it, was skipped; "" if it was read to the end.
    """

    source: str
    format: str = ""
    runs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""

    def __str__(self) -> str:
        runs = f"{len(self.runs):,} run{'s' if len(self.runs) != 1 else ''}"
        head = f"{self.source}: {self.format}, {runs}" if self.format else self.source
        if self.error and not self.format:
            head += ": no log"
        parts = [head, *self.notes, *([f"skipped: {self.error}"] if self.error else [])]
        return "\n  ".join(parts)


@dataclass(frozen=True)
class Report:
    """What `read_history` read.

    files: one FileReport per source.
    modes: the directions that logs state for their metrics, "min" or "max", by name.

    >>> import earlystop as es
    >>> print(es.read_history([{"epoch": 0, "loss": 0.5}, {"epoch": 1, "loss": 0.4}]).report)
    records: records, 1 run
    """

    files: tuple[FileReport, ...]
    modes: dict[str, str] = field(default_factory=dict)

    @property
    def skipped(self) -> tuple[FileReport, ...]:
        """The sources that were skipped, in whole or in part."""
        return tuple(file for file in self.files if file.error)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON data."""
        files = [
            {
                "source": file.source,
                "format": file.format,
                "runs": list(file.runs),
                "notes": list(file.notes),
                "error": file.error,
            }
            for file in self.files
        ]
        return {"files": files, "modes": dict(self.modes)}

    def __str__(self) -> str:
        return "\n".join(map(str, self.files))
