"""Paths as users write them: `~` is the home folder, and an address is not a path.

A path that is kept is made absolute at once: the program may change its working directory.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import CheckpointError, RuleError, RuleTypeError

__all__ = ["expanded", "local_path"]

# Two letters at least: one is a drive of Windows. Databricks writes a single slash.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://|(dbfs):/")
_COLLAPSED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):[/\\]")  # what `Path` makes of an address


def expanded(path: str | os.PathLike[str], what: str) -> str:
    """The path with `~` expanded.

    what: where it was given, for errors.

    Raises RuleTypeError for what is no path, RuleError for an address such as s3://bucket/run.

    >>> expanded("runs/1", "folder"), expanded("C:/runs", "folder")
    ('runs/1', 'C:/runs')
    """
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise RuleTypeError(f"{what} must be a path, got {path!r:.80}") from None
    if "\0" in text:
        raise RuleError(f"{what}: no path has a NUL in it, got {text!r:.80}")
    found = (_ADDRESS if isinstance(path, (str, bytes)) else _COLLAPSED).match(text)
    if found is not None:
        raise RuleError(f"{what} must be a path of this machine, got {text!r}: {_advice(found)}")
    return os.path.expanduser(text)


def local_path(path: str | os.PathLike[str], what: str) -> Path:
    """The path for writing: absolute, with `~` expanded.

    Raises what `expanded` raises; RuleError for `~name` where no home folder is known of that name,
    CheckpointError where the working directory has been deleted.

    >>> local_path("runs/1", "folder") == Path.cwd() / "runs" / "1"
    True
    """
    text = expanded(path, what)
    if text.startswith("~"):
        name = re.split(r"[/\\]", text)[0]
        raise RuleError(
            f"{what}: there is no home folder for {name!r}: write ./{name} for a folder of that "
            "name"
        )
    try:
        return Path(text).absolute()
    except FileNotFoundError:
        raise CheckpointError(
            f"{what}: {text!r} is relative to the working directory, which has been deleted"
        ) from None


def _advice(found: re.Match[str]) -> str:
    rest = found.string[found.end() :]
    scheme = found[found.lastindex or 1].lower()
    if scheme == "file":
        return "leave out file:// and write the path itself, such as ~/runs"
    if scheme == "dbfs":
        return f"write /dbfs/{rest.lstrip('/')}, where the store is mounted"
    return (
        "use a folder here and copy it to the store when the run has ended (or from time to time), "
        "or a folder under which the store is mounted"
    )
