"""Checkpoints that are folders: as whole as files, and removed with all that is in them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import earlystop as es
from earlystop import Checkpoints
from earlystop.checkpoints import read_ledger, write_atomically

from .runs import begun, check_whole, content, folder_writer, names, next_save, save_all, text_of
from .test_refused import without_privileges


def test_a_folder_is_listed_found_and_replaced_like_a_file(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.model", keep_last=1) as checkpoints:
        paths = save_all(checkpoints, [3.0, 2.0, 4.0, 5.0], what="a folder")
        assert names(tmp_path) == {"1.model", "3.model"}
        assert (checkpoints.best_path, checkpoints.last_path) == (paths[1], paths[3])
        assert paths[1] is not None
        assert text_of(paths[1]) == content(1)
    with Checkpoints(tmp_path, "{epoch}.model", resume=True) as checkpoints:
        assert [entry.file for entry in read_ledger(tmp_path)] == ["1.model", "3.model"]
        checkpoints.rewind(1)
        assert names(tmp_path) == {"1.model"}
        checkpoints.save(folder_writer(3), epoch=3)
        assert text_of(tmp_path / "3.model") == content(3)


def test_files_and_folders_may_follow_each_other_under_one_name(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.model", keep_last=2) as checkpoints:
        for what in ("a file", "a folder", "a file"):
            save_all(checkpoints, [2.0, 1.0], what=what)
            assert all(text_of(tmp_path / f"{n}.model") == content(n) for n in (0, 1))
            checkpoints.rewind(-1)
            assert names(tmp_path) == set()


def test_what_links_in_a_folder_lead_to_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").write_text("precious")

    def write(path: Path) -> None:
        path.mkdir()
        (path / "folder").symlink_to(mine)
        (path / "file").symlink_to(mine / "precious")
        (path / "nothing").symlink_to("nowhere")

    with Checkpoints(tmp_path / "run", "{epoch}") as checkpoints:
        checkpoints.save(write, epoch=0)
        checkpoints.rewind(-1)
        with pytest.raises(ZeroDivisionError):
            checkpoints.save(lambda path: (write(path), 1 // 0), epoch=0)
        assert names(tmp_path / "run") == set()
    write(tmp_path / "run" / ".new-7")
    Checkpoints(tmp_path / "run").close()
    assert names(tmp_path / "run") == set()
    assert (mine / "precious").read_text() == "precious"


@pytest.mark.skipif(os.name == "nt", reason="Windows protects files otherwise")
def test_a_folder_whose_maker_protected_it_is_removed_all_the_same() -> None:
    import tempfile

    def write(path: Path) -> None:
        folder_writer(0)(path)
        (path / "weights").chmod(0o444)
        (path / "tokens").chmod(0o500)
        path.chmod(0o500)

    top = Path(tempfile.mkdtemp())  # not below a folder that is closed to others
    top.chmod(0o777)
    with without_privileges():
        with Checkpoints(top / "run", "{epoch}") as checkpoints:
            checkpoints.save(write, epoch=0)
            checkpoints.rewind(-1)
            with pytest.raises(ZeroDivisionError):
                checkpoints.save(lambda path: (write(path), 1 // 0), epoch=0)
            assert names(top / "run") == set()
        write(top / "run" / ".old-3")
        Checkpoints(top / "run").close()
        assert names(top / "run") == set()
    for name in (".checkpoints.lock", "checkpoints.json"):
        (top / "run" / name).unlink()
    (top / "run").rmdir()
    top.rmdir()


REFUSED: dict[str, Callable[[Path], object]] = {
    "neither a file nor a folder": lambda path: None,
    "a pipe": os.mkfifo if hasattr(os, "mkfifo") else lambda path: None,
    "a link to a folder": lambda path: path.symlink_to(path.parent),
}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_neither_file_nor_folder_is_refused_and_harms_nothing(
    what: str, tmp_path: Path
) -> None:
    with begun(tmp_path) as checkpoints:
        with pytest.raises(es.CheckpointError, match=f"cannot be written: `write` made .*{what}"):
            next_save_by(checkpoints, REFUSED[what])
        assert names(tmp_path) == {"1.txt", "2.txt"}
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True) as checkpoints:
        next_save(checkpoints)
    check_whole(tmp_path, {3})


def next_save_by(checkpoints: Checkpoints, write: Callable[[Path], object]) -> None:
    checkpoints.save(write, epoch=3, metrics={"loss": 1.0}, best=True)


def test_what_an_earlier_save_left_is_not_taken_for_what_is_written_now(tmp_path: Path) -> None:
    with begun(tmp_path) as checkpoints:
        folder_writer(9)(tmp_path / ".new-3.txt")
        with pytest.raises(es.CheckpointError, match="`write` made neither"):
            next_save_by(checkpoints, lambda path: None)
        folder_writer(9)(tmp_path / ".new-3.txt")
        next_save(checkpoints, "a folder")
    check_whole(tmp_path, {3})


def test_a_single_folder_is_written_whole_where_nothing_is(tmp_path: Path) -> None:
    path = tmp_path / "best"
    write_atomically(path, folder_writer(1))
    assert text_of(path) == content(1)
    with pytest.raises(es.CheckpointError, match="there is a folder of this name"):
        write_atomically(path, folder_writer(2))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(es.CheckpointError, match="made a folder, and there is a file of this name"):
        write_atomically(tmp_path / "file", folder_writer(2))
    assert text_of(path) == content(1)
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["best", "file"]
