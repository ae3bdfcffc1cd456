"""Interrupts and errors in a plain loop: a report is taken whole or not at all, as is the end."""

from __future__ import annotations

import contextlib
import functools
import json
from pathlib import Path
from typing import Any

import earlystop.adapters.loop
import pytest
from earlystop.adapters.loop import EpochLoop, LoopError

import earlystop as es
from tests.support import interrupts

interrupted_everywhere = functools.partial(interrupts.interrupted_everywhere, everywhere=True)
# The files that hold what changes, and what is compiled from rules; those below them only compute.
ENGINE = Path(es.__file__ or "").parent / "engine"
CHANGING = (
    earlystop.adapters.loop.__file__,
    *(str(ENGINE / f"{name}.py") for name in ("stopper", "session", "stopwatch")),
    "<earlystop",
)
LOSSES = [5.0, 3.0, 4.0, 2.0, 2.5, 2.5]
REPORTS = {"saves": 1, "does not save": 2, "saves after one that does not": 3, "stops": 5}


class Run:
    """A run that keeps numbers for models, up to the report of an epoch.

    kept, restored: what `save` gave, and what `restore` was given.
    """

    def __init__(self, epoch: int = 0, failing: int | None = None) -> None:
        self.restored: list[Any] = []
        self.failing, self.weights = failing, -1
        stopper = es.Stopper(es.Patience("loss", 2), es.Best("loss"))
        self.loop = EpochLoop(
            stopper, save=self.save, restore=self.restored.append, clock=lambda: 0.0
        )
        self.epochs = iter(self.loop)
        self.train()
        for _ in range(epoch):
            self.report()
            self.train()

    def train(self) -> None:
        self.weights = next(self.epochs)

    def save(self, epoch: int, metrics: dict[str, float]) -> str:
        if epoch == self.failing:
            raise OSError(28, "No space left on device")
        return f"weights of epoch {self.weights}"

    def report(self) -> es.Decision:
        return self.loop.report(loss=LOSSES[self.loop.stopper.epoch])

    def go_on(self) -> None:
        with contextlib.suppress(StopIteration):
            self.train()
            while True:
                self.report()
                self.train()

    @property
    def position(self) -> Any:
        """All that can be seen of it."""
        loop, stopper = self.loop, self.loop.stopper
        seen = [loop.decision, loop.kept, loop.reason, stopper.best, stopper.best_epoch]
        return json.dumps([*seen, loop.history, loop.state_dict()])


def is_kept(run: Run) -> bool:
    best_epoch = run.loop.stopper.best_epoch
    return run.loop.kept == (None if best_epoch is None else f"weights of epoch {best_epoch}")


@pytest.mark.parametrize("epoch", REPORTS.values(), ids=REPORTS.keys())
def test_wherever_a_report_is_interrupted_it_is_taken_whole_or_not_at_all(epoch: int) -> None:
    before, after = Run(epoch).position, Run(epoch)
    decision = after.report()
    for run in interrupted_everywhere(lambda: Run(epoch), Run.report, CHANGING):
        assert run.position in (before, after.position)
        assert is_kept(run)
        if run.position == before:
            assert run.report() == decision
        assert run.position == after.position
        run.go_on()
        assert run.loop.reason.startswith("loss has not improved on 2 (epoch 3)")
        assert run.restored == ["weights of epoch 3"]


def test_wherever_the_way_to_the_next_epoch_is_interrupted_the_best_is_restored() -> None:
    def run_to_next() -> Run:
        run = Run(1)
        run.report()
        return run

    def checked(run: Run) -> None:
        run.loop.close()
        assert run.loop.restored
        assert set(run.restored) == {"weights of epoch 1"}

    for run in interrupted_everywhere(run_to_next, Run.train, CHANGING):
        assert is_kept(run)
        checked(run)


def test_wherever_closing_is_interrupted_it_can_be_repeated() -> None:
    for run in interrupted_everywhere(lambda: Run(2), lambda run: run.loop.close(), CHANGING):
        assert run.loop.restored <= bool(run.restored)
        run.loop.close()
        assert run.loop.restored
        assert set(run.restored) == {"weights of epoch 1"}
        count = len(run.restored)
        run.loop.close()
        assert len(run.restored) == count
        with pytest.raises(LoopError, match="called once in every epoch"):
            run.report()


def test_an_interrupt_while_a_report_is_taken_back_is_made_good_by_the_next_call() -> None:
    def fail(run: Run) -> None:
        with contextlib.suppress(OSError):
            run.report()

    before = Run(1).position
    for run in interrupted_everywhere(lambda: Run(1, failing=1), fail, CHANGING):
        run.failing = None
        assert run.report().epoch == 1
        assert is_kept(run)
    run = Run(1, failing=1)
    fail(run)
    assert run.position == before


def test_after_an_error_of_save_the_epoch_can_be_reported_again() -> None:
    run = Run(1, failing=1)
    before = run.position
    with pytest.raises(OSError, match="No space"):
        run.report()
    assert run.position == before
    run.failing = None
    assert run.report() == es.Decision(1, False, True, "")
    assert run.loop.history["loss"] == [5.0, 3.0]
    assert is_kept(run)


