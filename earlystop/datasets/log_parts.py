"""Parts of a data set that are files or folders of logs, read by `read_history`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from ..errors import LogError
from ..history.history import History
from ..history.joining import joined
from ..logs.discover import is_one_log
from ..logs.passed_over import PassedOver
from ..logs.read import read_history
from ..logs.walking import natural
from .parts import with_gaps
from .storage import is_address, opened, size_of

__all__ = ["Log", "LogPart", "parts_of_logs"]

_BYTES_PER_ROW = 8  # of a log, roughly


class Log(NamedTuple):
    """A file or a folder of logs.

    name: of its run; the names of several runs come after it.
    found: whether it was found in a folder, where not everything is a log.
    """

    path: str
    name: str
    found: bool


@dataclass(frozen=True)
class LogPart:
    """Some files and folders of logs.

    metrics: those to keep; None for all. options: of `read_history`. rows: how many there are,
        roughly.
    """

    logs: tuple[Log, ...]
    metrics: tuple[str, ...] | None
    options: tuple[tuple[str, Any], ...]
    rows: int

    def read(self, metrics: frozenset[str] | None) -> History | None:
        """See `Part`. Raises what `read_history` raises."""
        histories = [history for log in self.logs if (history := self._of(log)) is not None]
        if not histories:
            return None
        wanted = self.metrics if metrics is None else tuple(sorted(metrics))
        return with_gaps(joined(histories), wanted)

    def _of(self, log: Log) -> History | None:
        """The runs in a file or a folder, named after it; None for a file without any."""
        try:
            with _source(log.path) as source:
                history = read_history(source, **dict(self.options))
        except LogError as error:
            if log.found and error.not_a_log:
                return None
            raise
        if history.runs == 1:
            return history.renamed([log.name])
        return history.renamed([f"{log.name}: {name}" for name in history.names])

    def __str__(self) -> str:
        more = f" and {len(self.logs) - 1:,} more" if len(self.logs) > 1 else ""
        return f"{self.logs[0].path}{more}"


@contextlib.contextmanager
def _source(path: str) -> Iterator[Any]:
    """What `read_history` takes for a path, or for the address of a file."""
    if not is_address(path):
        yield path
        return
    with opened(path) as file:
        yield file


def parts_of_logs(
    paths: Sequence[str],
    metrics: tuple[str, ...] | None,
    rows: int,
    options: Mapping[str, Any],
) -> tuple[LogPart, ...]:
    """Parts of about `rows` rows each, of files and of folders that are each read as a whole."""
    logs = [log for path in paths for log in _logs_in(path)]
    root = os.path.commonpath([os.path.dirname(log.path) for log in logs]) if logs else ""
    settings = tuple(options.items())
    parts: list[LogPart] = []
    taken: list[Log] = []
    size = 0
    for log in logs:
        bytes_of_log = size_of(log.path)
        if taken and size + bytes_of_log > rows * _BYTES_PER_ROW:
            parts.append(LogPart(tuple(taken), metrics, settings, size // _BYTES_PER_ROW))
            taken, size = [], 0
        taken.append(log._replace(name=_name(log.path, root)))
        size += bytes_of_log
    if taken:
        parts.append(LogPart(tuple(taken), metrics, settings, size // _BYTES_PER_ROW))
    return tuple(parts)


def _logs_in(path: str) -> Iterator[Log]:
    """The logs of a path that can be read each by itself."""
    if is_address(path) or not os.path.isdir(path):
        yield Log(path, "", False)
        return
    if is_one_log(Path(path)):
        yield Log(path, "", False)
        return
    passed_over = PassedOver()
    with os.scandir(path) as entries:
        inside = sorted(entries, key=lambda entry: natural(entry.name))
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            searched = not entry.name.startswith(".") and entry.name != "__pycache__"
        else:
            searched = entry.is_file(follow_symlinks=False) and not passed_over.takes(entry.name)
        if searched:
            yield Log(entry.path, "", True)


def _name(path: str, root: str) -> str:
    """The name of a log among others: its path below the folder that they share."""
    below = PurePath(path[len(root) :].strip("/\\"))
    while below.suffix.lower() in _ENDINGS:
        below = below.with_suffix("")
    return below.as_posix()


_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".log", ".npy", ".gz", ".parquet")
