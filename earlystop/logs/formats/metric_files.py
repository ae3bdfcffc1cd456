"""Folders with a table per metric, as DVCLive writes them: `plots/metrics/train/loss.tsv`.

Each table has a column that counts its rows and one named as the file. Folders between name the
part of the data, and become part of the name of the metric: `train/loss`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...language.splits import SPLITS
from ..columns import is_coordinate
from ..folders import Claim, Folder
from ..log_format import LogFormat
from ..options import Options
from ..run import Run
from ..source import Source
from .table import plain_rows

__all__ = ["FORMAT"]

_TOPS = ("plots/metrics", "scalars")  # of DVCLive, newer and older
_SUMMARIES = ("metrics.json", "dvclive.json")


def _metric(log: Source) -> str | None:
    """The metric of a table that has only one, named as the file; None for any other."""
    if log.path is None or log.path.suffix != ".tsv":
        return None
    header = log.dialect.header
    others = [name for name in header if not is_coordinate(name)]
    if len(others) != 1 or len(header) < 2 or not _is_named(log.path, others[0]):
        return None
    return others[0]


def _is_named(path: Path, metric: str) -> bool:
    """Does the path end with the name of the metric, of which slashes may have become folders?"""
    parts = [part for part in metric.split("/") if part]
    return bool(parts) and [*path.parts[:-1], path.stem][-len(parts) :] == parts


def _read(log: Source) -> Iterator[Run]:
    metric = _metric(log)
    if metric is None or log.path is None:
        raise log.wrong("expected a table of one metric, named as the file")
    yield _run(log, {metric: log.path}, log.options)


def _run(log: Source, files: dict[str, Path], options: Options) -> Run:
    rows = log.rows()
    for name, path in files.items():
        part = Source(str(path), options, path=path)
        own = _metric(part)
        for record in plain_rows(part):
            values = {
                (name if key == own else key): value
                for key, value in record.items()
                if isinstance(value, float) and (key == own or is_coordinate(key))
            }
            if name in values:
                rows.add(values)
        log.damage = log.damage or part.damage
    return rows.run(joined=True)


def _claims(folder: Folder) -> Iterator[Claim]:
    for top in _TOPS:
        if (folder.path / top).is_dir():
            yield from _claim(folder, folder.path / top, folder.files_below(top))
            return
    parts = [name for name in folder.folders() if name.lower() in SPLITS]
    files = [*folder.files, *(path for name in parts for path in folder.files_in(name))]
    yield from _claim(folder, folder.path, files)


def _claim(folder: Folder, top: Path, files: Sequence[Path]) -> Iterator[Claim]:
    found = {}
    for path in files:
        if path.suffix == ".tsv":
            log = Source(str(path), folder.options, path=path)
            if _metric(log) is not None and len(log.first_lines) > 1:
                found["/".join(path.relative_to(top).with_suffix("").parts)] = path
    if not found or (len(found) == 1 and top == folder.path):
        return

    def read(log: Source) -> Iterator[Run]:
        yield _run(log, found, folder.options)

    aside = [path for path in folder.files if path.name in _SUMMARIES]
    yield Claim(folder.path, [*found.values(), *aside], FORMAT.name, read)


FORMAT = LogFormat(
    "metric_files", lambda log: _metric(log) is not None, _read, order=176, claim_folder=_claims
)
