"""Files are replaced and deleted in a rain of interrupts: nothing is left open, nothing stuck."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import earlystop as es
from earlystop._files.atomic import remove, write_whole
from earlystop._files.deferred_close import wait_for_space
from tests.support.interrupts import interrupted_everywhere

SOURCES = str(Path(es.__file__).parent / "_files")


def handles() -> int:
    return len(os.listdir("/dev/fd"))


def replace_and_remove(path: Path) -> None:
    write_whole(path, b"new")
    remove(path)
    wait_for_space()


def test_an_interrupt_at_any_moment_leaves_the_old_file_or_the_new_and_no_handle(
    tmp_path: Path,
) -> None:
    path, count = tmp_path / "a", 0

    def prepare() -> Path:
        path.write_bytes(b"old")
        return path

    replace_and_remove(prepare())
    before = handles()
    for _ in interrupted_everywhere(prepare, replace_and_remove, SOURCES):
        count += 1
        assert not path.exists() or path.read_bytes() in (b"old", b"new")
        wait_for_space()
        assert handles() == before
    assert count > 80


# In a process of its own: one with a thread that is stuck can only be killed.
RAIN = """if True:
    import os, random, signal, sys, time
    from earlystop import Checkpoints
    from earlystop._files.deferred_close import wait_for_space

    signal.signal(signal.SIGALRM, signal.default_int_handler)
    random.seed(1)
    folder, interrupts, epoch = sys.argv[1], 0, 0
    checkpoints = Checkpoints(folder, "{epoch}.txt", resume=True)
    wait_for_space()
    before = os.listdir("/dev/fd")

    def save():
        last = checkpoints.last
        checkpoints.save(
            lambda path: path.write_text("whole"),
            epoch=last.epoch + 1 if last else 0, best=True,
        )

    start = time.monotonic()
    save()
    save()
    took = time.monotonic() - start
    end = time.monotonic() + 4
    while time.monotonic() < end:
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, took))
            while True:
                save()
        except KeyboardInterrupt:
            interrupts += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    wait_for_space()
    left = set(os.listdir("/dev/fd")) - set(before)
    epochs = checkpoints.last.epoch
    checkpoints.close()
    print(interrupts, len(left), epochs)
    """


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="needs signals that come by themselves"
)
def test_saves_that_are_interrupted_at_random_leave_no_handle_and_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RAIN, str(tmp_path)],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    interrupts, left, epochs = map(int, done.stdout.split())
    assert interrupts > 5
    assert epochs > 2
    assert left == 0
    with es.Checkpoints(tmp_path, "{epoch}.txt", resume=True) as checkpoints:
        assert checkpoints.best_path is not None
        assert checkpoints.best_path.read_text() == "whole"
        listed = {"checkpoints.json", ".checkpoints.lock", checkpoints.best_path.name}
        assert set(os.listdir(tmp_path)) == listed  # what interrupts have left is gone
