"""What a training reported: in memory, in its folder, and over interruptions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from earlystop.adapters.torch import Training

import earlystop as es
from tests.adapters.torch.runs import LOSSES, linear, stopper, train


def without_time(history: dict[str, Any]) -> dict[str, Any]:
    return {name: column for name, column in history.items() if name != "elapsed_seconds"}


def lines(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_the_history_holds_every_epoch_with_none_for_gaps() -> None:
    training = Training(es.Stopper(es.MaxEpochs(3)), linear())
    training.step(loss=0.5)
    training.step(loss=math.nan, acc=1.0)
    training.step(acc=0.5)
    assert repr(without_time(training.history)) == repr(
        {"loss": [0.5, math.nan, None], "acc": [None, 1.0, 0.5]}
    )
    assert all(value >= 0 for value in training.history["elapsed_seconds"])


@pytest.mark.parametrize("keep_last", [0, 1])
@pytest.mark.parametrize("cut", range(1, 6))
def test_a_resumed_run_has_the_history_of_one_never_interrupted(
    cut: int, keep_last: int, tmp_path: Path
) -> None:
    def begin() -> Training:
        return Training(stopper(9), linear(), folder=tmp_path, resume=True, keep_last=keep_last)

    with begin() as first:
        train(first, first.model, LOSSES[:cut])
        assert first.history["loss"] == LOSSES[:cut]
    with begin() as second:
        assert second.history["loss"] == LOSSES[: second.epoch]
        train(second, second.model)
        assert without_time(second.history) == {"loss": LOSSES}
    assert [line["epoch"] for line in lines(tmp_path)] == list(range(6))
    assert es.read_history(tmp_path).metrics["loss"].tolist() == [LOSSES]


def test_a_run_that_was_killed_between_its_line_and_its_save_has_no_line_too_many(
    tmp_path: Path,
) -> None:
    with Training(stopper(9), linear(), folder=tmp_path) as training:
        train(training, training.model, LOSSES[:3])
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 3, "elapsed_seconds": 1.0, "loss": 77.0}\n{"epoch": 4, "lo')
    with Training(stopper(9), linear(), folder=tmp_path, resume=True) as training:
        train(training, training.model)
        assert training.history["loss"] == LOSSES
    assert [line["loss"] for line in lines(tmp_path)] == LOSSES


def test_a_step_that_failed_leaves_no_line(tmp_path: Path) -> None:
    class Odd:
        broken = True

        def state_dict(self) -> Any:
            if self.broken:
                raise KeyboardInterrupt
            return {}

        def load_state_dict(self, state: Any) -> None:
            raise AssertionError

    odd = Odd()
    with Training(stopper(), linear(), folder=tmp_path, odd=odd) as training:
        with pytest.raises(KeyboardInterrupt):
            training.step(loss=1.0)
        assert (lines(tmp_path), training.history) == ([], {})
        odd.broken = False
        training.step(loss=2.0)
        assert training.history["loss"] == [2.0]
    assert [line["loss"] for line in lines(tmp_path)] == [2.0]


def test_a_file_takes_the_history_with_it(tmp_path: Path) -> None:
    training = Training(es.Stopper(es.MaxEpochs(9)), linear())
    for loss in (0.5, math.nan, math.inf):
        training.step(loss=loss)
    training.save(tmp_path / "state.pt")
    other = Training(es.Stopper(es.MaxEpochs(9)), linear())
    other.load(tmp_path / "state.pt")
    assert repr(other.history) == repr(training.history)


def test_the_folder_of_a_run_without_the_file_gives_what_its_ledger_lists(tmp_path: Path) -> None:
    with Training(stopper(9), linear(), folder=tmp_path) as training:
        train(training, training.model, LOSSES[:4])
    (tmp_path / "metrics.jsonl").unlink()
    with Training(stopper(9), linear(), folder=tmp_path, resume=True) as training:
        assert training.history["loss"] == [None, LOSSES[1], None, LOSSES[3]]


def test_metrics_of_another_run_or_tool_are_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 0, "loss": 0.5}\n')
    with pytest.raises(es.CheckpointError, match="holds the metrics of an earlier run, up to epo"):
        Training(stopper(), linear(), folder=tmp_path)
    for content in ("0.5\n", '{"step": 1, "loss": 0.5}\n'):
        path.write_text(content)
        for resume in (False, True):
            with pytest.raises(es.EarlystopError, match=r"line 1 of the file .*move the file away"):
                Training(stopper(), linear(), folder=tmp_path, resume=resume)
        assert path.read_text() == content
    path.unlink()
    Training(stopper(), linear(), folder=tmp_path).close()  # the folder was let go
