"""What `read_history` is given, as single sources: files found, folders walked, values wrapped."""

from __future__ import annotations

import dataclasses
import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import LogError
from .folders import CLAIMS, Claim, Folder, is_regular
from .formats import frames, npy
from .options import Options
from .registry import formats
from .run import Run
from .source import Log

__all__ = ["Source", "natural", "sources_of"]


@dataclass
class Source:
    """One thing to read: a log, or several files that are one log.

    name: what it is called in errors and reports. parts: of its path, for naming its runs.
    read: the name of its format and the runs in it; None: as the log's content says.
    found: it was met in a folder, where not all files are logs.
    """

    name: str
    parts: tuple[str, ...]
    log: Log
    read: Callable[[], tuple[str, Iterable[Run]]] | None = None
    found: bool = False
    notes: list[str] = field(default_factory=list)


def sources_of(source: Any, options: Options) -> Iterator[Source]:
    """The sources in what the caller gave.

    Raises LogError for what cannot hold a log, FileNotFoundError where there is nothing.
    """
    if isinstance(source, (str, os.PathLike)):
        yield from _of_path(os.fspath(source), options)
    elif hasattr(source, "read") and callable(source.read):
        yield _of_file(source, options)
    elif isinstance(source, np.ndarray):
        yield _of_value(source, options, lambda log: ("array", npy.runs_of_array(log, source)))
    elif frames.is_frame(source):
        yield _of_value(source, options, lambda log: ("frame", frames.runs_of_frame(log, source)))
    elif isinstance(source, Mapping):
        yield _of_document(source, options)
    elif isinstance(getattr(source, "history", None), (Mapping, list)):  # Keras's or skorch's own
        yield _of_document(source.history, options)
    elif isinstance(source, Iterable) and not isinstance(source, (bytes, bytearray)):
        yield from _of_list(list(source), options)
    else:
        raise LogError(
            "expected a file, a folder, a glob pattern, an open file, records, a data frame or a "
            f"list of those, got {type(source).__name__}"
        )


def _of_list(items: list[Any], options: Options) -> Iterator[Source]:
    if not items:
        raise LogError("expected at least one source to read, got an empty list")
    if all(isinstance(item, Mapping) for item in items) and not all(map(_of_columns, items)):
        yield _of_document(items, options)
    elif all(isinstance(item, (int, float, np.number, type(None))) for item in items):
        yield _of_document({options.value_name: items}, options)
    else:
        for place, item in enumerate(items):
            for source in sources_of(item, options):
                if source.log.path is None and not source.parts:
                    source.parts = (str(place),)
                    source.name = source.log.name = f"{source.name} {place}"
                yield source


def _of_columns(item: Mapping[str, Any]) -> bool:
    """Is this a run by its columns, rather than one epoch of it?"""
    values = list(item.values())
    return bool(values) and all(isinstance(value, (list, tuple, np.ndarray)) for value in values)


def _of_document(value: Any, options: Options) -> Source:
    name = "records" if isinstance(value, list) else "mapping"
    log = Log(name, options, value=value)
    log.document = _listed(value)
    return Source(name, (), log)


def _listed(value: Any) -> Any:
    """The value as JSON would have it: arrays as lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_listed(item) for item in value]
    return value


def _of_value(
    value: Any, options: Options, read: Callable[[Log], tuple[str, Iterable[Run]]]
) -> Source:
    name = f"{type(value).__module__.split('.')[0]} {type(value).__name__}"
    log = Log(name, options, value=value)
    return Source(name, (), log, lambda: read(log))


def _of_file(file: Any, options: Options) -> Source:
    name = getattr(file, "name", None)
    name = name if isinstance(name, str) else "open file"
    most = options.limits.whole
    content = file.read(most + 1)
    if len(content) > most:
        raise LogError(f"larger than {most:,} bytes (see `limits`)", name)
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogateescape")
        options = dataclasses.replace(options, encoding="utf-8")
    if not isinstance(content, bytes):
        raise LogError(f"expected a file of text or bytes, got {type(content).__name__}", name)
    return Source(name, Path(name).parts, Log(name, options, content=content))


def _of_path(text: str, options: Options) -> Iterator[Source]:
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    text = os.path.expanduser(text)
    if "\0" in text:
        raise LogError(f"no path has a NUL in it, got {text!r:.80}")
    if os.path.isdir(text):
        yield from _of_folder(Path(text), options)
    elif os.path.exists(text):
        yield _of_one(Path(text), options)
    elif glob.has_magic(text):
        paths = sorted(glob.glob(text, recursive=True), key=natural)
        if not paths:
            raise FileNotFoundError(f"no file matches {text!r}")
        for path in paths:
            yield from _of_path(path, options)
    else:
        raise FileNotFoundError(f"there is no file or folder {text!r}")


def _of_one(path: Path, options: Options) -> Source:
    return Source(str(path), path.parts, Log(str(path), options, path=path))


def natural(path: str) -> list[tuple[int, int, str]]:
    """A key that sorts version_2 before version_10."""
    parts = re.split(r"(\d+)", path)
    return [(1, int(p[:400]), p) if p.isdecimal() else (0, 0, p) for p in parts]


def _of_folder(root: Path, options: Options) -> Iterator[Source]:
    """The logs below a folder, links left out: nothing outside it is read, nothing twice."""
    formats()  # which know the folders of theirs
    claimed: set[Path] = set()
    seen = found = 0
    for here, folders, files in os.walk(root):
        folders[:] = sorted(
            (f for f in folders if not f.startswith(".") and f != "__pycache__"), key=natural
        )
        there = [Path(here, name) for name in sorted(files, key=natural)]
        seen += len(there)
        if seen > options.limits.files:
            raise LogError(f"more than {options.limits.files:,} files (see `limits`)", str(root))
        paths = [p for p in there if p not in claimed and is_regular(p)]
        folder = Folder(Path(here), root, paths, options)
        for claims in CLAIMS:
            for claim in claims(folder):
                claimed.update(claim.files)
                found += 1
                yield _of_claim(claim, options)
            folder.files = [path for path in folder.files if path not in claimed]
        for path in folder.files:
            found += 1
            source = _of_one(path, options)
            source.found = True
            yield source
    if not found:
        raise LogError("there is no file in this folder", str(root))


def _of_claim(claim: Claim, options: Options) -> Source:
    log = Log(str(claim.path), options, path=claim.path)
    return Source(
        str(claim.path),
        claim.path.parts,
        log,
        lambda: (claim.format, claim.read(log)),
        found=True,
        notes=claim.notes,
    )
