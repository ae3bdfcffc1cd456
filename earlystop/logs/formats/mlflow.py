"""MLflow's file store: `<experiment>/<run>/metrics/<name>`, lines of `timestamp value step`.

If no step was given, all steps are 0; then the order of the lines and their times count. Names with
a slash are folders within `metrics`.
"""

from __future__ import annotations

import heapq
import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path

from ..columns import number
from ..folders import Claim, Folder
from ..log_format import LogFormat
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]

_LINE = re.compile(r"(\d{9,19}) (\S+)(?: (-?\d{1,18}))?(?: .*)?")
Value = tuple[float, float, float | None]  # time, value, step


def _values(log: Source) -> list[Value]:
    values: list[Value] = []
    for line_number, line in log.lines():
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        try:
            value = number(match[2]) if match else None
        except ValueError:
            value = None
        if match is None or value is None:
            log.damaged(
                f"expected a line `timestamp value step`, got {line.strip()[:60]!r}",
                f"line {line_number}",
            )
            break
        values.append((float(match[1]), value, float(match[3]) if match[3] else None))
    return values


def _run(log: Source, metrics: dict[str, list[Value]], name: str | None) -> Run:
    """The run of these metrics, in logging order."""
    rows = log.rows(name)
    stepped = any(len({step for *_, step in values}) > 1 for values in metrics.values())
    lists = [
        [(time, index, metric, value) for time, value in zip(_rising(values), values, strict=True)]
        for index, (metric, values) in enumerate(metrics.items())
    ]
    for time, _, metric, (_, value, step) in heapq.merge(*lists, key=lambda item: item[:2]):
        row = {metric: value, "timestamp": time / 1000}  # seconds, as everywhere
        if step is not None and not (stepped and len(metrics[metric]) == 1 and step == 0):
            row["step"] = step
        rows.add(row)
    return rows.run(joined=True)


def _rising(values: list[Value]) -> list[float]:
    """The times, made non-decreasing if a clock was set back, so that lines stay in order."""
    return list(itertools.accumulate((time for time, *_ in values), max, initial=-math.inf))[1:]


def _name_of(path: Path | None) -> str:
    """The name of a metric: the part of its path after `metrics`."""
    if path is None:
        return ""
    parts = path.parts
    if "metrics" in parts[:-1]:
        last = len(parts) - 1 - parts[::-1].index("metrics")
        return "/".join(parts[last + 1 :])
    return path.name


def _recognise(log: Source) -> bool:
    lines = log.first_lines[:3]
    return bool(lines) and all(_LINE.fullmatch(line.strip()) for line in lines)


def _read(log: Source) -> Iterator[Run]:
    yield _run(log, {_name_of(log.path) or log.options.value_name: _values(log)}, None)


def _claims(folder: Folder) -> Iterator[Claim]:
    """The folder of a run contains `metrics`; the user may also pass `metrics` itself."""
    own = folder.path.name == "metrics" and folder.path == folder.root
    if not own and not (
        ("metrics" in folder.folders() and {"params", "tags"} & set(folder.folders()))
        or ("metrics" in folder.folders() and any(f.name == "meta.yaml" for f in folder.files))
    ):
        return
    top = folder.path if own else folder.path / "metrics"
    files = folder.files_below(None if own else "metrics")
    if not files or not all(_recognise(Source(str(f), folder.options, path=f)) for f in files[:1]):
        return
    name, notes = _described(folder)

    def read(log: Source) -> Iterator[Run]:
        metrics = {}
        for path in files:
            part = Source(str(path), folder.options, path=path)
            metrics["/".join(path.relative_to(top).parts)] = _values(part)
            log.damage = log.damage or part.damage
        yield _run(log, {key: values for key, values in metrics.items() if values}, name)

    aside = [path for path in folder.files if path.name == "meta.yaml"]
    yield Claim(folder.path, [*files, *aside], FORMAT.name, read, notes)


def _described(folder: Folder) -> tuple[str | None, list[str]]:
    """The name of a run, from its description, and notes about it."""
    name, notes = None, []
    for path in folder.files:
        if path.name == "meta.yaml":
            for line in Source(str(path), folder.options, path=path).first_lines:
                key, _, value = line.partition(":")
                if key == "run_name" and value.strip(" '\"") not in ("", "null"):
                    name = value.strip(" '\"")[:200]
                if key == "lifecycle_stage" and value.strip() == "deleted":
                    notes.append("deleted in MLflow")
    return name, notes


FORMAT = LogFormat("mlflow", _recognise, _read, order=170, claim_folder=_claims)
