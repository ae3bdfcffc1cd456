"""AllenNLP's `metrics_epoch_<n>.json`, one file per epoch: those in a folder are one run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..folders import Claim, Folder
from ..log_format import LogFormat
from ..records import runs_of
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]


def _recognise(log: Source) -> bool:
    document = log.document
    if not isinstance(document, dict) or "epoch" not in document:
        return False
    names = [str(name) for name in document]
    return any(name.startswith("training_") for name in names)


def _record(log: Source) -> dict[str, Any]:
    if not _recognise(log):
        raise log.wrong("expected a JSON object that contains epoch and training_...")
    return {name: value for name, value in log.document.items() if not name.startswith("best_")}


def _read(log: Source) -> Iterator[Run]:
    yield from runs_of(log, [_record(log)])


def _claims(folder: Folder) -> Iterator[Claim]:
    found: list[tuple[int, Path]] = []
    for path in folder.files:
        match = re.fullmatch(r"metrics_epoch_(\d{1,9})\.json", path.name)
        if match:
            found.append((int(match[1]), path))
    if not found:
        return
    files = [path for _, path in sorted(found)]

    def read(log: Source) -> Iterator[Run]:
        yield from runs_of(log, (_record(Source(str(p), folder.options, path=p)) for p in files))

    # metrics.json repeats the best epoch.
    aside = [path for path in folder.files if path.name == "metrics.json"]
    yield Claim(folder.path, [*files, *aside], FORMAT.name, read)


FORMAT = LogFormat("allennlp", _recognise, _read, order=100, claim_folder=_claims)
