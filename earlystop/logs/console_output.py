"""The console output of a run, which often lies beside its log in a folder: only the log counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import LogError
from .read_source import ReadSource

__all__ = ["leave_out_console_output"]

_PRINTED = ("printed", "boxes", "yolo")  # the names of the formats


def leave_out_console_output(reads: Sequence[ReadSource]) -> None:
    """Leave out what was printed beside another log, in the same folder of a run or below it.

    It would count twice, with rounded values. Only what was found in a folder is passed.
    """
    printed = [read for read in reads if read.format in _PRINTED and read.runs]
    if not printed:
        return
    logs: dict[Path, str] = {}
    for read in reads:
        if read.runs and read.format not in _PRINTED:
            for above in Path(read.source).parents:
                logs.setdefault(above, read.source)
    for read in printed:
        beside = logs.get(Path(read.source).parent)
        if beside is not None:
            read.runs = []
            read.error = LogError(
                f"console output beside another log ({beside}): left out; to read it, name the "
                "file",
                read.source,
                not_a_log=True,
            )
