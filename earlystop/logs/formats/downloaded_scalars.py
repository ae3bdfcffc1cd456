"""Curves downloaded from TensorBoard's page, as CSV (`Wall time,Step,Value`) or as JSON.

The name of a file is `run-<run>-tag-<tag>.csv`. The files of a folder that have the same run are
one run, with a metric from each file; runs named `train` and `validation` are parts of one, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...language.splits import SPLITS
from ..columns import plain_number
from ..folders import Claim, Folder
from ..known_names import is_metric
from ..log_format import LogFormat
from ..options import Options
from ..rows import Rows
from ..run import Run
from ..source import Source
from .table import plain_rows

__all__ = ["FORMAT"]

_HEADER = ["wall time", "step", "value"]
_NAME = re.compile(r"(?:run-)?(?P<run>.*?)[-_]?tag-(?P<tag>.+)")
_SPLIT = re.compile(rf"(?i)(?P<run>.*?)[_/.-]?(?P<part>{'|'.join(sorted(SPLITS))})")
_EARLIEST = 1e8  # seconds: what is smaller is no time of a clock
_ENDINGS = (".csv", ".json")
_COPY = re.compile(r"(?P<stem>.+) ?\(\d{1,3}\)")  # a browser saves a file of a known name so


def _is_table(log: Source) -> bool:
    return [cell.lower() for cell in log.dialect.header] == _HEADER


def _triples(log: Source) -> list[list[float]] | None:
    """The times, steps and values of JSON: a list of such triples; None for any other."""
    document = log.document
    if not isinstance(document, list) or not document:
        return None
    found = []
    for item in document:
        if not isinstance(item, list) or len(item) != 3:
            return None
        values = [plain_number(value) for value in item]
        if None in values or not (values[0] or 0.0) > _EARLIEST:
            return None
        found.append([value for value in values if value is not None])
    return found


def _without_copy(path: Path) -> str:
    """The name of a file as it was before a browser told it from an earlier one, `loss (1).csv`.

    Where the earlier one is there, both keep their names.
    """
    match = _COPY.fullmatch(path.stem)
    if match is None:
        return path.stem
    stem = match["stem"].rstrip()
    return path.stem if path.with_name(stem + path.suffix).exists() else stem


def _recognise(log: Source) -> bool:
    return _is_table(log) or _triples(log) is not None


def _named(path: Path | None) -> tuple[str, str, str]:
    """The run, the part of the data and the metric, by the name of a file; "" if it has none."""
    stem = "" if path is None else _without_copy(path)
    match = _NAME.fullmatch(stem)
    if match is None:
        return "", "", stem if is_metric(stem) else ""
    split = _SPLIT.fullmatch(match["run"])
    if split is None:
        return match["run"], "", match["tag"]
    return split["run"], f"{split['part']}/", match["tag"]


def _add(rows: Rows, log: Source, metric: str) -> None:
    triples = _triples(log)
    if triples is not None:
        for triple in triples:
            rows.add(dict(zip(("wall_time", "step", metric), triple, strict=True)))
        return
    for record in plain_rows(log):
        found = {name.lower(): value for name, value in record.items()}
        time, step, value = (found.get(name) for name in _HEADER)
        if isinstance(value, float):
            row = {"wall_time": time, "step": step, metric: value}
            rows.add({name: value for name, value in row.items() if isinstance(value, float)})


def _read(log: Source) -> Iterator[Run]:
    rows = log.rows()
    _add(rows, log, _named(log.path)[2] or log.options.value_name)
    yield rows.run(joined=True)


def _claims(folder: Folder) -> Iterator[Claim]:
    runs: dict[str, dict[str, Path]] = {}
    for path in folder.files:
        run, part, metric = _named(path) if path.suffix.lower() in _ENDINGS else ("", "", "")
        if metric and _recognise(Source(str(path), folder.options, path=path)):
            runs.setdefault(run, {})[part + metric] = path
    for run, files in runs.items():
        if len(files) > 1:
            yield _claim(folder.path, run, files, folder.options)


def _claim(top: Path, run: str, files: dict[str, Path], options: Options) -> Claim:
    def read(log: Source) -> Iterator[Run]:
        rows = log.rows(run or None)
        for metric, path in files.items():
            part = Source(str(path), options, path=path)
            _add(rows, part, metric)
            log.damage = log.damage or part.damage
        yield rows.run(joined=True)

    return Claim(top, list(files.values()), FORMAT.name, read)


FORMAT = LogFormat("downloaded_scalars", _recognise, _read, order=125, claim_folder=_claims)
