"""Loses the power of real file systems in the middle of saves, and looks at what is left.

    python -m benchmarks.crash.power [--file-systems ext4,ext4-writeback,xfs,btrfs]

Each file system is made in a file and mounted through a loop device. A run saves five checkpoints
there; before and after every call that syncs, renames, deletes or truncates, the file is copied:
that is what the disk would have if the machine lost its power then. Each copy is mounted (which
replays its journal), and must hold every save that had returned; the run must go on to its end.
`tests/checkpoints/test_power_loss.py` tries more states in a model. Needs root, loop devices and
the tools of the file systems (e2fsprogs, xfsprogs, btrfs-progs).
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from earlystop import Checkpoints

FILE_SYSTEMS: dict[str, tuple[int, list[str], str]] = {  # MiB, how it is made, how it is mounted
    "ext4": (32, ["mkfs.ext4", "-q"], "loop"),
    "ext4-writeback": (32, ["mkfs.ext4", "-q"], "loop,data=writeback"),
    "xfs": (320, ["mkfs.xfs", "-q"], "loop"),
    "btrfs": (128, ["mkfs.btrfs", "-q"], "loop"),
}
CALLS = ("fsync", "replace", "rename", "unlink", "ftruncate")
LOSSES = [0.9, 0.5, 0.7, 0.6, 0.4]


def content(epoch: int) -> bytes:
    return b"weights of epoch %d, whole " % epoch * 200


def run(folder: Path, on_save: Callable[[int], Any]) -> None:
    """Go on with the run from wherever the folder says it stands."""
    with Checkpoints(folder, "{epoch}.bin", keep_last=1, resume=True) as checkpoints:
        for entry in (checkpoints.best, checkpoints.last):
            path = checkpoints.path(entry)
            assert entry is None or path is None or path.read_bytes() == content(entry.check)
        first = -1 if checkpoints.last is None else checkpoints.last.check
        on_save(first)
        for epoch in range(first + 1, len(LOSSES)):
            best = LOSSES[epoch] == min(LOSSES[: epoch + 1])
            write = functools.partial(Path.write_bytes, data=content(epoch))
            checkpoints.save(write, epoch=epoch, best=best)
            on_save(epoch)


@contextlib.contextmanager
def mounted(image: Path, options: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as point:
        subprocess.run(["mount", "-o", options, str(image), point], check=True)  # noqa: S607
        try:
            yield Path(point)
        finally:
            subprocess.run(["umount", point], check=True)  # noqa: S607


class Snapshots:
    """Copies of an image, taken around every call that changes what is on the disk for certain.

    taken: each with the epoch up to which saves had returned, and the call.
    """

    def __init__(self, image: Path) -> None:
        self.image, self.promised = image, -1
        self.taken: list[tuple[Path, int, str]] = []

    def save_returned(self, epoch: int) -> None:
        self.promised = epoch

    def take(self, call: str) -> None:
        copy = self.image.with_name(f"{len(self.taken)}.img")
        command = ["cp", "--sparse=always", str(self.image), str(copy)]
        subprocess.run(command, check=True)
        self.taken.append((copy, self.promised, call))

    def watched(self, name: str) -> Callable[..., Any]:
        call = getattr(os, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            self.take(f"before {name}")
            result = call(*arguments, **options)
            self.take(f"after {name}")
            return result

        return watched


def campaign(name: str, top: Path) -> collections.Counter[str]:
    """Try every state of one file system. Raises AssertionError if something was lost."""
    size, make, options = FILE_SYSTEMS[name]
    image = top / "disk"
    with open(image, "wb") as file:
        file.truncate(size * 2**20)
    subprocess.run([*make, str(image)], check=True)
    snapshots = Snapshots(image)
    with mounted(image, options) as point, contextlib.ExitStack() as stack:
        (point / "run").mkdir()
        os.sync()
        for call in CALLS:
            stack.enter_context(mock.patch.object(os, call, snapshots.watched(call)))
        run(point / "run", snapshots.save_returned)
    counts: collections.Counter[str] = collections.Counter()
    for copy, promised, call in snapshots.taken:
        with mounted(copy, options) as point:
            folder = Path(shutil.copytree(point / "run", top / "found"))
        reached: list[int] = []
        run(folder, reached.append)
        assert reached[0] >= promised, f"{name}: epoch {promised} is lost {call}"
        assert sorted(path.name for path in folder.glob("*.bin")) == ["4.bin"], call
        counts["states"] += 1
        counts[f"  {call}"] += 1
        counts["  with the save in progress complete"] += reached[0] > promised
        shutil.rmtree(folder)
        copy.unlink()
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--file-systems", default=",".join(FILE_SYSTEMS))
    arguments = parser.parse_args()
    if os.name != "posix" or os.geteuid() != 0:
        sys.exit("this needs root, to mount file systems")
    for name in arguments.file_systems.split(","):
        with tempfile.TemporaryDirectory() as top:
            counts = campaign(name, Path(top))
        print(f"{name}: nothing was lost")
        for what, count in counts.items():
            print(f"{count:6} {what}")


if __name__ == "__main__":
    main()
