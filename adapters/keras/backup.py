"""Resuming with BackupAndRestore: the saved state of a callback, and the fit that it belongs to.

BackupAndRestore saves the model after every epoch, but no state of callbacks. So a callback saves
its own state, one checkpoint per epoch:

    fit begins --> epoch 0 --> epoch 1 --> ... --> fit ends --> process ends
                      |           |                   |              |
                    save        save         note the process   delete all

A process may be killed at any of these points. The first epoch of the next fit tells which: the one
after the last saved epoch (killed between two epochs), that epoch again (killed before
BackupAndRestore had saved it, too), or any other (a different run).
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from earlystop._files.atomic import replace_whole
from earlystop.checkpoints import Checkpoint, Checkpoints
from earlystop.checkpoints.saved_json import read_json_file
from earlystop.engine.saved_state import SavedFormat
from earlystop.errors import CheckpointError, StateError, shortened
from earlystop.language.state import decode_state

__all__ = ["Backup", "SavedRun"]

_THIS_PROCESS = uuid.uuid4().hex
_NOTE = "ended.json"
_OF_KERAS = "training_metadata.json"  # where BackupAndRestore notes how many epochs are done
_RENAMED = {"KerasPatience": "Patience", "KerasBest": "Best"}


def _with_current_rules(data: Any) -> Any:
    """Rules as JSON data, with their current names and settings."""
    if isinstance(data, list):
        return [_with_current_rules(item) for item in data]
    if not isinstance(data, Mapping):
        return data
    current = {}
    for name, value in data.items():
        settings = _with_current_rules(value)
        if name in _RENAMED and isinstance(settings, dict):
            settings["dtype"] = "float32" if settings.pop("float32", True) else "float64"
            if "threshold" in settings:
                settings["baseline"] = settings.pop("threshold")
        current[_RENAMED.get(name, name)] = settings
    return current


def _from_version_1(body: dict[str, Any]) -> dict[str, Any]:
    """Version 1 used separate rules for comparisons in float32."""
    stopper = body.get("stopper")
    if isinstance(stopper, Mapping):
        rules = {role: _with_current_rules(stopper.get(role)) for role in ("stop", "save")}
        body["stopper"] = {**stopper, **rules}
    return body


_SAVED_STATE = SavedFormat(
    "earlystop.KerasCallback", 2, "the state of a Keras callback", {1: _from_version_1}
)
_SAVED_NOTE = SavedFormat(
    "earlystop.KerasFitEnded", 2, "the note that a fit has ended", {1: lambda body: body}
)


def _unwrapped(saved: SavedFormat, data: Any, where: str) -> dict[str, Any]:
    if isinstance(data, Mapping) and "format" not in data:  # version 1 had no envelope
        data = {"format": saved.name, "version": 1, **data}
    return saved.unwrap(data, where)


class SavedRun(NamedTuple):
    """The saved state of a run.

    offset: the first epoch of the run.
    session: the state for `Session.load_state_dict`.
    """

    offset: int
    session: dict[str, Any]

    @property
    def counts_checks(self) -> bool:
        """Whether its stopper counts epochs from the first one, as earlier versions did."""
        stopper = self.session["stopper"]
        return not isinstance(stopper, Mapping) or stopper.get("positions") is None


class Backup:
    """The checkpoints of a callback, and whether a fit resumes from them.

    folder, name, settings: as for `Checkpoints`.
    """

    def __init__(self, folder: str | os.PathLike[str], name: str, **settings: Any) -> None:
        self.checkpoints = Checkpoints(folder, name, **{"keep_last": 2, "resume": True, **settings})

    @property
    def last_epoch(self) -> int | None:
        """The last epoch that was saved; None before the first."""
        last = self.checkpoints.last
        return None if last is None else last.check

    def save(
        self,
        write: Callable[[Path], None] | None,
        epoch: int,
        state: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
        best: bool = False,
    ) -> Path | None:
        """See `Checkpoints.save`; `state` has the entries of a `SavedRun`.

        Raises CheckpointError, too, where BackupAndRestore would delete what is saved.
        """
        _refuse_to_be_deleted(self.checkpoints.folder, epoch)
        state = _SAVED_STATE.wrap(state)
        return self.checkpoints.save(write, epoch=epoch, metrics=metrics, best=best, state=state)

    # A fit begins ----------------------------------------------------------------------------

    def was_stopped(self, epoch: int) -> bool:
        """Had the run that a fit resumes at this epoch been stopped?"""
        last = self.checkpoints.last
        if last is None or last.epoch != epoch - 1:
            return False
        if _ended_in(self.checkpoints.folder) == _process():  # a different run
            return False
        stopper = _saved_run(last).session["stopper"]
        return isinstance(stopper, Mapping) and stopper.get("stopped") is True

    def resume(self, epoch: int) -> SavedRun | None:
        """The saved state of the run that a fit resumes at this epoch; None for a new run.

        Raises CheckpointError if the saved run does not match this epoch.
        """
        folder, last = self.checkpoints.folder, self.checkpoints.last
        ended_in = _ended_in(folder)
        if ended_in is not None:
            if ended_in == _process() or last is None or last.epoch != epoch - 1:
                self.checkpoints.rewind(-1)  # a different run
                last = None
            (folder / _NOTE).unlink()
        if last is not None and last.epoch > epoch:
            raise CheckpointError(
                f"the folder {str(folder)!r} holds a run of {last.epoch + 1} epochs, and this "
                f"fit begins with epoch {epoch + 1}: choose another folder, or go on with that run "
                "(BackupAndRestore does, or initial_epoch=...)"
            )
        self.checkpoints.rewind(epoch - 1)  # saved here, but not by BackupAndRestore
        last = self.checkpoints.last
        if last is not None and last.epoch < epoch - 1:
            raise CheckpointError(
                f"the folder {str(folder)!r} holds a run of {last.epoch + 1} epochs, and this "
                f"fit begins with epoch {epoch + 1}: list this callback before BackupAndRestore, "
                "and choose another folder"
            )
        return None if last is None else _saved_run(last)

    # A fit ends ------------------------------------------------------------------------------

    def end(self, owner: object) -> None:
        """Note that the run has ended; the checkpoints are deleted with `owner`, or at exit.

        BackupAndRestore deletes its own backup after this. If the process is killed in between, the
        fit resumes where it had ended, and needs the checkpoints.
        """
        folder, name = self.checkpoints.folder, self.checkpoints.name
        note = _SAVED_NOTE.wrap({"process": _process()})
        replace_whole(folder / _NOTE, json.dumps(note).encode())
        weakref.finalize(owner, _delete, folder, name)
        self.close()

    def close(self) -> None:
        """Release the lock on the folder."""
        self.checkpoints.close()


def _refuse_to_be_deleted(folder: Path, epoch: int) -> None:
    """Raise if BackupAndRestore, whose folder this is in, has its turn before this callback.

    It deletes its folder at the end of the fit: before the best weights are read from there. It has
    its turn first if it has saved the epoch that is just being saved here.
    """
    path = folder.parent / _OF_KERAS
    try:
        saved = read_json_file(path, f"the file {str(path)!r}")
    except (FileNotFoundError, NotADirectoryError, StateError):
        return
    if isinstance(saved, Mapping) and saved.get("epoch") == epoch + 1:
        raise CheckpointError(
            f"BackupAndRestore, which is listed before this callback, deletes its folder "
            f"{str(folder.parent)!r} at the end of the fit, and what this callback saves there: "
            "list this callback before BackupAndRestore, and choose another folder"
        )


def _process() -> str:
    return f"{_THIS_PROCESS}-{os.getpid()}"  # a forked process is a different one


def _ended_in(folder: Path) -> str | None:
    """The process in which the run in a folder ended; None if it has not ended."""
    path = folder / _NOTE
    where = f"the file {str(path)!r}"
    try:
        note = _unwrapped(_SAVED_NOTE, read_json_file(path, where), where)
    except (FileNotFoundError, NotADirectoryError):
        return None
    process = note.get("process")
    if not isinstance(process, str):
        raise StateError(f"{where} is damaged: it should name a process, got {shortened(process)}")
    return process


def _delete(folder: Path, name: str) -> None:
    """Delete the checkpoints of a run that ended in this process, unless another has begun."""
    if _ended_in(folder) != _process():
        return
    with (
        contextlib.suppress(CheckpointError),  # another run uses the folder, and will delete them
        Checkpoints(folder, name, keep_last=2, resume=True) as checkpoints,
    ):
        checkpoints.rewind(-1)
        (folder / _NOTE).unlink(missing_ok=True)


def _saved_run(checkpoint: Checkpoint) -> SavedRun:
    where = f"the state of epoch {checkpoint.epoch}"
    body = _unwrapped(_SAVED_STATE, checkpoint.state, where)
    for entry in ("offset", "stopper", "elapsed_seconds"):
        if entry not in body:
            raise StateError(f"{where} is not of a callback: no {entry!r}")
    offset = decode_state(body.pop("offset"), 0, f"{where}: offset")
    if offset < 0:
        raise StateError(f"{where}: offset should be at least 0, got {offset}")
    return SavedRun(offset, body)
