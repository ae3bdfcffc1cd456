"""`Training` over a run: decisions, the best that is restored, the arguments, and failures."""

from __future__ import annotations

import errno
import math
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.loop import LoopError
from earlystop.adapters.torch import Training

import earlystop as es
from tests.adapters.torch.runs import LOSSES, linear, stopper, train


@pytest.mark.parametrize("settings", [{}, {"best_on": "device"}, {"folder": "run"}])
def test_it_stops_and_the_best_is_restored(settings: Any, tmp_path: Path) -> None:
    if settings.get("folder"):
        settings = {"folder": tmp_path / "run"}
    model = linear()
    with Training(stopper(), model, **settings) as training:
        decisions = train(training, model)
        assert model.weight.item() == 3.0
    assert model.weight.item() == 1.0
    assert [decision.stop for decision in decisions] == [False, False, False, True]
    assert training.restore_best() == 1
    assert training.elapsed_seconds >= 0


@pytest.mark.parametrize("with_folder", [True, False])
def test_nothing_is_restored_where_nothing_was_saved(with_folder: bool, tmp_path: Path) -> None:
    model = linear()
    training = Training(stopper(), model, folder=tmp_path if with_folder else None)
    assert training.restore_best() is None
    train(training, model, [math.nan, math.nan])
    assert training.restore_best() is None
    assert model.weight.item() == 1.0


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_the_best_is_restored_when_an_error_ends_the_run(
    error: type[BaseException], tmp_path: Path
) -> None:
    def run() -> None:
        with Training(stopper(9), model, folder=tmp_path) as training:
            train(training, model, LOSSES[:3])
            raise error

    model = linear()
    with pytest.raises(error):
        run()
    assert model.weight.item() == 1.0


def test_every_epoch_takes_exactly_one_step() -> None:
    training = Training(stopper(9), linear())
    with pytest.raises(LoopError, match="epoch 0 was stepped 0 times: call"):
        list(training.epochs(3))
    for _ in training.epochs(3):
        training.step(loss=1.0)
        training.step(loss=0.5)
        break
    epochs = training.epochs(5)
    next(epochs)
    training.step(loss=1.0)
    training.step(loss=1.0)
    with pytest.raises(LoopError, match="epoch 2 was stepped 2 times"):
        next(epochs)


def test_the_time_counts_as_a_metric(tmp_path: Path) -> None:
    now = iter(range(0, 1000, 10))
    model = linear()
    rule = es.Stopper(es.TimeLimit(25) | es.Never(), es.Best("loss"))
    training = Training(rule, model, folder=tmp_path, clock=lambda: next(now))
    training.step(loss=1.0)
    training.close()
    rule = es.Stopper(es.TimeLimit(25) | es.Never(), es.Best("loss"))
    training = Training(rule, model, folder=tmp_path, resume=True, clock=lambda: next(now))
    assert not training.step(loss=1.0).stop  # 10 before, 10 now
    assert training.step(loss=1.0).reason == "30 s have passed, the limit is 25 s"
    assert not Training(es.Stopper(es.TimeLimit(9)), model).step(elapsed_seconds=8).stop


def test_the_best_few_are_kept_by_the_metric_of_the_save_rule(tmp_path: Path) -> None:
    model = linear()
    training = Training(
        stopper(9), model, folder=tmp_path, keep_best=3, keep_last=0, name="{epoch}-{loss:.1f}.pt"
    )
    train(training, model, [5.0, 3.0, 4.0, 4.0, 6.0])
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == [
        "1-3.0.pt",
        "2-4.0.pt",
        "3-4.0.pt",
    ]


