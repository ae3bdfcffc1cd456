"""Temporary names of files that no ledger lists, and the files that killed processes left there.

    .placing-HOST-PROCESS-WORLD.RANDOM-NAME

Two containers may share a folder, a host name and the number of a process: WORLD tells in which
boot of a machine and which container the number counts, and RANDOM keeps two files apart whatever
else is equal. Version 0.1.0 had neither.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import time
import zlib
from pathlib import Path

from .._files.trees import discard
from .names import LONGEST, UNLISTED

__all__ = ["delete_abandoned", "new_unlisted"]

_NAME = re.compile(rf"{re.escape(UNLISTED)}(\d+)-(?:([0-9a-f]{{8}})\.[0-9a-f]{{8}}-)?")
_LONG_AGO = 24 * 60 * 60.0  # seconds: by then, a file that another world writes is abandoned


def new_unlisted(path: Path) -> Path:
    """A new temporary path beside this one, with the same ending."""
    start = f"{UNLISTED}{os.getpid()}-{_world()}.{os.urandom(4).hex()}-"
    name = os.fsencode(path.name)[-(LONGEST - len(start)) :]
    return path.with_name(start + name.decode(errors="ignore"))


def delete_abandoned(folder: Path) -> None:
    """Delete what processes of this machine that have ended left behind."""
    if os.name == "nt":  # Windows has no harmless way to test whether a process exists
        return
    for name in os.listdir(folder):
        found = _NAME.match(name)
        if found is not None and _is_abandoned(folder / name, int(found[1]), found[2]):
            with contextlib.suppress(OSError):  # the new file has been written all the same
                discard(folder / name)


def _is_abandoned(path: Path, process: int, world: str | None) -> bool:
    if world not in (None, _world()):  # nobody here knows whether that process exists
        try:
            return time.time() - os.lstat(path).st_mtime > _LONG_AGO
        except FileNotFoundError:
            return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # a live process of another user
        pass
    return False


@functools.lru_cache(maxsize=1)
def _world() -> str:
    """Eight digits for the boot of the machine and the container, which number the processes."""
    known = ""
    with contextlib.suppress(OSError):  # only Linux has these
        known = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        known += os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(known.encode()):08x}"
