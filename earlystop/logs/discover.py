"""Splits the argument of `read_history` into single sources: files, folders, values in memory."""

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

from .._files.paths import expanded
from ..errors import LogError
from .folders import Claim, Folder, is_regular
from .formats import frames, npy
from .limits import Limits
from .options import Options
from .passed_over import PassedOver
from .registry import formats
from .run import Run
from .source import Source
from .walking import natural, walk

__all__ = ["Discovered", "discover", "is_one_log"]


@dataclass
class Discovered:
    """One thing to read: a log, or several files that form one log.

    name: its name in errors and reports.
    parts: the parts of its path, for naming its runs.
    log: the source of its bytes or values.
    read: returns the name of its format and its runs; None to recognise the format by content.
    found: whether it was found in a folder, where not all files are logs.
    aside: whether there is nothing to read, only notes about a folder.
    notes: notes for the report.
    """

    name: str
    parts: tuple[str, ...]
    log: Source
    read: Callable[[], tuple[str, Iterable[Run]]] | None = None
    found: bool = False
    aside: bool = False
    notes: list[str] = field(default_factory=list)


def discover(source: Any, options: Options) -> Iterator[Discovered]:
    """The sources in the argument of `read_history`.

    Raises LogError for an argument that cannot hold a log, FileNotFoundError for a path or pattern
    without a file.
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


def _of_list(items: list[Any], options: Options) -> Iterator[Discovered]:
    if not items:
        raise LogError("expected at least one source to read, got an empty list")
    if all(isinstance(item, Mapping) for item in items) and not all(map(_of_columns, items)):
        yield _of_document(items, options)
    elif all(isinstance(item, (int, float, np.number, type(None))) for item in items):
        yield _of_document({options.value_name: items}, options)
    else:
        for number, item in enumerate(items):
            for found in discover(item, options):
                if found.log.path is None and not found.parts:
                    found.parts = (str(number),)
                    found.name = found.log.name = f"{found.name} {number}"
                yield found


def _of_columns(item: Mapping[str, Any]) -> bool:
    """Is this a whole run, given by columns, rather than one epoch?"""
    values = list(item.values())
    return bool(values) and all(isinstance(value, (list, tuple, np.ndarray)) for value in values)


def _of_document(value: Any, options: Options) -> Discovered:
    name = "records" if isinstance(value, list) else "mapping"
    log = Source(name, options, value=value)
    log.document = _listed(value)
    return Discovered(name, (), log)


def _listed(value: Any) -> Any:
    """The value as plain JSON data: arrays become lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_listed(item) for item in value]
    return value


def _of_value(
    value: Any, options: Options, read: Callable[[Source], tuple[str, Iterable[Run]]]
) -> Discovered:
    name = f"{type(value).__module__.split('.')[0]} {type(value).__name__}"
    log = Source(name, options, value=value)
    return Discovered(name, (), log, lambda: read(log))


def _of_file(file: Any, options: Options) -> Discovered:
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
    return Discovered(name, Path(name).parts, Source(name, options, content=content))


def _of_path(text: str, options: Options) -> Iterator[Discovered]:
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if "\0" in text:
        raise LogError(f"no path has a NUL in it, got {text!r:.80}")
    text = expanded(text, "the log")
    if os.path.isdir(text):
        yield from _of_folder(Path(text), options)
    elif os.path.exists(text):
        yield _of_one(Path(text), options)
    elif glob.has_magic(text):
        paths = sorted(set(_matches(text, options.limits)), key=natural)
        if not paths:
            raise FileNotFoundError(f"no file matches {text!r}")
        for path in paths:
            yield from _of_path(path, options)
    else:
        raise FileNotFoundError(f"there is no file or folder {text!r}")


def _matches(pattern: str, limits: Limits) -> Iterator[str]:
    """The paths that match a pattern, in which ** stands for any folders within each other.

    Python's own `glob` follows links under ** in circles, and its stack ends in deep folders.
    """
    parts = _ANY_FOLDERS.split(pattern, maxsplit=1)
    if len(parts) == 1:
        yield from glob.iglob(pattern)
        return
    above, below = parts
    for root in [above or os.curdir] if not glob.has_magic(above) else glob.iglob(above):
        if not below:
            yield root  # the folder, with all that is in it
            continue
        for folder, _ in walk(root, limits, _is_shown, links=True):
            yield from _matches(os.path.join(glob.escape(folder), below), limits)


_SEPARATOR = f"[{re.escape(os.sep + (os.altsep or ''))}]"
_ANY_FOLDERS = re.compile(rf"(?:^|(?<={_SEPARATOR}))(?:\*\*(?:{_SEPARATOR}+|$))+")


def _is_shown(folder: str) -> bool:
    return not folder.startswith(".")


def _of_one(path: Path, options: Options) -> Discovered:
    return Discovered(str(path), path.parts, Source(str(path), options, path=path))


def _of_folder(root: Path, options: Options) -> Iterator[Discovered]:
    """The logs below a folder. Links are left out: nothing outside is read, and nothing twice."""
    claimed: set[Path] = set()
    passed_over = PassedOver()
    count = 0
    for folder in _walk(root, options, claimed, passed_over):
        for claim in _claims(folder):
            claimed.update(claim.files)
            folder.files = [path for path in folder.files if path not in claimed]
            count += 1
            yield _of_claim(claim, options)
        for path in folder.files:
            if not passed_over.takes(path.name):
                count += 1
                found = _of_one(path, options)
                found.found = True
                yield found
    notes = passed_over.notes()
    if not count:
        why = f" that may be a log: {'; '.join(notes)}" if notes else ""
        raise LogError(f"there is no file in this folder{why}", str(root))
    if notes:
        log = Source(str(root), options, path=root)
        yield Discovered(str(root), root.parts, log, found=True, aside=True, notes=notes)


def _walk(
    root: Path, options: Options, claimed: set[Path], passed_over: PassedOver
) -> Iterator[Folder]:
    """A folder and those below it, each with its regular files that have not been claimed."""
    for here, names in walk(str(root), options.limits, _is_searched):
        files = []
        for path in (Path(here, name) for name in names):
            if path in claimed:
                continue
            if is_regular(path):
                files.append(path)
            elif path.is_symlink():
                passed_over.links += 1
        yield Folder(Path(here), root, files, options, claimed)


def _is_searched(folder: str) -> bool:
    return not folder.startswith(".") and folder != "__pycache__"


def is_one_log(path: Path, options: Options | None = None) -> bool:
    """Do files directly in a folder, or those below it, form a log together?"""
    files = sorted(filter(is_regular, path.iterdir()))
    folder = Folder(path, path, files, options or Options(), set())
    return next(_claims(folder), None) is not None


def _claims(folder: Folder) -> Iterator[Claim]:
    """Files of a folder that form one log together, claimed by formats that know such folders."""
    for format in formats():
        if format.claim_folder is not None:
            yield from format.claim_folder(folder)


def _of_claim(claim: Claim, options: Options) -> Discovered:
    log = Source(str(claim.path), options, path=claim.path)
    return Discovered(
        str(claim.path),
        claim.path.parts,
        log,
        lambda: (claim.format, claim.read(log)),
        found=True,
        notes=claim.notes,
    )
