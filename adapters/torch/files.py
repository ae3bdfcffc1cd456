"""The file of a checkpoint: written, verified, and read without executing anything."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from earlystop.engine.saved_state import SavedFormat
from earlystop.errors import CheckpointError, StateError

__all__ = ["read", "verify", "write"]

_SAVED = SavedFormat("earlystop.Training", 1, "the file of a Training")


def write(path: Path, body: Mapping[str, Any]) -> None:
    """Write the entries of `body` for `read`. Raises OSError if the disk refuses."""
    with _first_cause(), open(path, "wb", buffering=1 << 20) as file:
        torch.save(_SAVED.wrap(body), file)


def verify(path: Path) -> None:
    """Read a file back as `read` will, to fail now rather than when it is needed.

    Raises StateError if it holds objects that cannot be loaded safely, OSError if the disk refuses.
    """
    try:
        with _first_cause():
            torch.load(path, map_location="cpu", weights_only=True, mmap=True)
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
    return {entry: body[entry] for entry in entries}


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
