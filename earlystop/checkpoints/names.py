"""Names of files in a folder of checkpoints: valid names, reserved names, temporary names."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from .._files.names import LEDGER, LOCK, METRICS
from ..errors import RuleError, shortened

__all__ = [
    "LEDGER",
    "LOCK",
    "LONGEST",
    "UNLISTED",
    "NameTooLongError",
    "checked_name",
    "is_temporary",
    "removal_name",
    "temporary_name",
    "unlisted_temporary_name",
]

_NEW, _OLD = ".new-", ".old-"
_HOST = re.sub(r"[^\w.-]", "_", socket.gethostname())[:64]
UNLISTED = f".placing-{_HOST}-"  # followed by the process and the name
LONGEST = 255  # the bytes that file systems allow in a name
_LARGEST_PROCESS = 1 << 22


class NameTooLongError(RuleError):
    """A file name is longer than file systems allow."""


def temporary_name(name: str) -> str:
    """The temporary name of a file that the ledger will list."""
    return _NEW + name


def removal_name(name: str) -> str:
    """The name of a folder that is no longer listed, while it is being removed."""
    return _OLD + name


def unlisted_temporary_name(name: str, process: int) -> str:
    """The temporary name of a file that no ledger lists, written by this process."""
    return f"{UNLISTED}{process}-{name}"


def is_temporary(name: str) -> bool:
    """Whether this is the name of an unfinished checkpoint or ledger, or of a removed folder."""
    return name.startswith((_NEW, _OLD, f".{LEDGER}."))


def checked_name(name: str, template: str) -> str:
    """The name. Raises RuleError unless it is that of a file directly in the folder.

    template: for errors.
    """
    reserved = name.casefold() in ("", LEDGER, METRICS) or name.startswith(".")
    # Path(...).name drops separators and drives of this system.
    if reserved or re.search(r"[/\\\x00-\x1f\ud800-\udfff]", name) or name != Path(name).name:
        raise RuleError(
            f"the file name {shortened(template)} gives {shortened(name)}: it must be one plain "
            f"name in the folder, not begin with a dot, and not be {LEDGER} or {METRICS}"
        )
    try:
        size = len(os.fsencode(unlisted_temporary_name(name, _LARGEST_PROCESS)))
    except UnicodeEncodeError:
        raise RuleError(
            f"the file name {shortened(template)} gives {shortened(name)}, which this system "
            "cannot write: use ASCII characters"
        ) from None
    if size > LONGEST:
        raise NameTooLongError(
            f"the file name {shortened(template)} gives one that is too long: {shortened(name)}"
        )
    return name
