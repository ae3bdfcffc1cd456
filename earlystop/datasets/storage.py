"""Files by path or by address: those of this machine, and those of stores that fsspec reaches."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import LogError

__all__ = ["files_of", "is_address", "opened", "paths_of", "size_of"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_address(path: str) -> bool:
    """Does a path name a store, rather than a file of this machine?

    >>> is_address("s3://bucket/runs"), is_address("C:/runs"), is_address("runs")
    (True, False, False)
    """
    return _ADDRESS.match(path) is not None


def paths_of(source: Any) -> list[str]:
    """The files and folders of a path, a glob pattern, an address, or a list of these.

    Raises LogError for anything else, FileNotFoundError if there is no such file.
    """
    if isinstance(source, (str, os.PathLike)):
        return _paths_of_one(os.fspath(source))
    if isinstance(source, Iterable) and not isinstance(source, (bytes, bytearray)):
        paths = [path for each in source for path in paths_of(each)]
        if paths:
            return paths
    raise LogError(
        "a data set is read from files: expected a path, a glob pattern, an address such as "
        f"s3://bucket/runs/*.parquet, or a list of these, got {source!r:.80}"
    )


def _paths_of_one(text: Any) -> list[str]:
    if not isinstance(text, str):
        text = os.fsdecode(text)
    if is_address(text):
        system, path = _store(text)
        found = system.glob(path) if glob.has_magic(path) else [path]
        found = [each for each in found if system.exists(each)]
        paths = sorted(system.unstrip_protocol(each) for each in found)
    else:
        text = os.path.abspath(os.path.expanduser(text))
        found = [text] if os.path.exists(text) else glob.glob(text, recursive=True)
        paths = sorted(found)
    if not paths:
        raise FileNotFoundError(f"there is no file or folder {text!r}")
    return paths


def files_of(paths: Iterable[str], endings: tuple[str, ...]) -> list[str]:
    """These files, and those in these folders with such endings; hidden ones are left out."""
    found: list[str] = []
    for path in paths:
        inside = _inside(path)
        if inside is None:
            found.append(path)
        else:
            found += [each for each in inside if each.lower().endswith(endings)]
    if not found:
        raise LogError(f"there is no file in these folders that ends with {', '.join(endings)}")
    return found


def _inside(path: str) -> list[str] | None:
    """The files below a folder, in order; None for a file."""
    if is_address(path):
        system, root = _store(path)
        if not system.isdir(root):
            return None
        below = sorted(system.find(root))
        return [system.unstrip_protocol(each) for each in below if not _hidden(each, root)]
    if not os.path.isdir(path):
        return None
    return sorted(
        str(Path(here, name))
        for here, _, names in os.walk(path)
        for name in names
        if not _hidden(os.path.join(here, name), path)
    )


def _hidden(path: str, root: str) -> bool:
    """Is a file below a folder an auxiliary one of a writer, such as _SUCCESS or .crc?"""
    return any(part.startswith((".", "_")) for part in path[len(root) :].split("/") if part)


@contextlib.contextmanager
def opened(path: str) -> Iterator[Any]:
    """A file to read bytes from, wherever it is. Raises OSError if there is none."""
    if not is_address(path):
        with open(path, "rb") as file:
            yield file
        return
    system, inside = _store(path)
    with system.open(inside, "rb") as file:
        yield file


def size_of(path: str) -> int:
    """The bytes of a file, or of all files below a folder."""
    inside = _inside(path)
    if inside is not None:
        return sum(map(size_of, inside))
    if not is_address(path):
        return os.stat(path).st_size
    system, root = _store(path)
    return int(system.size(root) or 0)


def _store(address: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise ImportError(f"{address} needs fsspec: pip install fsspec") from error
    system, path = fsspec.core.url_to_fs(address)
    return system, str(path)
