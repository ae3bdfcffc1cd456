"""Trainings that are told where they stand: several checks an epoch, or one every few epochs."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.loop import LoopError
from earlystop.adapters.torch import Training
from hypothesis import given

import earlystop as es
from tests.adapters.torch.runs import linear, stopper
from tests.support.placed_checks import placed_checks, rules_in_units, stepped_at

LOSSES = [5.0, 3.0, 4.0, 4.5, 2.0, 4.0, 4.0, 4.0, 4.0, 1.0, 1.0, 1.0]
NAME = "{epoch:.2f}-{step:04d}.pt"
BATCHES, EVERY = 8, 2  # four checks an epoch


def lines(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def train(training: Training, end: int = 99) -> list[es.Decision]:
    """Go on within the epoch that was begun; a check every two batches, up to one with this number.

    A weight goes through the numbers of the batches.
    """
    decisions = []
    for epoch in training.epochs(4):
        begin = round((training.stopper.epoch - epoch) * BATCHES)
        for batch in range(max(begin, 0), BATCHES):
            step = epoch * BATCHES + batch + 1
            with torch.no_grad():
                training.model.weight += step
            if step % EVERY == 0:
                check = step // EVERY - 1
                done = epoch + (batch + 1) / BATCHES
                decisions.append(training.step(loss=LOSSES[check], epoch=done, step=step))
                if decisions[-1].stop or check == end:
                    return decisions
    return decisions


@given(checks=placed_checks(), rules=rules_in_units())
def test_a_training_that_is_told_positions_decides_as_a_stopper_that_is(
    checks: list[dict[str, Any]], rules: tuple[es.Rule, es.Rule]
) -> None:
    alone = es.Stopper(*rules)
    training = Training(es.Stopper(*rules), linear())
    expected = stepped_at(alone, checks)
    assert [training.step(**check) for check in checks[: len(expected)]] == expected
    assert training.stopper.state_dict() | {"best_metrics": None, "last_check": None} == (
        alone.state_dict() | {"best_metrics": None, "last_check": None}
    )
    for name in ("epoch", "step"):
        told = [check[name] for check in checks[: len(expected)] if name in check]
        assert training.history.get(name, []) == told


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("cut", range(9))
def test_a_run_that_is_killed_within_an_epoch_ends_as_one_never_interrupted(
    cut: int, asynchronous: bool, tmp_path: Path
) -> None:
    def begin(folder: str) -> Training:
        settings: Any = {"folder": tmp_path / folder, "resume": True, "name": NAME}
        return Training(stopper(4), linear(), asynchronous=asynchronous, **settings)

    whole, first = begin("whole"), begin("resumed")
    decisions = train(whole)
    before = train(first, end=cut)
    first.close()
    second = begin("resumed")
    assert second.epoch == (cut + 1) * EVERY // BATCHES
    after = [] if before[-1].stop else train(second)
    assert [*before, *after] == decisions
    assert str(decisions[-1]) == (
        "epoch 2.25, step 18: stop: loss has not improved on 2 (epoch 1.25, step 10) by more than "
        "0 for 4 checks"
    )
    assert torch.equal(second.model.weight, whole.model.weight)
    assert second.restore_best() == 1.25
    entries = second.checkpoints.entries if second.checkpoints else ()
    assert [(e.check, e.step, e.file) for e in entries] == [
        (4, 10, "1.25-0010.pt"),
        (8, 18, "2.25-0018.pt"),
    ]
    told = {name: column for name, column in second.history.items() if name != "elapsed_seconds"}
    assert told == {
        "epoch": [step / BATCHES for step in range(2, 19, 2)],
        "step": list(range(2, 19, 2)),
        "loss": LOSSES[:9],
    }
    second.close()
    assert [line["check"] for line in lines(tmp_path / "resumed")] == list(range(9))


def test_the_log_of_a_folder_and_the_history_replay_at_the_true_positions(tmp_path: Path) -> None:
    training = Training(stopper(4), linear(), folder=tmp_path, name=NAME)
    decisions = train(training)
    training.close()
    logged = es.read_history(tmp_path)
    assert logged.coordinates["step"].tolist() == [list(range(2, 19, 2))]
    assert set(logged.metrics) == {"loss", "elapsed_seconds"}
    for history in (logged, es.History.from_runs([training.history])):
        result = es.replay(stopper(4), history)
        assert result.decisions(0) == decisions
        assert (result.checks[0], result.epochs[0], result.steps[0]) == (9, 2.25, 18)
        assert result.saved_epoch.tolist() == [1.25]


def test_validating_every_few_epochs_needs_no_step_in_the_others(tmp_path: Path) -> None:
    def begin() -> Training:
        rule = es.Stopper(es.MaxEpochs(9), es.Best("loss"))
        return Training(rule, linear(), folder=tmp_path, resume=True)

    for part in (6, 20):
        training = begin()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if part == 6 else "error")
            for epoch in training.epochs(part):
                if epoch % 3 == 1:
                    decision = training.step(loss=1.0 / (epoch + 1), epoch=epoch)
        assert training.epoch == (6 if part == 6 else 11)
        training.close()
    assert (decision.epoch, decision.reason) == (10, "11 epochs have been run")
    assert [line["epoch"] for line in lines(tmp_path)] == [1, 4, 7, 10]
    assert begin().epoch == 11


def test_steps_alone_belong_to_the_epochs_of_the_loop() -> None:
    training = Training(es.Stopper(es.Never(), es.Best("loss")), linear())
    step, told = 0, []
    for _ in training.epochs(3):
        for _ in range(2):
            step += 50
            told.append(str(training.step(loss=1.0 / step, step=step)))
    assert told[2:4] == ["epoch 1, step 150: save, continue", "epoch 1, step 200: save, continue"]
    assert training.history["epoch"] == [0, 0, 1, 1, 2, 2]
    assert (training.epoch, training.stopper.best_step) == (3, 300)


def test_the_first_epoch_without_a_step_is_told_and_none_with_one_is_an_error() -> None:
    training = Training(stopper(), linear())
    with (
        pytest.warns(UserWarning, match="epoch 0 had no `training.step") as caught,
        pytest.raises(LoopError, match="epoch 0 was stepped 0 times: call"),
    ):
        list(training.epochs(3))
    assert [warning.filename for warning in caught] == [__file__]
    assert training.epoch == 0
    epochs = training.epochs(3)
    assert next(epochs) == 0
    with pytest.warns(UserWarning, match="epoch 0 had no"):
        assert next(epochs) == 1
    with pytest.raises(LoopError, match="or say where each check"):
        training.step(loss=0.5)
    assert training.stopper.checks == 0


def test_epochs_that_begin_late_or_are_counted_when_done_are_those_of_the_loop() -> None:
    for told in (lambda epoch: epoch, lambda epoch: epoch + 1):
        training = Training(es.Stopper(es.MaxEpochs(5)), linear())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for epoch in training.epochs(9):
                if epoch:
                    training.step(loss=0.5, epoch=told(epoch))
        assert training.epoch == 5
        assert training.stopper.epoch == 5


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"epoch": 7}, "epoch 1 of `training.epochs..` is said to be at epoch 7: pass"),
        ({"epoch": 0}, "is said to be at epoch 0"),
        ({"epoch": float("nan")}, "nan"),
        ({"step": 10}, "the step is again 10"),
        ({"step": 5}, "the step goes back to 5"),
        ({}, "has no epoch"),
        ({"epoch": 1}, "has no step"),
        ({"epoch": 1, "step": 20, "check": 3}, "must not be named 'check'"),
    ],
)
def test_a_position_that_is_wrong_is_refused_and_nothing_is_written(
    wrong: dict[str, Any], text: str, tmp_path: Path
) -> None:
    training = Training(stopper(9), linear(), folder=tmp_path, name="{check}.pt")
    for epoch in training.epochs(3):
        if epoch == 1:
            before = training.history, training.stopper.state_dict(), lines(tmp_path)
            with pytest.raises(es.MetricError, match=text):
                training.step(loss=0.1, **wrong)
            assert (training.history, training.stopper.state_dict(), lines(tmp_path)) == before
            assert [path.name for path in tmp_path.glob("*.pt")] == ["0.pt"]
        training.step(loss=1.0, epoch=epoch, step=10 * (epoch + 1))
    assert training.history["step"] == [10, 20, 30]


@pytest.mark.parametrize(
    ("name", "told", "text"),
    [
        (
            "{epoch:04d}.pt",
            {"epoch": 0, "step": 20},
            r"'0000.pt' to epoch 0, step 10 and to epoch 0, step 20: put {step} into it",
        ),
        ("{epoch:04d}.pt", {"epoch": 0.5, "step": 20}, r"write a fraction as {epoch:.3f}, or put"),
        ("{epoch:.0f}-{step:.0e}.pt", {"epoch": 0.1, "step": 11}, "put {check} into it"),
    ],
)
def test_a_file_name_that_does_not_tell_checks_apart_is_refused_with_what_does(
    name: str, told: dict[str, Any], text: str, tmp_path: Path
) -> None:
    training = Training(stopper(9), linear(), folder=tmp_path, name=name)
    training.step(loss=1.0, epoch=0, step=10)
    before = training.history, training.stopper.state_dict(), lines(tmp_path)
    files = sorted(tmp_path.iterdir())
    with pytest.raises((es.CheckpointError, es.RuleError), match=text):
        training.step(loss=0.5, **told)
    assert (training.history, training.stopper.state_dict(), lines(tmp_path)) == before
    assert sorted(tmp_path.iterdir()) == files
    assert training.step(loss=0.5, epoch=1, step=30).check == 1


def test_a_file_of_a_whole_run_takes_its_positions_with_it(tmp_path: Path) -> None:
    whole, first = Training(stopper(4), linear()), Training(stopper(4), linear())
    decisions = train(whole)
    train(first, end=3)
    first.save(tmp_path / "run.pt")
    second = Training(stopper(4), linear())
    second.load(tmp_path / "run.pt")
    assert (second.epoch, second.stopper.epoch) == (1, 1)
    assert train(second) == decisions[4:]
    elapsed = "elapsed_seconds"
    assert {**second.history, elapsed: []} == {**whole.history, elapsed: []}
    saved = torch.load(tmp_path / "run.pt", weights_only=True)
    assert saved["epoch"] == 1


def test_a_best_that_is_gone_is_told_by_its_position(tmp_path: Path) -> None:
    with Training(stopper(9), linear(), folder=tmp_path, name=NAME) as training:
        train(training, end=5)
    (tmp_path / "1.25-0010.pt").unlink()
    with pytest.warns(es.CheckpointWarning, match=r"epoch 1.25, step 10, the best"):
        training = Training(stopper(9), linear(), folder=tmp_path, name=NAME, resume=True)
    with pytest.raises(es.CheckpointError, match=r"the best, epoch 1.25, step 10, is no longer"):
        training.restore_best()


def test_metrics_that_a_power_loss_took_come_back_with_their_positions(tmp_path: Path) -> None:
    with Training(stopper(9), linear(), folder=tmp_path, name=NAME) as training:
        train(training, end=5)
    (tmp_path / "metrics.jsonl").unlink()
    with Training(stopper(9), linear(), folder=tmp_path, name=NAME, resume=True) as training:
        assert training.history["step"] == [None, None, None, None, 10, 12]
        assert training.history["loss"][4:] == LOSSES[4:6]
    assert [(line["check"], line["step"]) for line in lines(tmp_path)] == [(4, 10), (5, 12)]