@pytest.mark.parametrize(
    ("save", "settings"),
    [
        (es.Warmup(es.Best("loss"), 1), {}),
        (es.Best("loss") & es.Every(1), {}),
        (es.Smoothed(es.Best("loss"), "loss", window=1), {}),
        (es.Best("loss") | es.Best("loss", min_delta=1.0), {}),
        (es.Best("accuracy") | es.Best("loss"), {"monitor": "loss"}),
        (es.Best("accuracy") | es.Best("loss"), {}),
        (es.Always(), {"monitor": "loss", "mode": "min"}),
    ],
)
def test_what_ranks_epochs_stands_within_the_save_rule_or_is_said(
    save: Any, settings: Any, tmp_path: Path
) -> None:
    rule = es.Stopper(es.Never(), save=save)
    training = Training(
        rule,
        linear(),
        folder=tmp_path,
        keep_best=2,
        keep_last=0,
        name="{epoch}-{loss:.1f}.pt",
        **settings,
    )
    for loss in [5.0, 3.0, 4.0, 4.5]:
        training.step(loss=loss, accuracy=1.0)
    assert {path.name for path in tmp_path.glob("*.pt")} >= {"1-3.0.pt", "2-4.0.pt"}


@pytest.mark.parametrize("save", [es.Always(), es.Best("loss") | es.Best("loss", "max"), None])
def test_without_one_metric_to_rank_by_the_error_tells_how_to_name_it(
    save: Any, tmp_path: Path
) -> None:
    rule = es.Stopper(es.Never(), save=save)
    with pytest.raises(es.RuleError, match=r"pass `Training\(monitor=..., mode=...\)`"):
        Training(rule, linear(), folder=tmp_path, keep_best=2)
    Training(rule, linear(), folder=tmp_path).close()


class Full:
    """A file on a disk that has no room left."""

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        pass

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_a_full_disk_is_a_clear_error_and_the_step_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from earlystop.adapters.torch import files

    model = linear()
    with Training(stopper(), model, folder=tmp_path) as training:
        train(training, model, LOSSES[:2])
        with monkeypatch.context() as patch:
            patch.setattr(files, "open", lambda *_, **__: Full(), raising=False)
            with pytest.raises(es.CheckpointError, match="be written: No space left on device"):
                training.step(loss=1.0)
        assert training.stopper.epoch == 2
        assert training.restore_best() == 1
        torch.nn.init.constant_(model.weight, 2.0)
        assert training.step(loss=1.0).save
        torch.nn.init.constant_(model.weight, 3.0)
        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", lambda path: 1 / 0)  # once the epoch is saved
            with pytest.raises(ZeroDivisionError):
                training.step(loss=0.5)
        assert training.stopper.epoch == 4
    assert model.weight.item() == 3.0


def test_a_deleted_best_is_an_error(tmp_path: Path) -> None:
    model = linear()
    training = Training(stopper(9), model, folder=tmp_path)
    train(training, model, LOSSES[:3])
    training.close()
    (tmp_path / "0001.pt").unlink()
    with pytest.warns(es.CheckpointWarning, match=r"no longer has '0001.pt' \(epoch 1, the best\)"):
        training = Training(stopper(9), model, folder=tmp_path, resume=True)
    assert training.epoch == 3
    with pytest.raises(es.CheckpointError, match="the best, epoch 1, is no longer in the folder"):
        training.restore_best()
    training.step(loss=9.0)
    training.close()
    with pytest.warns(UserWarning, match="the best of this run, epoch 1, is no longer in the f"):
        training = Training(stopper(9), model, folder=tmp_path, resume=True)
    training.step(loss=0.5)
    training.close()
    Training(stopper(9), model, folder=tmp_path, resume=True)  # there is a best again