def test_an_epoch_that_could_not_be_saved_counts_as_one_without_metrics() -> None:
    run = Run(1, failing=1)
    with pytest.raises(OSError, match="No space"):
        run.report()
    run.go_on()
    assert run.loop.history["loss"] == [5.0, None, 4.0, 2.0, 2.5, 2.5]
    assert run.restored == ["weights of epoch 3"]
    rules = es.Stopper(es.Patience("loss", 2), es.Best("loss"), on_missing="skip")
    history = {**run.loop.history, "epoch": range(6)}
    replayed = es.replay(rules, es.History.from_runs([history]))
    assert (replayed.epochs[0], replayed.saved_epoch[0]) == (6, 3)
    last = replayed.decisions(0)[-1]
    assert run.loop.decision == last._replace(place=None)


def test_save_sees_the_report_that_it_is_called_for() -> None:
    seen: list[Any] = []

    def save(epoch: int, metrics: dict[str, float]) -> None:
        assert loop.decision is not None
        state = loop.state_dict()["stopper"]
        seen.append([loop.decision.epoch, state["best_check"], loop.history["loss"]])

    loop = EpochLoop(es.EarlyStopping("loss"), max_epochs=1, save=save)
    for _ in loop:
        loop.report(loss=1.0)
    assert seen == [[0, 0, [1.0]]]


class Broken:
    """A `restore` that fails so many times."""

    def __init__(self, error: BaseException, times: int = 1) -> None:
        self.error, self.times = error, times
        self.calls: list[Any] = []

    def __call__(self, kept: Any) -> None:
        self.calls.append(kept)
        if len(self.calls) <= self.times:
            raise self.error


def loop_of(restore: Any, **settings: Any) -> EpochLoop:
    stopper = es.EarlyStopping("loss", patience=9)
    return EpochLoop(stopper, save=lambda epoch, metrics: epoch, restore=restore, **settings)


@pytest.mark.parametrize("error", [OSError("gone"), KeyboardInterrupt()])
def test_closing_can_be_repeated_until_the_best_is_restored(error: BaseException) -> None:
    restore = Broken(error, times=2)
    loop = loop_of(restore)
    epochs = iter(loop)
    next(epochs)
    loop.report(loss=1.0)
    for _ in range(2):
        with pytest.raises(type(error)):
            loop.close()
        assert not loop.restored
    loop.close()
    assert loop.restored
    loop.close()
    assert restore.calls == [0, 0, 0]


def run_block(loop: EpochLoop, error: BaseException | None = None) -> None:
    with loop:
        for epoch in loop:
            loop.report(loss=1.0)
            if epoch == 1 and error is not None:
                raise error


def test_an_error_in_restore_names_the_error_that_ended_the_run() -> None:
    first, second = ZeroDivisionError(), OSError("gone")
    with pytest.raises(OSError, match="gone") as caught:
        run_block(loop_of(Broken(second)), first)
    assert caught.value.__context__ is first


def test_an_error_in_restore_at_the_end_is_raised_without_trying_again() -> None:
    restore = Broken(OSError("gone"), times=9)
    with pytest.raises(OSError, match="gone"):
        run_block(loop_of(restore, max_epochs=2))
    assert restore.calls == [0]


def test_an_interrupt_in_restore_at_the_end_of_the_loop_is_made_good_by_the_block() -> None:
    restore = Broken(KeyboardInterrupt())
    loop = loop_of(restore, max_epochs=2)
    with pytest.raises(KeyboardInterrupt):
        run_block(loop)
    assert restore.calls == [0, 0]
    assert loop.restored


class Bar:
    """Notes what is done with a progress bar; its closing may fail."""

    def __init__(self, fails: bool = False) -> None:
        self.n, self.fails = 0, fails
        self.closed = 0

    def set_postfix_str(self, *arguments: Any, **options: Any) -> None:
        pass

    def update(self, n: int) -> None:
        self.n += n

    def close(self) -> None:
        self.closed += 1
        if self.fails:
            raise BrokenPipeError


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    made: list[Bar] = []

    def bar(caller: str, **options: Any) -> Bar:
        made.append(Bar())
        return made[-1]

    monkeypatch.setattr("earlystop.adapters.progress.progress_bar", bar)
    return made


def test_the_progress_bar_counts_every_report_and_is_closed_once(bars: list[Bar]) -> None:
    loop = loop_of(Broken(OSError("gone")), progress=True)
    with pytest.raises(ZeroDivisionError):
        run_block(loop_of(lambda kept: None, progress=True), ZeroDivisionError())
    with pytest.raises(OSError, match="gone"):
        run_block(loop, ZeroDivisionError())
    loop.close()
    assert [(bar.n, bar.closed) for bar in bars] == [(2, 1), (2, 1)]


def test_a_progress_bar_that_cannot_be_closed_does_not_keep_the_best_from_restoring(
    bars: list[Bar],
) -> None:
    restore = Broken(OSError(), times=0)
    loop = loop_of(restore, max_epochs=1, progress=True)
    bars[0].fails = True
    with pytest.raises(BrokenPipeError):
        run_block(loop)
    assert restore.calls == [0]
    assert loop.restored
