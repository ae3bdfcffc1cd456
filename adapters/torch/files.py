"""The file of a checkpoint: written, verified, and read without executing anything."""

from __future__ import annotations

import contextlib
import sys
import traceback
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from earlystop.engine.saved_state import SavedFormat
from earlystop.errors import CheckpointError, StateError, shortened

__all__ = ["problem", "read", "read_run", "verify", "write"]

_SAVED = SavedFormat("earlystop.Training", 1, "the file of a Training")


# What the entries of a file are.
_KINDS: dict[str, tuple[type, ...]] = {
    "model": (dict,),
    "parts": (dict,),
    "rng": (list, type(None)),
    "state": (dict, type(None)),
    "best": (dict, type(None)),
}


def write(path: Path, body: Mapping[str, Any]) -> None:
    """Write the entries of `body` for `read`. Raises OSError if the disk refuses."""
    with _first_cause(), open(path, "wb", buffering=1 << 20) as file:
        try:
            torch.save(_SAVED.wrap(body), file)
        except BaseException as error:
            # An interrupt may have left PyTorch's writer in a frame of the traceback. When it is
            # destroyed it writes the end of the archive, and ends the process if that fails: so it
            # goes while the file is open.
            traceback.clear_frames(error.__traceback__)
            raise


def verify(path: Path) -> None:
    """Read a file back as `read` will, to fail now rather than when it is needed.

    Raises StateError if it holds objects that cannot be loaded safely, OSError if the disk refuses.
    """
    try:
        with _first_cause():
            # As text, which PyTorch before 2.4 asks for where it maps a file.
            torch.load(str(path), map_location="cpu", weights_only=True, mmap=True)
    except (OSError, MemoryError):
        raise
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
        with _first_cause():
            saved = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error}") from error
    except MemoryError:
        raise
    except Exception as error:
        raise StateError(f"{name} is damaged, or unsafe: {error}") from error
    if not _SAVED.matches(saved):
        raise StateError(f"{name} was not written by a Training")
    body = _SAVED.unwrap(saved, name)
    missing = sorted(set(entries) - set(body))
    if missing:
        raise StateError(f"{name} is damaged: it lacks {', '.join(missing)}")
    for entry in entries:
        if not isinstance(body[entry], _KINDS[entry]):
            raise StateError(
                f"{name} is damaged: {entry!r} should be {_names(_KINDS[entry])}, got "
                f"{shortened(body[entry])}"
            )
    return {entry: body[entry] for entry in entries}


def read_run(path: Path) -> dict[str, Any]:
    """The entries of a file that `Training.save` has written. Raises what `read` raises."""
    saved = read(path, tuple(_KINDS))
    if saved["state"] is None:
        raise StateError(f"{str(path)!r} was not written by `Training.save`")
    return saved


def problem(path: Path) -> str:
    """Why a file cannot be read, found without reading all of it; "" if it seems whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            whole = any(name.endswith("/data.pkl") for name in archive.namelist())
    except OSError as error:
        return f"it cannot be opened: {error.strerror or error}"
    except Exception as error:  # of a damaged archive
        return f"it is damaged: {error}"
    return "" if whole else "it is damaged: it holds no checkpoint"


def _names(kinds: tuple[type, ...]) -> str:
    return " or ".join("None" if kind is type(None) else f"a {kind.__name__}" for kind in kinds)


@contextlib.contextmanager
def _first_cause() -> Iterator[None]:
    """Raise what the disk said, or what interrupted PyTorch, instead of what PyTorch made of it.

    After such an error PyTorch still tries to finish the archive, fails, and raises a RuntimeError
    about that; the first error is then only in its context.
    """
    handled = sys.exc_info()[1]  # by the caller: it has nothing to do with this
    try:
        yield
    except Exception as error:
        first: BaseException = error
        earlier = error.__context__
        while earlier is not None and earlier is not handled:
            if isinstance(earlier, OSError) or not isinstance(earlier, Exception):
                first = earlier
            earlier = earlier.__context__
        if first is error:
            raise
        raise first from None
