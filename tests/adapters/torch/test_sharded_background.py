"""Sharded models that are saved in the background: real processes, each with its shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.torch.sharded import stager
from torch.distributed.checkpoint import staging

from earlystop.checkpoints import read_ledger
from earlystop.errors import RuleError
from tests.adapters.torch.sharded_runs import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("background")


@pytest.fixture(scope="module")
def two(folder: Path) -> dict[str, list[Any]]:
    return run(folder, 2, "background", "background_errors")


def test_decisions_weights_and_the_best_are_those_of_a_run_that_waits_for_the_disk(
    two: dict[str, list[Any]], folder: Path
) -> None:
    # They compare the two runs themselves. A checkpoint is listed only after it was written.
    first, second = two["background"]
    assert first == second == [[], [0], [1], [1], [1, 2], [3], [3], [3, 4]]
    whole, written = (read_ledger(folder / name) for name in ("whole", "background"))
    assert whole == written
    for entry in whole:
        for name in ("whole", "background"):
            names = sorted(path.name for path in (folder / name / str(entry.file)).iterdir())
            assert names == [".metadata", "__0_0.distcp", "__1_0.distcp", "training.pt"]


def test_what_fails_on_one_rank_is_an_error_of_the_next_call_on_all_that_names_the_epoch(
    two: dict[str, list[Any]],
) -> None:
    for rank, (told, epochs) in enumerate(two["background_errors"]):
        for n, epoch in ((2, 1), (5, 3), (8, 4)):
            assert told[n].startswith(f"epoch {epoch} could not be saved in the background: ")
            assert "rank 1: [Errno 28] No space left on device" in told[n]
            assert ("rank 0 failed: " in told[n]) == (rank > 0)
        assert told[3] == "epoch 2: continue"
        assert told[6] == "the best, epoch 3, is no longer in the folder"
        assert told[9] is None
        assert epochs == [[2, [0]], [3, [0]], [4, [0, 2]], [4, [0, 2]], [5, [0, 2]], [5, [0, 2]]]


def test_a_kill_while_shards_are_written_leaves_only_whole_checkpoints_from_which_the_run_goes_on(
    folder: Path,
) -> None:
    run(folder, 2, "killed", ends=-9)
    names = sorted(path.name for path in (folder / "killed").iterdir())
    assert [entry.epoch for entry in read_ledger(folder / "killed")] == [1]
    assert [name for name in names if name.endswith(".pt")] == [".new-0002.pt", "0001.pt"]
    assert run(folder, 2, "after_kill")["after_kill"] == [2, 2]


def test_shards_are_copied_into_the_same_memory_and_an_older_pytorch_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copies, weight = stager(), torch.ones(3)
    first = copies.stage({"weight": weight})["weight"]
    assert first.data_ptr() != weight.data_ptr()
    weight.fill_(2)
    assert first.tolist() == [1, 1, 1]
    again = copies.stage({"weight": weight})["weight"]
    assert again.tolist() == [2, 2, 2]
    assert (again.data_ptr() == first.data_ptr()) is copies.lasts
    monkeypatch.delattr(staging, "DefaultStager")
    with pytest.raises(RuleError, match="needs a newer PyTorch than"):
        stager()


class Once(staging.DefaultStager):
    """As that of PyTorch 2.11, which can be used once."""

    def stage(self, state_dict: Any, **kwargs: Any) -> Any:
        copied = super().stage(state_dict, **kwargs)
        self.close()
        return copied


def test_shards_are_copied_again_where_what_copies_them_can_be_used_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(staging, "DefaultStager", Once)
    copies, weight = stager(), torch.ones(3)
    assert copies.stage({"weight": weight})["weight"].tolist() == [1, 1, 1]
    again = copies.stage({"weight": weight.fill_(2)})["weight"]
    assert again.tolist() == [2, 2, 2]
    assert again.data_ptr() != weight.data_ptr()
