"""Checkpoints: what is kept, and that nothing which goes wrong in between loses it."""

from __future__ import annotations

import builtins
import contextlib
import errno
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop import Checkpoints
from earlystop._files.atomic import sync_folder, write_whole
from earlystop.checkpoints.checkpoints import LEDGER, checkpoints, filled, read_ledger

ROOT = Path(__file__).parents[2]


def writer(epoch: int) -> Callable[[Path], object]:
    """Writes a file whose text says which epoch it is of, and that it is whole."""

    def write(path: Path) -> None:
        with open(path, "w") as file:
            file.write(f"weights of epoch {epoch}")
            file.flush()
            file.write(", whole")

    return write


def content(epoch: int) -> str:
    return f"weights of epoch {epoch}, whole"


def names(folder: Path) -> set[str]:
    """The files in the folder, but for the ledger and the lock."""
    return {path.name for path in folder.iterdir()} - {LEDGER, ".checkpoints.lock"}


def save_all(
    checkpoints: Checkpoints, losses: list[float], start: int = 0, best: bool = True
) -> list[Path | None]:
    lowest = math.inf
    paths = []
    for epoch, loss in enumerate(losses, start):
        is_best = best and loss < lowest
        lowest = min(loss, lowest) if loss == loss else lowest
        paths.append(
            checkpoints.save(writer(epoch), epoch=epoch, metrics={"loss": loss}, best=is_best)
        )
    return paths


# What is kept -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, {3, 6}),
        ({"keep_last": 0}, {3}),
        ({"keep_last": 3}, {3, 4, 5, 6}),
        ({"keep_last": 0, "keep_best": 3, "monitor": "loss"}, {1, 3, 5}),
        ({"keep_last": 0, "keep_best": 2, "monitor": "loss", "mode": "max"}, {0, 3, 6}),
        ({"keep_last": 0, "keep_every": 3}, {2, 3, 5}),
    ],
)
def test_what_is_kept(settings: dict[str, Any], kept: set[int], tmp_path: Path) -> None:
    losses = [5.0, 3.0, 4.0, 1.0, 4.0, 3.0, 6.0]
    with Checkpoints(tmp_path, "{epoch}.txt", **settings) as checkpoints:
        save_all(checkpoints, losses)
        assert {entry.epoch for entry in checkpoints.entries} == kept
        assert names(tmp_path) == {f"{epoch}.txt" for epoch in kept}
        assert checkpoints.entries == read_ledger(tmp_path)
        assert checkpoints.best_path is not None
        assert checkpoints.best_path.read_text() == content(3)


