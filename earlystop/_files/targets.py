"""What a new file replaces: where that is, behind links, and what of it is kept.

A careful editor leaves a link a link and a private file private. So does this: the new file takes
the place of the one behind the link, with its permissions, and with its owner and group where the
system allows it. Another name of the old file (a hard link) keeps the old content: only by a rename
is a file written either completely or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

__all__ = ["Target", "own_handle", "temporary_beside"]

_MOST_LINKS = 40
_LONGEST = 255  # the bytes that file systems allow in a name
_OWN_HANDLES = re.compile(r"/dev/fd|/proc/(\d+)(/task/\d+)?/fd")


class Target(NamedTuple):
    """Where a file is to be written.

    path: where it is; there may be no file yet.
    found: what is there; None if nothing is.
    """

    path: Path
    found: os.stat_result | None

    @classmethod
    def at(cls, path: Path) -> Target:
        """The target of a path which, if it is a link, is replaced rather than followed."""
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return cls(path, None)
        return cls(path, found if stat.S_ISREG(found.st_mode) else None)

    @classmethod
    def behind(cls, path: Path) -> Target:
        """The target of a path, behind all links.

        Raises OSError for a folder, a link that leads in a circle, and a path in a folder that does
        not exist.
        """
        try:
            found = os.stat(path)
        except FileNotFoundError:
            found = None  # perhaps a link to a file that is not there yet
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, "there is a folder of this name", str(path))
        behind = _behind_links(path)
        if found is None or stat.S_ISREG(found.st_mode) or own_handle(behind) is not None:
            path = behind
        if not path.parent.is_dir():  # otherwise the error would name the temporary file
            raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))
        return cls(path, found)

    @property
    def is_replaceable(self) -> bool:
        """Whether a file may take its place: there is none, or a regular one with a place."""
        return self.found is None or (
            stat.S_ISREG(self.found.st_mode) and own_handle(self.path) is None
        )

    @property
    def mode(self) -> int:
        """The permissions with which to create the file, before the umask."""
        return 0o666 if self.found is None else stat.S_IMODE(self.found.st_mode) & 0o777

    def keep_permissions(self, path: str | os.PathLike[str]) -> None:
        """Give a new file what the old one has; one that does not replace any keeps its own."""
        if self.found is None or os.name == "nt":
            return
        new, mode = os.stat(path), self.mode
        if (new.st_uid, new.st_gid) != (self.found.st_uid, self.found.st_gid):
            with contextlib.suppress(PermissionError):  # only the superuser gives files away
                os.chown(path, -1, self.found.st_gid)
                os.chown(path, self.found.st_uid, -1)
            new = os.stat(path)
        if new.st_gid != self.found.st_gid:  # another group may do no more than all others
            mode &= ~0o070 | (mode & 0o007) << 3
        if stat.S_IMODE(new.st_mode) != mode:
            os.chmod(path, mode)


def own_handle(path: Path) -> int | None:
    """The number of the open handle of this process that a path such as /dev/fd/1 stands for."""
    if not path.name.isdecimal():
        return None
    found = _OWN_HANDLES.fullmatch(os.path.realpath(path.parent))
    is_own = found is not None and found[1] in (None, str(os.getpid()))
    return int(path.name) if is_own else None


def temporary_beside(path: Path) -> Path:
    """A new name in the folder of a file, for what is not complete yet."""
    ending = f".{os.urandom(4).hex()}.tmp"
    name = os.fsencode(f".{path.name}")[: _LONGEST - len(ending)]
    return path.with_name(name.decode(errors="ignore") + ending)


def _behind_links(path: Path) -> Path:
    for _ in range(_MOST_LINKS):
        if own_handle(path) is not None or not path.is_symlink():
            return path
        path = path.parent / os.readlink(path)
    raise OSError(errno.ELOOP, "this link leads in a circle", str(path))
