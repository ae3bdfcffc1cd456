"""The folder of a run that this library has saved: its `metrics.jsonl`, beside its checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..._files.names import LEDGER, LOCK, METRICS
from ...language.positions import CHECK
from ..columns import plain_number
from ..folders import Claim, Folder
from ..json_text import parsed
from ..log_format import LogFormat
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]


def _recognise(log: Source) -> bool:
    path = log.path
    return path is not None and path.name == METRICS and path.with_name(LEDGER).is_file()


def _read(log: Source) -> Iterator[Run]:
    rows = log.rows()
    for line_number, line in log.lines():
        if not line.endswith("\n"):  # the run goes on, or was killed: resuming repairs the file
            log.notes.append("the last line is not complete, left out")
            break
        record = _record(log, line, f"line {line_number}")
        told = {name: value for name, value in record.items() if name != _number_of(record)}
        numbers = ((str(name), plain_number(value)) for name, value in told.items())
        rows.add([(name, number) for name, number in numbers if number is not None])
    yield rows.run()


def _number_of(record: Mapping[str, Any]) -> str | None:
    """The entry with the number of a check whose epoch or step was given; it is no metric."""
    first = next(iter(record), None)
    return first if first == CHECK else None


def _record(log: Source, line: str, position: str) -> Mapping[str, Any]:
    try:
        record = parsed(line)
    except ValueError as error:
        raise log.wrong(f"expected a JSON object: {error}", position) from None
    if not isinstance(record, dict):
        raise log.wrong(f"expected a JSON object, got {line.strip():.60}", position)
    return record


def _claims(folder: Folder) -> Iterator[Claim]:
    """One run, named after its folder; its checkpoints are no logs."""
    names = {path.name: path for path in folder.files}
    if METRICS not in names or LEDGER not in names:
        return
    own = [names[name] for name in (METRICS, LEDGER, LOCK) if name in names]
    for name in _checkpoints(Source(str(names[LEDGER]), folder.options, path=names[LEDGER])):
        own += [names[name]] if name in names else folder.files_below(name)

    def read(log: Source) -> Iterator[Run]:
        lines = Source(str(names[METRICS]), folder.options, path=names[METRICS])
        yield from _read(lines)
        log.notes += lines.notes

    yield Claim(folder.path, own, FORMAT.name, read)


def _checkpoints(ledger: Source) -> list[str]:
    """The plain names of the checkpoints in a ledger."""
    document = ledger.document
    entries = document.get("checkpoints") if isinstance(document, dict) else None
    listed = entries if isinstance(entries, list) else []
    files = [entry.get("file") for entry in listed if isinstance(entry, dict)]
    return [file for file in files if isinstance(file, str) and _is_plain(file)]


def _is_plain(name: str) -> bool:
    return bool(name) and not name.startswith(".") and Path(name).name == name


FORMAT = LogFormat("earlystop", _recognise, _read, order=105, claim_folder=_claims)