def test_each_of_the_last_finds_the_best_of_its_time(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", keep_last=2) as checkpoints:
        save_all(checkpoints, [3.0, 4.0, 2.0])
        assert [entry.epoch for entry in checkpoints.entries] == [0, 1, 2]
        checkpoints.rewind(1)
        assert checkpoints.best is not None
        assert checkpoints.best.epoch == 0
        assert names(tmp_path) == {"0.txt", "1.txt"}
        checkpoints.rewind(5)
        checkpoints.rewind(-1)
        assert checkpoints.best is checkpoints.last is checkpoints.best_path is None
        assert checkpoints.last_path is None


def test_an_epoch_that_would_not_be_kept_is_not_written(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", keep_last=0) as checkpoints:
        paths = save_all(checkpoints, [2.0, 3.0, 1.0, 1.0])
        assert [path and path.name for path in paths] == ["0.txt", None, "2.txt", None]
        assert not checkpoints.wants(epoch=4, metrics={"loss": 9})
        assert checkpoints.wants(epoch=4, best=True)


def test_of_equal_ones_the_earlier_is_kept_and_a_nan_is_not_among_the_best(tmp_path: Path) -> None:
    losses = [math.nan, 2.0, 1.0, 1.0, 1.0, math.inf]
    with Checkpoints(tmp_path, monitor="loss", keep_best=2, keep_last=0) as checkpoints:
        save_all(checkpoints, losses, best=False)
        assert [entry.epoch for entry in checkpoints.entries] == [2, 3]


@given(
    losses=st.lists(st.integers(0, 5).map(float) | st.just(math.nan), max_size=12),
    k=st.integers(1, 4),
    last=st.integers(0, 3),
    every=st.none() | st.integers(1, 4),
)
def test_what_is_kept_is_what_a_look_back_over_the_whole_run_would_keep(
    losses: list[float], k: int, last: int, every: int | None
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Checkpoints(
            folder, monitor="loss", keep_best=k, keep_last=last, keep_every=every
        ) as checkpoints,
    ):
        save_all(checkpoints, losses)
        ranked = sorted((x, epoch) for epoch, x in enumerate(losses) if x == x)[:k]
        expected = {epoch for _, epoch in ranked}
        for end in range(len(losses) - last, len(losses)):
            before = [(x, epoch) for epoch, x in enumerate(losses[: end + 1]) if x == x]
            expected |= {end, *([min(before)[1]] if before else [])} if end >= 0 else set()
        expected |= {e for e in range(len(losses)) if every and (e + 1) % every == 0}
        assert {entry.epoch for entry in checkpoints.entries} == expected


def test_a_state_is_kept_without_a_file_too(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", keep_last=2) as checkpoints:
        checkpoints.save(writer(0), epoch=0, best=True, state={"at": 0})
        for epoch in (1, 2, 3):
            assert checkpoints.save(None, epoch=epoch, state={"at": epoch}) is None
        assert [entry.state for entry in checkpoints.entries] == [{"at": x} for x in (0, 2, 3)]
        assert checkpoints.last_path == tmp_path / "0.txt"


# Names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{epoch:04d}-{val_loss:.4f}.keras", "0007-0.2500.keras"),
        ("{epoch}", "7"),
        ("a{{b}}{epoch}", "a{b}7"),
        ("{val/acc:.1f}_{epoch:02d}.pt", "0.5_07.pt"),
        ("{epoch} {nan:.2f} {inf}", "7 nan -inf"),
    ],
)
def test_a_name_is_filled_in(template: str, name: str) -> None:
    values = {"epoch": 7, "val_loss": 0.25, "val/acc": 0.5, "nan": math.nan, "inf": -math.inf}
    assert filled(template, values) == name


@pytest.mark.parametrize(
    "template",
    [
        "../{epoch}.pt",
        "sub/{epoch}.pt",
        "/tmp/{epoch}.pt",  # noqa: S108
        "..\\{epoch}.pt",
        ".{epoch}.pt",
        "{epoch:/>8}.pt",
        "{epoch:\x00>8}",
        "{epoch:0999d}",
        "{epoch!r}.pt",
        "{epoch:{val_loss}}",
        "{}.pt",
        "{epoch",
        "{epoch}}",
        "{epoch:d}{val_loss:d}",
        "{epoch:s}",
        "fixed.pt",
        "",
    ],
)
def test_a_name_cannot_leave_the_folder_or_be_something_else(template: str, tmp_path: Path) -> None:
    with pytest.raises(es.RuleError, match="name"):
        Checkpoints(tmp_path / "run", template)
    assert not (tmp_path / "run").exists()


def test_a_field_is_looked_up_whole_and_never_inside_a_value(tmp_path: Path) -> None:
    for field in ("epoch.__class__", "epoch[0]", "val_los"):
        template = f"{{epoch}}{{{field}}}"
        with (
            Checkpoints(tmp_path, template) as checkpoints,
            pytest.raises(es.MissingMetricError, match="the metrics there are: epoch, val_loss"),
        ):
            checkpoints.save(writer(0), epoch=0, metrics={"val_loss": 1.0})
    assert names(tmp_path) == set()


def test_two_epochs_of_one_name_are_refused(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch:.0e}") as checkpoints:
        checkpoints.save(writer(10), epoch=10, best=True)
        with pytest.raises(es.CheckpointError, match=r"gives '1e.01' to more than one epoch"):
            checkpoints.save(writer(11), epoch=11)
        with pytest.raises(es.CheckpointError, match=r"not after epoch 10.*`rewind\(9\)`"):
            checkpoints.save(writer(10), epoch=10)


# Opening ----------------------------------------------------------------------------------------


def test_a_second_run_is_refused_unless_it_resumes(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True) as checkpoints:
        save_all(checkpoints, [2.0, 1.0, 3.0])
    with pytest.raises(es.CheckpointError, match=r"\(last epoch 2, best epoch 1\): pass resume"):
        Checkpoints(tmp_path, "{epoch}.txt")
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True) as checkpoints:
        assert [entry.epoch for entry in checkpoints.entries] == [1, 2]
        assert checkpoints.last is not None
        assert checkpoints.last.metrics == {"loss": 3.0}
        checkpoints.save(writer(3), epoch=3)
    assert names(tmp_path) == {"1.txt", "3.txt"}


