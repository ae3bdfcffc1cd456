"""A file that is written anew stays what it was: private, behind its link, or a device."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import earlystop as es
from earlystop._files.atomic import replace_whole, write_whole
from earlystop.checkpoints import write_atomically

Write = Callable[[Path, bytes], object]


def atomically(path: Path, data: bytes) -> None:
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


WAYS = {"write_whole": write_whole, "write_atomically": atomically}
EVERY_WAY = {**WAYS, "replace_whole": replace_whole}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither modes nor pipes")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("before", [0o600, 0o644, 0o640, 0o400, 0o666, 0o755])
def test_a_file_keeps_its_permissions(before: int, way: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(before)
    EVERY_WAY[way](path, b"new")
    assert path.read_bytes() == b"new"
    assert oct(mode(path)) == oct(before)
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("way", ["write_whole", "replace_whole"])
def test_what_takes_the_place_of_a_private_file_is_never_open_to_others(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen, write = tmp_path / "a", set(), os.write
    path.write_bytes(b"old")
    path.chmod(0o600)

    def looking(number: int, data: bytes) -> int:
        seen.update(oct(mode(path)) for path in tmp_path.iterdir())
        return write(number, data)

    monkeypatch.setattr(os, "write", looking)
    EVERY_WAY[way](path, b"new")
    assert seen == {"0o600"}


@pytest.mark.parametrize("way", EVERY_WAY)
def test_a_new_file_has_the_permissions_of_the_umask(way: str, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        EVERY_WAY[way](tmp_path / "a", b"new")
    finally:
        os.umask(before)
    assert oct(mode(tmp_path / "a")) == "0o640"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs privileges")
@pytest.mark.parametrize("way", EVERY_WAY)
def test_a_file_keeps_its_owner_where_the_system_allows_it(way: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    EVERY_WAY[way](path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs privileges")
def test_a_group_that_a_file_did_not_have_may_do_no_more_than_all_others(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    path.chmod(0o664)
    tmp_path.chmod(0o777)
    tmp_path.parent.chmod(0o755)

    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "chown", refused)
        write_whole(path, b"new")
    assert oct(mode(path)) == "0o644"


# Links --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("target", ["disk/a", "disk/new", "disk/chain", "../run/disk/a"])
def test_a_link_stays_and_the_file_behind_it_is_replaced(
    target: str, way: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    (run / "disk").mkdir(parents=True)
    (run / "disk" / "a").write_bytes(b"old")
    (run / "disk" / "chain").symlink_to("a")
    (run / "link").symlink_to(target)
    kept = (run / "disk" / "a").stat().st_ino
    WAYS[way](run / "link", b"new")
    assert os.readlink(run / "link") == target
    assert (run / "disk" / "chain").is_symlink()
    assert (run / "link").read_bytes() == b"new"
    assert (run / target).resolve().stat().st_ino != kept  # by a rename, not in place
    assert set(os.listdir(run)) == {"disk", "link"}
    assert set(os.listdir(run / "disk")) <= {"a", "chain", "new"}


@pytest.mark.parametrize("way", WAYS)
def test_a_link_in_a_circle_or_into_no_folder_is_an_error(way: str, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    (tmp_path / "nowhere").symlink_to("no-folder/a")
    for name, text in (("one", "levels of symbolic links|circle"), ("nowhere", "no such folder")):
        with pytest.raises(OSError, match=text):
            WAYS[way](tmp_path / name, b"new")
        assert (tmp_path / name).is_symlink()
    assert len(os.listdir(tmp_path)) == 3


def test_a_file_of_ones_own_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"precious")
    (tmp_path / "ledger").symlink_to("mine")
    replace_whole(tmp_path / "ledger", b"new")
    assert (tmp_path / "mine").read_bytes() == b"precious"
    assert not (tmp_path / "ledger").is_symlink()


@pytest.mark.parametrize("way", EVERY_WAY)
def test_another_name_of_a_file_keeps_the_old_content(way: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    os.link(tmp_path / "a", tmp_path / "backup")
    EVERY_WAY[way](tmp_path / "a", b"new")
    assert (tmp_path / "backup").read_bytes() == b"old"


# What is no regular file --------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_folder_of_the_name_is_a_clear_error(way: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="there is a folder of this name"):
        WAYS[way](tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == ["a"]


def test_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(os.devnull)
    for path in (Path(os.devnull), tmp_path / "link"):
        before = os.stat(path)
        write_whole(path, b"x" * 999)
        assert stat.S_ISCHR(os.stat(path).st_mode)
        assert os.stat(path).st_ino == before.st_ino
    assert (tmp_path / "link").is_symlink()


def test_a_pipe_is_written_to_and_what_makes_checkpoints_refuses_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_whole(tmp_path / "pipe", b"all of it")
    reader.join(20)
    assert read == [b"all of it"]
    with pytest.raises(es.CheckpointError, match="neither a file nor a folder"):
        atomically(tmp_path / "pipe", b"new")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_the_standard_output_is_written_to_whatever_it_is(path: str, tmp_path: Path) -> None:
    if not os.path.exists(path):
        pytest.skip("this system has no such file")
    code = (
        "import os, sys; from earlystop._files.atomic import write_whole\n"
        "os.write(1, b'before '); write_whole(sys.argv[1], b'it'); os.write(1, b' after')"
    )
    command = [sys.executable, "-c", code, path]
    piped = subprocess.run(command, check=True, capture_output=True)
    assert piped.stdout == b"before it after"
    with open(tmp_path / "out", "wb") as file:
        subprocess.run(command, check=True, stdout=file)
    assert (tmp_path / "out").read_bytes() == b"before it after"
    assert os.listdir(tmp_path) == ["out"]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    name = "é" * 127
    write_whole(tmp_path / name, b"new")
    assert os.listdir(tmp_path) == [name]
