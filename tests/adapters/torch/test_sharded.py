"""Models whose weights are shared out over the ranks: real processes, each with its shards."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.torch import Training
from earlystop.adapters.torch.sharded import filled, has_shards, split
from torch.distributed.checkpoint.metadata import BytesStorageMetadata, Metadata

import earlystop as es
from earlystop.checkpoints import read_ledger
from tests.adapters.torch.runs import linear, stopper
from tests.adapters.torch.sharded_runs import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sharded")


@pytest.fixture(scope="module")
def two(folder: Path) -> dict[str, list[Any]]:
    """Two ranks; that an interrupted run ends as one never interrupted, they check themselves."""
    return run(folder, 2, "resumed", "errors")


def test_an_interrupted_run_goes_on_exactly_and_every_rank_writes_its_own(
    two: dict[str, list[Any]], folder: Path
) -> None:
    first, second = two["resumed"]
    assert first == second
    entries = read_ledger(folder / "run")
    assert [entry.epoch for entry in entries] == [3, 4]
    for entry in entries:
        assert entry.state["shards"] == 2
        written = sorted(path.name for path in (folder / "run" / str(entry.file)).iterdir())
        assert written == [".metadata", "__0_0.distcp", "__1_0.distcp", "training.pt"]
    assert es.read_history(folder / "run").names == ("run",)


def test_a_checkpoint_is_read_by_a_process_alone_and_by_more_ranks(
    two: dict[str, list[Any]], folder: Path
) -> None:
    told = two["resumed"][0]
    for world in (1, 3):
        for seen in run(folder, world, "reread")["reread"]:
            assert seen == [5, told[4][1], told[3][1], [5, 3]]


def test_what_fails_on_one_rank_fails_on_all_and_leaves_no_trace(two: dict[str, list[Any]]) -> None:
    for rank, (told, names, written) in enumerate(two["errors"]):
        assert told[::2] == ["epoch 0: save, continue", "epoch 1: save, continue"]
        assert "cannot be written: rank 1: [Errno 28] No space left on device" in told[1]
        assert told[1].startswith("rank 0 failed: ") == (rank > 0)
        assert "`Training.save` writes one file" in told[3]
        assert names == [".checkpoints.lock", "0000.pt", "checkpoints.json", "metrics.jsonl"]
        assert written == [".metadata", "__0_0.distcp", "__1_0.distcp", "training.pt"]


def test_a_model_in_fsdp1_is_refused_with_what_to_use_instead() -> None:
    model = torch.nn.Sequential(linear())
    model[0]._fsdp_wrapped_module = linear()
    with pytest.raises(es.RuleError, match=r"FSDP1.*shard it by .*fully_shard"):
        Training(stopper(), model)


class Shard(torch.Tensor):
    """A tensor of which this process has, as it says, a part."""

    def full_tensor(self) -> Any:
        raise AssertionError


def test_a_state_is_taken_apart_and_keeps_its_structure(tmp_path: Path) -> None:
    shard = torch.ones(2, 3).as_subclass(Shard)
    state = {"a": [shard, 1, (torch.zeros(1), "x")], 0: {"b": shard}, "n": None}
    shards: dict[str, torch.Tensor] = {}
    rest = split(state, "model", shards)
    assert list(shards) == ["model.a.0", "model.0.b"]
    torch.save(rest, tmp_path / "rest.pt")
    assert torch.load(tmp_path / "rest.pt", weights_only=True)["a"][1:] == rest["a"][1:]
    assert filled(rest, {}, tmp_path) == rest  # nothing to read them into: the notes stay
    with pytest.raises(es.StateError, match=r"model.0.b has shape \(3,\), saved was \(2, 3\)"):
        filled(rest, {0: {"b": torch.zeros(3)}}, tmp_path)
    assert not has_shards(linear())


class Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, ("executed",)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "damaged, or unsafe"),
        (b"\x80\x04no pickle", "damaged, or unsafe"),
        (pickle.dumps(Evil()), r"damaged, or unsafe: it asks for \w+.mkdir"),
        (b"cos\nsystem\n(S'touch executed'\ntR.", "damaged, or unsafe: it asks for os.system"),
        (b"\x80\x04\x8c\x27torch.distributed.checkpoint.metadata\x8c\x09os.system\x93.", "unsafe"),
        (pickle.dumps([1]), "not only of tensors"),
        (pickle.dumps(Metadata({"model.weight": BytesStorageMetadata()})), "not only of tensors"),
    ],
)
def test_metadata_is_read_without_executing_anything(
    content: bytes, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = tmp_path / "run" / "0000.pt"
    with es.Checkpoints(tmp_path / "run", "{epoch:04d}.pt") as checkpoints:
        checkpoints.save(Path.mkdir, epoch=0)
    (checkpoint / ".metadata").write_bytes(content)
    with pytest.raises(es.StateError, match=text):
        Training(stopper(), linear(), folder=tmp_path / "run", resume=True)
    assert not (tmp_path / "executed").exists()
    (checkpoint / ".metadata").unlink()
    with pytest.raises(es.CheckpointError, match=r"the shards in .* cannot be read"):
        Training(stopper(), linear(), folder=tmp_path / "run", resume=True)
