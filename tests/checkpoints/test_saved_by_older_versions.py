"""Folders that older versions left, after a close or a kill, open and go on for ever.

`tests/data/VERSION/checkpoints/` holds a folder for each case: `run/` as that version left it, and
`expected.json`: what that version itself made of `run/` when it opened it again.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import earlystop as es
from earlystop import Checkpoints
from earlystop.checkpoints import read_ledger

from .runs import names

DATA = Path(__file__).parents[1] / "data"
CASES = sorted(path.parent for path in DATA.glob("*/checkpoints/*/expected.json"))


@pytest.fixture(params=CASES, ids=lambda case: case.relative_to(DATA).as_posix())
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A copy of a folder, and what is expected of it."""
    shutil.copytree(request.param / "run", tmp_path / "run")
    return tmp_path / "run", json.loads((request.param / "expected.json").read_text())


def reopened(folder: Path, expected: dict[str, Any]) -> Checkpoints:
    return Checkpoints(folder, expected["name"], resume=True, **expected["settings"])


def test_the_first_version_has_saved_folders() -> None:
    assert len([case for case in CASES if case.parts[-3] == "0.1.0"]) >= 7


def test_a_folder_opens_as_the_version_that_wrote_it_opened_it(
    case: tuple[Path, dict[str, Any]],
) -> None:
    folder, expected = case
    with reopened(folder, expected) as checkpoints:
        entries = checkpoints.entries
        assert [[e.epoch, e.file, e.best] for e in entries] == expected["entries"]
        assert checkpoints.best is not None
        assert checkpoints.last is not None
        assert checkpoints.best.epoch == expected["best"]
        assert checkpoints.last.epoch == expected["last"]
        assert names(folder) == set(expected["files"]) - {"checkpoints.json"}
    for entry in entries:
        assert entry.metrics["loss"] == float(expected["losses"][entry.epoch])
        if entry.file is not None:
            assert (folder / entry.file).read_text() == f"weights of epoch {entry.epoch}"
    with pytest.raises(es.CheckpointError, match="pass resume=True to continue it"):
        Checkpoints(folder, expected["name"])


def test_the_run_goes_on_with_the_same_decisions(case: tuple[Path, dict[str, Any]]) -> None:
    folder, expected = case
    stopper = es.EarlyStopping("loss", patience=5)
    with reopened(folder, expected) as checkpoints:
        assert checkpoints.last is not None
        stopper.load_state_dict(checkpoints.last.state["stopper"])
        first = checkpoints.last.epoch + 1
        for epoch, (stop, save) in enumerate(expected["decisions_after_last"], first):
            loss = float(expected["losses"][epoch])
            decision = stopper.step({"loss": loss})
            assert (decision.stop, decision.save) == (stop, save)
            checkpoints.save(
                lambda path, epoch=epoch: path.write_text(f"weights of epoch {epoch}"),
                epoch=epoch,
                metrics={"loss": loss},
                best=decision.save,
                state={"stopper": stopper.state_dict()},
            )
        assert decision.stop
        assert checkpoints.best_path is not None
        assert checkpoints.best_path.read_text() == f"weights of epoch {stopper.best_epoch}"
        assert read_ledger(folder) == checkpoints.entries
        assert names(folder) == {e.file for e in checkpoints.entries if e.file is not None}
