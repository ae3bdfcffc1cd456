"""Walking over folders, however deep and however linked: within the limits, and without a stack."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from ..errors import LogError
from .limits import Limits

__all__ = ["natural", "walk"]


def natural(path: str) -> list[tuple[int, int, str]]:
    """A key that sorts version_2 before version_10."""
    parts = re.split(r"(\d+)", path)
    return [(1, int(p[:400]), p) if p.isdecimal() else (0, 0, p) for p in parts]


def walk(
    root: str, limits: Limits, enters: Callable[[str], bool], *, links: bool = False
) -> Iterator[tuple[str, list[str]]]:
    """A folder and those below it, from the top down, each with the names of its files, sorted.

    enters: whether to go into a folder of this name.
    links: whether to follow links to folders; none is entered twice.

    Raises LogError for more files, or folders deeper in one another, than the limits allow.
    Folders that cannot be opened are passed over.
    """
    ahead, seen, files_seen = [(root, 0)], set[tuple[int, int]](), 0
    while ahead:
        here, depth = ahead.pop()
        if depth > limits.depth:
            raise LogError(
                f"folders more than {limits.depth:,} deep in one another (see `limits`)", root
            )
        folders, files = _content(here, links, seen)
        files_seen += len(files)
        if files_seen > limits.files:
            raise LogError(f"more than {limits.files:,} files (see `limits`)", root)
        yield here, files
        below = sorted(filter(enters, folders), key=natural, reverse=True)
        ahead += [(os.path.join(here, name), depth + 1) for name in below]


def _content(here: str, links: bool, seen: set[tuple[int, int]]) -> tuple[list[str], list[str]]:
    """The names of the folders and of the files in a folder; none of a folder seen before."""
    try:
        if links:
            status = os.stat(here)
            if (status.st_dev, status.st_ino) in seen:
                return [], []
            seen.add((status.st_dev, status.st_ino))
        with os.scandir(here) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=links)) for entry in entries]
    except OSError:
        return [], []
    files = sorted((name for name, is_folder in found if not is_folder), key=natural)
    return [name for name, is_folder in found if is_folder], files
