"""`trainer_state.json` of Hugging Face's Trainer.

`log_history` has training and evaluation rows, which share `step`; `epoch` is a rounded fraction.
Each checkpoint of a run holds the history so far, so only the last one in a folder is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ..._text import count
from ..folders import Claim, Folder
from ..log_format import LogFormat
from ..records import runs_of
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]


def _recognise(log: Source) -> bool:
    document = log.document
    return isinstance(document, dict) and isinstance(document.get("log_history"), list)


def _read(log: Source) -> Iterator[Run]:
    if not _recognise(log):
        raise log.wrong("expected a JSON object with the list log_history")
    history = log.document["log_history"]
    if not all(isinstance(record, dict) for record in history):
        raise log.wrong("expected log_history to be a list of objects")
    if not history:
        raise log.wrong("log_history is empty: nothing was logged yet", not_a_log=True)
    yield from runs_of(log, history)


# Also last-checkpoint, checkpoint-best and best_model, as scripts and the Hub name them.
_CHECKPOINT = re.compile(r"(?i)checkpoint|^(best|last|final)([_-]model)?$")


def _claims(folder: Folder) -> Iterator[Claim]:
    found: list[tuple[int, Path]] = []
    for name in folder.folders():
        if _CHECKPOINT.search(name):
            number = re.fullmatch(r"checkpoint-(\d{1,15})", name)
            found += [
                (int(number[1]) if number else -1, path)
                for path in folder.files_in(name)
                if path.name == "trainer_state.json"
            ]
    paths = [path for _, path in sorted(found)]
    paths += [path for path in folder.files if path.name == "trainer_state.json"]
    if len(paths) < 2:
        return
    last = Source(str(paths[-1]), folder.options, path=paths[-1])
    if not _recognise(last):
        return
    whole = [json.dumps(record) for record in last.document["log_history"]]
    same = []
    for path in paths[:-1]:
        log = Source(str(path), folder.options, path=path)
        if _recognise(log):
            start = [json.dumps(record) for record in log.document["log_history"]]
            if start == whole[: len(start)]:
                same.append(path)
    if same:
        notes = [f"{count(len(same), 'earlier checkpoint')} with its beginning: left out"]
        yield Claim(paths[-1], [paths[-1], *same], FORMAT.name, _read, notes)


FORMAT = LogFormat("trainer_state", _recognise, _read, order=60, claim_folder=_claims)