def test_two_runs_at_a_time_are_refused_resuming_or_not(tmp_path: Path) -> None:
    code = (
        "import sys, earlystop as es\n"
        "try: es.Checkpoints(sys.argv[1], resume=True)\n"
        "except es.CheckpointError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with Checkpoints(tmp_path):
        for resume in (True, False):
            with pytest.raises(es.CheckpointError, match=r"in use by this process.*close"):
                Checkpoints(tmp_path / "." / "", resume=resume)
        output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert f"in use by process {os.getpid()} on" in output.stdout
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert output.stdout == ""


def test_a_lock_ends_with_the_object_too(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    del checkpoints
    again = Checkpoints(tmp_path)
    again.close()
    again.close()
    with pytest.raises(es.CheckpointError, match="are closed"):
        again.save(writer(0), epoch=0)


def test_files_that_are_not_of_the_run_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".hidden").write_text("mine")
    with Checkpoints(tmp_path, "{epoch}.txt", keep_last=0) as checkpoints:
        save_all(checkpoints, [3.0, 2.0, 1.0])
    Checkpoints(tmp_path, "{epoch}.txt", resume=True)
    assert names(tmp_path) == {"notes.txt", ".hidden", "2.txt"}


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "0.txt").write_text("mine")
    with Checkpoints(tmp_path, "{epoch}.txt") as checkpoints:
        with pytest.raises(es.CheckpointError, match=r"0\.txt' that is not of this run"):
            checkpoints.save(writer(0), epoch=0)
        checkpoints.save(writer(1), epoch=1)
    assert (tmp_path / "0.txt").read_text() == "mine"


