"""The adapter for plain loops: who restores when, what is reported, how it resumes."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from earlystop.adapters.loop import EpochLoop, LoopError

import earlystop as es


class Model:
    """Keeps count of what was saved and restored."""

    def __init__(self) -> None:
        self.weights = -1
        self.restored: list[Any] = []

    def save(self, epoch: int, metrics: dict[str, float]) -> int:
        assert metrics["loss"] == float(self.weights_loss)
        return self.weights

    def restore(self, kept: int) -> None:
        self.restored.append(kept)
        self.weights = kept

    weights_loss = 0.0


LOSSES = [5.0, 3.0, 4.0, 4.0, 2.0, 1.0]


def train(
    loop: EpochLoop, model: Model, losses: list[float], fail: BaseException | None = None
) -> None:
    for epoch in loop:
        model.weights = epoch
        if epoch == len(losses):
            if fail is not None:
                raise fail
            break
        model.weights_loss = losses[epoch]
        loop.report(loss=losses[epoch])


def loop_of(model: Model, patience: int = 2, **settings: Any) -> EpochLoop:
    stopper = es.EarlyStopping("loss", patience=patience)
    return EpochLoop(stopper, save=model.save, restore=model.restore, **settings)


def test_a_stop_ends_the_loop_and_restores_the_best() -> None:
    model = Model()
    with loop_of(model) as loop:
        train(loop, model, LOSSES)
    assert (loop.stopper.epoch, model.weights, model.restored) == (4, 1, [1])
    assert loop.reason == "loss has not improved on 3 (epoch 1) by more than 0 for 2 epochs"
    assert loop.restored
    assert loop.decision == es.Decision(3, True, False, loop.reason)


def test_a_loop_that_runs_to_its_last_epoch_restores_the_best_too() -> None:
    model = Model()
    with loop_of(model, max_epochs=3) as loop:
        train(loop, model, LOSSES)
    assert (loop.stopper.epoch, model.weights, model.restored) == (3, 1, [1])
    assert loop.reason == "3 epochs have been run, as many as max_epochs allows"


def test_an_error_while_restoring_is_raised_after_break() -> None:
    def broken(_: Any) -> None:
        raise OSError("the file is gone")

    def run() -> None:
        stopper = es.EarlyStopping("loss", patience=9)
        with EpochLoop(stopper, save=lambda epoch, metrics: epoch, restore=broken) as loop:
            for _ in loop:
                loop.report(loss=1.0)
                break

    with pytest.raises(OSError, match="the file is gone"):
        run()


@pytest.mark.parametrize(("failing", "expected"), [(0, []), (1, [0])])
def test_a_failed_save_does_not_count(failing: int, expected: list[int]) -> None:
    restored: list[Any] = []

    def save(epoch: int, metrics: dict[str, float]) -> int:
        if epoch == failing:
            raise OSError("disk full")
        return epoch

    def run() -> None:
        stopper = es.EarlyStopping("loss", patience=9)
        with EpochLoop(stopper, save=save, restore=restored.append) as loop:
            for epoch in loop:
                loop.report(loss=-epoch)

    with pytest.raises(OSError, match="disk full"):
        run()
    assert restored == expected


def test_a_continued_run_must_pass_what_it_kept() -> None:
    stopper = es.EarlyStopping("loss", patience=1)
    stopper.step({"loss": 1.0})
    model = Model()
    loop = EpochLoop(stopper, save=model.save, restore=model.restore)
    with pytest.raises(LoopError, match="the run that goes on here saved epoch 0: pass what its"):
        next(iter(loop))
    loop = EpochLoop(stopper, save=model.save, restore=model.restore, kept=7)
    for _ in loop:
        model.weights_loss = 2.0
        loop.report(loss=2.0)
    assert model.restored == [7]


def test_a_stopped_stopper_cannot_start_a_loop() -> None:
    stopper = es.Stopper(es.MaxEpochs(1))
    stopper.step({})
    with pytest.raises(LoopError, match=r"has stopped already \(1 epoch has been run\)"):
        next(iter(EpochLoop(stopper)))


def test_the_time_stands_still_once_the_loop_has_ended() -> None:
    ticks = ticking(1.0)
    loop = EpochLoop(es.Stopper(es.MaxEpochs(1)), clock=lambda: next(ticks))
    for _ in loop:
        loop.report()
    assert loop.elapsed_seconds == loop.elapsed_seconds == loop.state_dict()["elapsed_seconds"]


@pytest.mark.parametrize("bad", [0.5, 0, [("loss", 1.0)], "loss"])
def test_a_report_that_is_not_a_mapping_is_refused(bad: Any) -> None:
    loop = EpochLoop(es.EarlyStopping("loss"))
    for _ in loop:
        with pytest.raises(es.MetricError, match="as a mapping from name to value"):
            loop.report(bad)
        break


def test_a_break_after_the_report_names_its_epoch() -> None:
    with EpochLoop(es.EarlyStopping("loss", patience=9)) as loop:
        for epoch in loop:
            loop.report(loss=1.0)
            if epoch == 2:
                break
    assert loop.reason == "left in epoch 2"


@pytest.mark.parametrize("inside_with", [True, False])
@pytest.mark.parametrize("fail", [None, KeyboardInterrupt(), ZeroDivisionError()])
def test_however_the_loop_is_left_the_best_is_restored_once(
    inside_with: bool, fail: BaseException | None
) -> None:
    model = Model()
    loop = loop_of(model, patience=9)

    def run() -> None:
        if inside_with:
            with loop:
                train(loop, model, LOSSES[:3], fail)
        else:
            train(loop, model, LOSSES[:3], fail)

    if fail is None:
        run()
        assert loop.reason == "left in epoch 3"
    else:
        with pytest.raises(type(fail)):
            run()
    assert (model.weights, model.restored) == (1, [1])


def test_ctrl_c_may_end_the_block_like_a_stop() -> None:
    model = Model()
    with loop_of(model, patience=9, on_interrupt="stop") as loop:
        train(loop, model, LOSSES[:3], KeyboardInterrupt())
    assert loop.interrupted
    assert loop.reason == "interrupted in epoch 3"
    assert model.restored == [1]


@pytest.mark.usefixtures("interruptible")
def test_a_real_ctrl_c_restores_the_best() -> None:
    model = Model()
    loop = loop_of(model, patience=9)

    def run() -> None:
        with loop:
            for epoch in loop:
                model.weights = epoch
                model.weights_loss = LOSSES[epoch]
                loop.report(loss=LOSSES[epoch])
                if epoch == 3:
                    signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert (model.weights, loop.reason) == (1, "interrupted in epoch 3")


def test_another_error_is_not_swallowed_by_on_interrupt() -> None:
    model = Model()
    with pytest.raises(ZeroDivisionError), loop_of(model, on_interrupt="stop") as loop:
        train(loop, model, LOSSES[:1], ZeroDivisionError())
    assert not loop.interrupted


def test_nothing_is_restored_where_nothing_was_saved() -> None:
    model = Model()
    with loop_of(model) as loop:
        for _ in loop:
            loop.report(loss=math.nan)
    assert not loop.restored
    assert model.restored == []
    assert loop.stopper.epoch == 2


def test_restoring_without_a_save_function_is_left_to_the_user() -> None:
    restored: list[Any] = []
    loop = EpochLoop(es.EarlyStopping("loss", patience=1), restore=restored.append)
    kept = []
    for epoch in loop:
        if loop.report(loss=LOSSES[epoch]).save:
            kept.append(epoch)
    assert kept == [0, 1]
    assert restored == [None]


def test_an_epoch_without_a_report_is_an_error() -> None:
    loop = EpochLoop(es.EarlyStopping("loss"))
    with pytest.raises(LoopError, match=r"epoch 0 reported no metrics: call `loop.report"):
        for _ in loop:
            pass


def test_two_reports_in_one_epoch_are_an_error() -> None:
    loop = EpochLoop(es.EarlyStopping("loss"))
    for _ in loop:
        loop.report(loss=1.0)
        with pytest.raises(LoopError, match="called once in every epoch"):
            loop.report(loss=1.0)
        break
    with pytest.raises(LoopError):
        loop.report(loss=1.0)


def test_a_refused_report_can_be_repeated() -> None:
    loop = EpochLoop(es.EarlyStopping("loss"))
    for _ in loop:
        with pytest.raises(es.MissingMetricError):
            loop.report(los=1.0)
        with pytest.raises(es.MetricError, match="reported twice in one call: loss"):
            loop.report({"loss": 1.0}, loss=2.0)
        assert loop.report({"loss": torch.tensor(1.0)}, acc=np.float32(0.5)).save
        break
    assert loop.history["loss"] == [1.0]
    assert loop.history["acc"] == [0.5]


def test_a_loop_runs_once() -> None:
    loop = EpochLoop(es.EarlyStopping("loss"), max_epochs=1)
    for _ in loop:
        loop.report(loss=1.0)
    with pytest.raises(LoopError, match="this loop has been run"):
        next(iter(loop))


def ticking(step: float) -> Iterator[float]:
    now = 100.0
    while True:
        yield now
        now += step


def test_elapsed_time_is_reported_and_limits_the_run() -> None:
    ticks = ticking(10.0)
    loop = EpochLoop(es.Stopper(es.TimeLimit(25)), clock=lambda: next(ticks))
    for _ in loop:
        loop.report(loss=1.0)
    assert loop.history["elapsed_seconds"] == [10.0, 20.0, 30.0]
    assert loop.reason == "30 s have passed, the limit is 25 s"


def test_an_elapsed_time_that_the_user_reports_is_kept() -> None:
    loop = EpochLoop(es.Stopper(es.TimeLimit(25)))
    for _ in loop:
        loop.report(elapsed_seconds=26)
    assert loop.history == {"elapsed_seconds": [26.0]}


def test_the_history_replays_to_the_same_decisions() -> None:
    stopper = es.Stopper(es.Patience("val_loss", 2), es.Best("val_loss"), on_missing="skip")
    loop = EpochLoop(stopper, max_epochs=8)
    decisions = []
    for epoch in loop:
        metrics = {"loss": 1.0}
        if epoch % 2:
            metrics["val_loss"] = float(abs(epoch - 3))
        decisions.append(loop.report(metrics, epoch=epoch))
    assert loop.history["val_loss"] == [None, 2.0, None, 0.0, None, 2.0, None, 4.0]
    result = es.replay(stopper, es.History.from_runs([loop.history]))
    replayed = [(d.epoch, d.stop, d.save, d.reason) for d in result.decisions(0)]
    assert replayed == [(d.epoch, d.stop, d.save, d.reason) for d in decisions if d.epoch % 2]


def test_progress_shows_what_is_watched(capsys: pytest.CaptureFixture[str]) -> None:
    with EpochLoop(es.EarlyStopping("loss"), max_epochs=2, progress=True) as loop:
        for _ in loop:
            loop.report(loss=0.12345, other=3.0)
    shown = capsys.readouterr().err
    assert "loss=0.1235, best epoch=0; stopped at epoch 1: loss has not improved" in shown
    assert "2/2" in shown
    assert "other" not in shown


def test_progress_without_tqdm_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match=r"pip install tqdm$"):
        EpochLoop(es.EarlyStopping("loss"), progress=True)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            (es.Patience("loss"), {}),
            "`EpochLoop(stopper)` must be a Stopper, such as EarlyStopping(",
        ),
        (
            (es.Stopper(es.Never()), {"restore": print}),
            "`EpochLoop(restore=...)` needs to know which is the best, and this stopper",
        ),
        (
            (es.EarlyStopping("loss"), {"max_epochs": 0}),
            "`EpochLoop(max_epochs=...)` must be a whole number of at least 1, got 0",
        ),
        (
            (es.EarlyStopping("loss"), {"max_epochs": 2.5}),
            "`EpochLoop(max_epochs=...)` must be a whole number of at least 1, got 2.5",
        ),
        (
            (es.EarlyStopping("loss"), {"on_interrupt": "exit"}),
            "`EpochLoop(on_interrupt=...)` must be one of 'raise', 'stop', got 'exit'",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: Any, text: str) -> None:
    stopper, settings = arguments
    with pytest.raises(es.RuleError) as caught:
        EpochLoop(stopper, **settings)
    assert str(caught.value).startswith(text)
