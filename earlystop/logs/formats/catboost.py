"""CatBoost's `catboost_training.json`, or `learn_error.tsv` and `test_error.tsv` in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..columns import plain_number
from ..folders import Claim, Folder
from ..log_format import LogFormat
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]


def _recognise(log: Source) -> bool:
    document = log.document
    return (
        isinstance(document, dict)
        and isinstance(document.get("iterations"), list)
        and isinstance(document.get("meta"), dict)
    )


def _sets(log: Source, meta: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of the metrics of each data set, in the order of their values."""
    sets: dict[str, list[str]] = {}
    for kind in ("learn", "test"):
        described = meta.get(f"{kind}_metrics") or []
        named = meta.get(f"{kind}_sets") or [kind]
        if not isinstance(described, list) or not isinstance(named, list):
            raise log.wrong(f"expected lists in meta, as {kind}_metrics and {kind}_sets")
        metrics = [m.get("name") if isinstance(m, dict) else m for m in described]
        for name in named:
            sets[str(name)] = [str(metric) for metric in metrics]
    return sets


def _modes(meta: Mapping[str, Any]) -> dict[str, str]:
    modes = {}
    for metric in [*(meta.get("learn_metrics") or []), *(meta.get("test_metrics") or [])]:
        best = metric.get("best_value") if isinstance(metric, dict) else None
        if best in ("Min", "Max"):
            modes[str(metric.get("name"))] = best.lower()
    return modes


def _row(
    log: Source, record: Mapping[str, Any], sets: Mapping[str, Sequence[str]], number: int
) -> dict[str, float]:
    """The values of one iteration."""
    row: dict[str, float] = {}
    for name, metrics in sets.items():
        values = record.get(name)
        if values is None:
            continue
        if not isinstance(values, list) or len(values) != len(metrics):
            raise log.wrong(f"expected {len(metrics)} values of {name!r}", f"iteration {number}")
        for metric, value in zip(metrics, map(plain_number, values), strict=True):
            if value is not None:
                row[f"{name}/{metric}"] = value
    for name in ("iteration", "passed_time"):
        value = plain_number(record.get(name))
        if value is not None:
            row[name] = value
    return row


def _read(log: Source) -> Iterator[Run]:
    if not _recognise(log):
        raise log.wrong("expected a JSON object with meta and iterations")
    meta = log.document["meta"]
    sets, rows = _sets(log, meta), log.rows()
    for number, record in enumerate(log.document["iterations"]):
        if not isinstance(record, dict):
            raise log.wrong("expected an object", f"iteration {number}")
        rows.add(_row(log, record, sets, number))
    run = rows.run()
    modes = _modes(meta)
    run.modes = {f"{s}/{m}": modes[m] for s, ms in sets.items() for m in ms if m in modes}
    yield run


def _claims(folder: Folder) -> Iterator[Claim]:
    names = {path.name: path for path in folder.files}
    parts = {
        part: names[f"{part}_error.tsv"]
        for part in ("learn", "test")
        if f"{part}_error.tsv" in names
    }
    document = names.get("catboost_training.json")
    if not parts:
        return
    aside = [path for name, path in names.items() if name == "time_left.tsv"]
    for part in ("learn", "test"):
        if part in folder.folders():
            aside += [path for path in folder.files_in(part) if ".tfevents" in path.name]
    notes = ["several files here hold the same run: one of them is read"] if document else []
    files = [*parts.values(), *aside]
    if document is not None:

        def read_document(log: Source) -> Iterator[Run]:
            return _read(Source(str(document), folder.options, path=document))

        yield Claim(folder.path, [document, *files], FORMAT.name, read_document, notes)
        return

    def read_tables(log: Source) -> Iterator[Run]:
        from . import table

        whole = Run(None, 0, {})
        for part, path in parts.items():
            part_log = Source(str(path), folder.options, path=path)
            for run in table.FORMAT.read(part_log):
                whole.length = max(whole.length, run.length)
                whole.coordinates.update(run.coordinates)
                whole.metrics.update({f"{part}/{m}": points for m, points in run.metrics.items()})
            log.damage = log.damage or part_log.damage
        yield whole

    yield Claim(folder.path, files, FORMAT.name, read_tables, notes)


FORMAT = LogFormat("catboost", _recognise, _read, order=90, claim_folder=_claims)