def test_a_listed_file_that_somebody_deleted_is_forgotten(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", keep_every=1) as checkpoints:
        save_all(checkpoints, [3.0, 2.0, 4.0])
    (tmp_path / "1.txt").unlink()
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True) as checkpoints:
        assert checkpoints.best is not None
        assert checkpoints.best.epoch == 0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: "{", "is damaged"),
        (lambda d: "3", "should have"),
        (lambda d: {**d, "format": "other"}, "should have"),
        (lambda d: {**d, "version": 2}, "has version 2, this library reads version 1"),
        (lambda d: {**d, "unwanted": None}, "lacks"),
        (lambda d: {**d, "unwanted": ["../../precious"]}, "none of its folder"),
        (lambda d: {**d, "unwanted": ["checkpoints.json"]}, "none of its folder"),
        (lambda d: {**d, "checkpoints": d["checkpoints"] * 2}, "not in order"),
        (lambda d: {**d, "checkpoints": [{}]}, "entry 0 is damaged"),
        (lambda d: {**d, "checkpoints": [{**d["checkpoints"][0], "file": "../x"}]}, "none of its"),
        (lambda d: {**d, "checkpoints": [{**d["checkpoints"][0], "epoch": "1"}]}, "whole number"),
        (lambda d: {**d, "checkpoints": [{**d["checkpoints"][0], "metrics": []}]}, "an object"),
    ],
)
def test_a_damaged_ledger_is_refused_and_nothing_deleted(
    change: Callable[[Any], Any], text: str, tmp_path: Path
) -> None:
    folder = tmp_path / "runs" / "1"
    (tmp_path / "precious").write_text("mine")
    with Checkpoints(folder, "{epoch}.txt") as checkpoints:
        save_all(checkpoints, [1.0])
    changed = change(json.loads((folder / LEDGER).read_text()))
    (folder / LEDGER).write_text(changed if isinstance(changed, str) else json.dumps(changed))
    with pytest.raises(es.StateError, match=text):
        Checkpoints(folder, "{epoch}.txt", resume=True)
    assert names(folder) == {"0.txt"}
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"keep_best": 0}, "`Checkpoints\\(keep_best=...\\)` must be a whole number of at least 1"),
        ({"keep_last": -1}, "keep_last=...\\)` must be a whole number of at least 0, got -1"),
        ({"keep_every": 0}, "keep_every=...\\)` must be a whole number of at least 1, got 0"),
        ({"keep_best": 2}, "`Checkpoints\\(keep_best=2\\)` needs a metric"),
        ({"monitor": "gap"}, "`Checkpoints\\(mode=...\\)`: whether 'gap'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: Any, text: str, tmp_path: Path) -> None:
    with pytest.raises(es.RuleError, match=text):
        Checkpoints(tmp_path, **settings)


def test_a_state_that_is_not_json_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        for state in (object(), math.nan):
            with pytest.raises(es.StateError, match="must be plain JSON"):
                checkpoints.save(writer(0), epoch=0, state=state)
    assert names(tmp_path) == set()


# What goes wrong --------------------------------------------------------------------------------


class Crash(BaseException):
    """The process ends here."""


SYSTEM_CALLS = [
    (os, name)
    for name in ("open", "replace", "fsync", "unlink", "chmod", "write", "ftruncate", "listdir")
] + [(tempfile, "mkstemp"), (builtins, "open")]


class Faults:
    """Makes the n-th request to the system fail, counted from 0.

    after: it fails once it has been carried out. forever: and so do all that follow, as if the
    process had ended.
    """

    def __init__(self, n: int, error: Callable[[], BaseException], after: bool, forever: bool):
        self.n, self.error, self.after, self.forever = n, error, after, forever
        self.seen = 0

    def wrapped(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **settings: Any) -> Any:
            n, self.seen = self.seen, self.seen + 1
            if n > self.n and self.forever:
                raise self.error()
            if n == self.n and not self.after:
                raise self.error()
            try:
                return call(*arguments, **settings)
            finally:  # also of a request that fails anyway
                if n == self.n:
                    raise self.error()

        return wrapper

    def run(
        self, monkeypatch: pytest.MonkeyPatch, action: Callable[[], Any]
    ) -> BaseException | None:
        with monkeypatch.context() as patch:
            for module, name in SYSTEM_CALLS:
                patch.setattr(module, name, self.wrapped(getattr(module, name)))
            try:
                action()
            except BaseException as error:
                return error
        return None


def check_whole(folder: Path, bests: set[int]) -> None:
    """The ledger is readable, what it lists is whole, and its best is one of these."""
    entries = read_ledger(folder)
    for entry in entries:
        if entry.file is not None:
            assert (folder / entry.file).read_text() == content(entry.epoch)
    assert [entry.epoch for entry in entries if entry.best][-1] in bests


def begun(folder: Path) -> Checkpoints:
    checkpoints = Checkpoints(folder, "{epoch}.txt", keep_last=1)
    save_all(checkpoints, [3.0, 2.0, 4.0])
    return checkpoints


def next_save(checkpoints: Checkpoints) -> Path | None:
    return checkpoints.save(writer(3), epoch=3, metrics={"loss": 1.0}, best=True)


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("after", [False, True])
def test_whatever_request_the_system_refuses_nothing_is_lost(
    after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, failures = 0, 0
    while True:
        folder = tmp_path / str(n)
        checkpoints = begun(folder)
        faults = Faults(n, full, after, forever=False)
        error = faults.run(monkeypatch, lambda c=checkpoints: next_save(c))
        if faults.seen <= n:
            assert error is None
            break
        n += 1
        check_whole(folder, {1, 3})
        assert checkpoints.entries == read_ledger(folder)
        if error is not None:
            failures += 1
            assert isinstance(error, es.CheckpointError), repr(error)
            assert "No space left on device" in str(error)
            assert error.errno == errno.ENOSPC
        # It goes on where it can: the epoch again, if it was not saved, and the next.
        assert checkpoints.last is not None
        if checkpoints.last.epoch == 2:
            next_save(checkpoints)
        checkpoints.save(writer(4), epoch=4, metrics={"loss": 2.0})
        assert names(folder) == {"3.txt", "4.txt"}
        checkpoints.close()
    assert failures > 10


@pytest.mark.parametrize("forever", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_whenever_the_process_ends_the_best_is_there_and_the_folder_comes_clean(
    after: bool, forever: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 0
    while True:
        folder = tmp_path / str(n)
        checkpoints = begun(folder)
        faults = Faults(n, Crash, after, forever)
        error = faults.run(monkeypatch, lambda c=checkpoints: next_save(c))
        checkpoints.close()
        if faults.seen <= n:
            assert error is None
            break
        n += 1
        assert isinstance(error, Crash)
        check_whole(folder, {1, 3})
        with Checkpoints(folder, "{epoch}.txt", keep_last=1, resume=True) as again:
            check_whole(folder, {1, 3})
            assert names(folder) == {entry.file for entry in again.entries}
            assert again.last is not None
            assert again.last.epoch in (2, 3)
            if again.last.epoch == 2:
                next_save(again)
            assert names(folder) == {"3.txt"}
    assert n > 10


def test_a_crash_while_opening_or_rewinding_loses_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 0
    while True:
        folder = tmp_path / str(n)
        begun(folder).close()
        (folder / ".new-9.txt").write_text("half")

        def reopen(folder: Path = folder) -> None:
            with Checkpoints(folder, "{epoch}.txt", resume=True) as checkpoints:
                checkpoints.rewind(1)

        faults = Faults(n, Crash, after=False, forever=True)
        faults.run(monkeypatch, reopen)
        check_whole(folder, {1})
        reopen()
        assert names(folder) == {"1.txt"}
        if faults.seen <= n:
            break
        n += 1
    assert n > 5


def test_each_step_is_on_the_disk_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace, unlink = os.fsync, os.replace, os.unlink
    paths = {"folder": tmp_path}

    def told(handle: int) -> None:
        place = Path(os.readlink(f"/proc/self/fd/{handle}"))
        steps.append("sync folder" if place == paths["folder"] else f"sync {place.suffix}")
        fsync(handle)

    checkpoints = begun(tmp_path)
    monkeypatch.setattr(os, "fsync", told)
    monkeypatch.setattr(
        os, "replace", lambda a, b: (steps.append(f"name {Path(b).name}"), replace(a, b))
    )
    monkeypatch.setattr(os, "unlink", lambda a: (steps.append(f"delete {Path(a).name}"), unlink(a)))
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to tell which file is meant")
    next_save(checkpoints)
    assert steps == [
        "sync .txt",
        "name 3.txt",
        "sync .tmp",
        f"name {LEDGER}",
        "sync folder",
        "delete 1.txt",
        "delete 2.txt",
    ]
    checkpoints.close()


def test_a_name_that_a_loss_of_power_undid_is_given_again(tmp_path: Path) -> None:
    begun(tmp_path).close()
    (tmp_path / "1.txt").rename(tmp_path / ".new-1.txt")
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True):
        check_whole(tmp_path, {1})
    assert names(tmp_path) == {"1.txt", "2.txt"}


PLACING = """
import os, sys, time
from pathlib import Path
from earlystop.checkpoints.checkpoints import place

def write(path):
    with open(path, "w") as file:
        file.write(sys.argv[2] * 9)
        file.flush()
        print("half", flush=True)
        sys.stdin.readline()
        file.write(sys.argv[2] * 9)

place(Path(sys.argv[1]), write)
"""


def test_two_processes_that_place_one_file_do_not_mix_what_they_write(tmp_path: Path) -> None:
    path = tmp_path / "best.txt"
    one, other, killed = (
        subprocess.Popen(
            [sys.executable, "-c", PLACING, str(path), letter],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for letter in "abc"
    )
    for process in (one, other, killed):
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
    assert len(os.listdir(tmp_path)) == 3
    killed.kill()
    killed.communicate()
    one.communicate("\n")
    assert path.read_text() == "a" * 18
    assert len(os.listdir(tmp_path)) == 2  # what the one that was killed had written is gone
    other.communicate("\n")
    assert path.read_text() == "b" * 18
    assert os.listdir(tmp_path) == ["best.txt"]


def test_an_error_of_the_writer_is_raised_as_it_is(tmp_path: Path) -> None:
    def broken(path: Path) -> None:
        path.write_text("half of")
        raise ZeroDivisionError

    with begun(tmp_path) as checkpoints:
        before = checkpoints.entries
        with pytest.raises(ZeroDivisionError):
            checkpoints.save(broken, epoch=3, best=True)
        assert checkpoints.entries == before
        assert names(tmp_path) == {"1.txt", "2.txt"}
        with pytest.raises(es.CheckpointError, match=r"3\.txt' cannot be written: No such file"):
            checkpoints.save(lambda path: None, epoch=3, best=True)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(es.CheckpointError, match="cannot be used for checkpoints: "):
            Checkpoints(folder)


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """The superuser may write anywhere: as nobody, if need be."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_read_only_folder_is_a_clear_error_and_can_be_read() -> None:
    folder = Path(tempfile.mkdtemp())  # not below a folder that is closed to others
    try:
        begun(folder).close()
        (folder / ".checkpoints.lock").chmod(0o444)
        folder.chmod(0o555)
        with without_privileges():
            with pytest.raises(es.CheckpointError, match="Permission denied"):
                Checkpoints(folder, resume=True)
            assert [entry.epoch for entry in read_ledger(folder)] == [1, 2]
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")

    def write(path: Path) -> None:
        path.symlink_to("/dev/full")
        path.write_text("more than there is room for")

    with begun(tmp_path) as checkpoints:
        with pytest.raises(es.CheckpointError, match=r"3\.txt' cannot be written: No space left"):
            checkpoints.save(write, epoch=3, best=True)
        assert names(tmp_path) == {"1.txt", "2.txt"}


def test_syncing_a_folder_is_left_out_where_there_is_no_such_thing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "name", "nt")
    sync_folder("there/is/no/such/folder")


TRAINING = """
import json, sys, time
from pathlib import Path
from earlystop import Checkpoints, checkpoints

def write(path):
    with open(path, "w") as file:
        for part in range(40):  # long enough to be killed in the middle
            file.write(f"epoch {epoch} " * 50)
            file.flush()
        file.write("whole")

with Checkpoints(sys.argv[1], "{epoch}.txt", keep_last=1, resume=True) as checkpoints:
    epoch = checkpoints.last.epoch + 1 if checkpoints.last else 0
    print("ready", flush=True)
    while True:
        checkpoints.save(write, epoch=epoch, best=epoch % 3 == 0, state=epoch)
        epoch += 1
"""


def test_killed_at_any_time_the_best_is_loadable_and_the_run_goes_on(tmp_path: Path) -> None:
    random_ = random.Random(4)
    reached = -1
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", TRAINING, str(tmp_path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(random_.uniform(0.0, 0.05))
        process.kill()
        process.wait()
        process.stdout.close()
        entries = read_ledger(tmp_path)
        for entry in entries:
            assert entry.file is not None
            text = (tmp_path / entry.file).read_text()
            assert text == f"epoch {entry.epoch} " * 2000 + "whole"
        if entries:
            best = [entry.epoch for entry in entries if entry.best]
            assert best[-1] == entries[-1].epoch // 3 * 3
            assert entries[-1].epoch >= reached
            reached = entries[-1].epoch
    assert reached > 0
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True) as checkpoints:
        assert names(tmp_path) == {entry.file for entry in checkpoints.entries}


# Room that is given back later --------------------------------------------------------------------


def test_a_save_of_no_more_than_state_waits_for_the_room_it_may_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    monkeypatch.setattr(checkpoints, "wait_for_room", lambda: events.append("waited"))

    def write(path: str | os.PathLike[str], data: bytes) -> Path:
        events.append("ledger")
        return write_whole(path, data)

    monkeypatch.setattr(checkpoints, "write_whole", write)
    with Checkpoints(tmp_path) as kept:
        for epoch in range(2):
            kept.save(None, epoch=epoch)
        kept.rewind(0)
        assert events == ["waited", "ledger"] * 3


def test_others_have_the_folder_where_the_wait_for_room_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    kept = Checkpoints(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "wait_for_room", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kept.close()
    Checkpoints(tmp_path).close()
