"""The file of a checkpoint: written, verified, and read without executing anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

import torch

from earlystop.engine.saved_state import SavedFormat
from earlystop.errors import CheckpointError, StateError

__all__ = ["read", "verify", "write"]

_SAVED = SavedFormat("earlystop.Training", 1, "the file of a Training")


def write(path: Path, body: Mapping[str, Any]) -> None:
    """Write the entries of `body` for `read`. Raises OSError if the disk refuses."""
    with open(path, "wb", buffering=1 << 20) as file:
        recorder = _ErrorRecorder(file)
        try:
            torch.save(_SAVED.wrap(body), recorder)  # type: ignore[arg-type]  # needs just these two
        except RuntimeError:
            if recorder.error is not None:
                raise recorder.error from None
            raise


def verify(path: Path) -> None:
    """Read a file back as `read` will, to fail now rather than when it is needed.

    Raises StateError if it holds objects that cannot be loaded safely.
    """
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise StateError(
            "a state_dict of the model or of a part holds what cannot be loaded safely "
            f"(weights_only=True): make it of tensors, numbers, texts, lists and dicts. {error}"
        ) from None


def read(path: Path, entries: Collection[str]) -> dict[str, Any]:
    """These entries of a file, on the CPU.

    Raises CheckpointError if the disk refuses, StateError for a file that is damaged, of another
    kind, or of a newer version.
    """
    name = f"the checkpoint {str(path)!r}"
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error}") from error
    except Exception as error:
        raise StateError(f"{name} is damaged, or unsafe: {error}") from error
    if not _SAVED.matches(saved):
        raise StateError(f"{name} was not written by a Training")
    body = _SAVED.unwrap(saved, name)
    missing = sorted(set(entries) - set(body))
    if missing:
        raise StateError(f"{name} is damaged: it lacks {', '.join(missing)}")
    return {entry: body[entry] for entry in entries}


class _ErrorRecorder:
    """A file that remembers the OSError of a write, which torch.save replaces by another error."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()