@pytest.mark.parametrize("content", [b"", b"PK" + bytes(100), "half", "folder", "other archive"])
def test_a_damaged_best_is_told_when_the_run_is_resumed(content: Any, tmp_path: Path) -> None:
    model = linear()
    training = Training(stopper(9), model, folder=tmp_path)
    train(training, model, LOSSES[:3])
    training.close()
    path = tmp_path / "0001.pt"
    if content == "half":
        content = path.read_bytes()[: path.stat().st_size // 2]
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "folder":
        path.unlink()
        path.mkdir()
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("README", "nothing of a checkpoint")
    told = "epoch 1, (cannot be restored from .*0001.pt|is no longer in the folder)"
    with pytest.warns(UserWarning, match=told) as warned:
        training = Training(stopper(9), model, folder=tmp_path, resume=True)
    assert training.epoch == 3
    of_training = [each for each in warned if "the best of this run" in str(each.message)]
    assert [Path(each.filename).name for each in of_training] == ["test_training.py"]


def test_a_best_that_was_lost_before_a_file_was_saved_is_told_when_it_is_loaded(
    tmp_path: Path,
) -> None:
    training = Training(stopper(9), linear(), folder=tmp_path / "run")
    train(training, linear(), LOSSES[:3])
    training.close()
    (tmp_path / "run" / "0001.pt").unlink()
    with pytest.warns(es.CheckpointWarning, match=r"no longer has '0001.pt' \(epoch 1, the best\)"):
        training = Training(stopper(9), linear(), folder=tmp_path / "run", resume=True)
    training.save(tmp_path / "run.pt")
    loaded = Training(stopper(9), linear())
    with pytest.warns(UserWarning, match="epoch 1, is not in the file") as warned:
        loaded.load(tmp_path / "run.pt")
    assert Path(warned[0].filename).name == "test_training.py"
    with pytest.raises(es.CheckpointError, match="the best, epoch 1, is not in memory"):
        loaded.restore_best()
    loaded.step(loss=0.5)
    assert loaded.restore_best() == 3


@pytest.mark.parametrize(
    ("arguments", "settings", "text"),
    [
        ((es.Patience("loss"), linear()), {}, "`Training\\(stopper\\)` must be a Stopper"),
        (
            (stopper(), "model"),
            {},
            "`Training\\(model\\)` must be a torch.nn.Module, .*got 'model'",
        ),
        ((stopper(), {}), {}, "must be a torch.nn.Module, or a dict of several"),
        ((stopper(), {"a": 3}), {}, "must be a torch.nn.Module, or a dict of several"),
        ((stopper(), {3: linear()}), {}, "must be a torch.nn.Module, or a dict of several"),
        ((stopper(), linear()), {"changed_parts": "yes"}, "changed_parts=...\\)` must be"),
        ((stopper(), linear()), {"part": linear}, "`Training\\(part=...\\)` must have `state_"),
        ((stopper(), linear()), {"part": torch.optim.SGD}, "must have `state_"),
        ((stopper(), linear()), {"parts": [linear(), 3]}, "`Training\\(parts.1=...\\)` must have"),
        (
            (stopper(), linear()),
            {"parts": {"a.b": linear(), "a": {"b": linear()}}},
            "two parts named 'parts.a.b'",
        ),
        ((stopper(), linear()), {"best_on": "disk"}, "best_on=...\\)` must be one of"),
        ((stopper(), linear()), {"ranks": "all"}, "ranks=...\\)` must be one of"),
        (
            (stopper(), linear()),
            {"optimizer": 3},
            "`Training\\(optimizer=...\\)` must have `state_",
        ),
        ((stopper(), linear()), {"resume": True}, "needs a folder"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: Any, settings: Any, text: str) -> None:
    with pytest.raises(es.RuleError, match=text):
        Training(*arguments, **settings)


def test_a_best_deleted_during_the_run_is_an_error(tmp_path: Path) -> None:
    model = linear()
    with Training(stopper(9), model, folder=tmp_path) as training:
        train(training, model, LOSSES[:3])
        content = (tmp_path / "0001.pt").read_bytes()
        (tmp_path / "0001.pt").unlink()
        with pytest.raises(es.CheckpointError, match=r"0001\.pt' cannot be read"):
            training.restore_best()
        (tmp_path / "0001.pt").write_bytes(content)
    assert model.weight.item() == 1.0


def test_repr_says_what_is_trained() -> None:
    training = Training(es.Stopper(es.MaxEpochs(3)), linear())
    assert repr(training) == "Training(Stopper(MaxEpochs(3)), Linear)"
