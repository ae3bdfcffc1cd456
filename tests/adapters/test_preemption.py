"""Leaving a run in time: signals, the clock, and what is saved before."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from earlystop.adapters.loop import EpochLoop
from earlystop.adapters.preemption import Preempted, Preemption

import earlystop as es

ROOT = Path(__file__).parents[2]


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def kill(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


def stopper() -> es.Stopper:
    return es.EarlyStopping("loss", patience=3)


def run(
    preemption: Preemption, act: Callable[[int], object], epochs: int = 6, **settings: Any
) -> EpochLoop:
    """A loop whose loss falls, with something done in each epoch."""
    with (
        preemption,
        EpochLoop(stopper(), max_epochs=epochs, preemption=preemption, **settings) as loop,
    ):
        for epoch in loop:
            act(epoch)
            loop.report(loss=1 / (epoch + 1))
    return loop


@pytest.fixture(autouse=True)
def _handlers_are_as_before() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_ends_the_program_after_the_epoch_with_an_exit_code(number: int) -> None:
    seen: list[Any] = []
    preemption = Preemption(exit_code=3, save=lambda: seen.append("saved"))

    def act(epoch: int) -> None:
        if epoch == 2:
            kill(number)
        seen.append(epoch)

    with pytest.raises(Preempted) as left:
        run(preemption, act, restore=seen.append)
    assert left.value.code == 3
    assert seen == [0, 1, 2, "saved"]  # and the best is not restored
    assert preemption.reason == signal.Signals(number).name
    assert (preemption.leave, preemption.has_left) == (True, True)


def test_a_plain_for_leaves_without_restoring_too() -> None:
    seen: list[Any] = []
    with Preemption(save=lambda: None) as preemption:
        loop = EpochLoop(stopper(), restore=seen.append, preemption=preemption)
        epochs = iter(loop)
        loop.report(loss=next(epochs))
        kill()
        with pytest.raises(Preempted):
            next(epochs)
    assert (seen, loop.stopper.checks) == ([], 1)


def test_a_run_that_ends_in_the_epoch_of_the_signal_ends_as_usual() -> None:
    for epochs in (1, 6):
        preemption = Preemption(save=lambda: None)
        restored: list[Any] = []
        act = (lambda epoch: kill()) if epochs == 1 else (lambda epoch: epoch == 5 and kill())
        loop = run(preemption, act, epochs, restore=restored.append)
        assert loop.stopper.checks == epochs
        assert (restored, preemption.has_left, preemption.leave) == ([None], False, True)


def test_a_signal_before_the_first_epoch_leaves_at_once() -> None:
    with Preemption(save=lambda: None) as preemption:
        kill()
        with pytest.raises(Preempted):
            next(iter(EpochLoop(stopper(), preemption=preemption)))


def test_a_second_signal_changes_nothing_while_the_run_is_left() -> None:
    preemption = Preemption(save=kill)
    with pytest.raises(Preempted):
        run(preemption, lambda epoch: kill())
    assert preemption.reason == "SIGTERM"


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C interrupts, as in a terminal; in the background it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_ctrl_c_is_raised_at_once() -> None:
    preemption = Preemption(signals=["SIGINT"], save=lambda: None)

    def act(epoch: int) -> None:
        kill(signal.SIGINT)
        assert preemption.leave
        kill(signal.SIGINT)
        raise AssertionError

    with pytest.raises(KeyboardInterrupt):
        run(preemption, act)


def test_within_an_epoch_it_says_when_to_leave_and_leaves_without_saving() -> None:
    seen: list[Any] = []
    preemption = Preemption(save=lambda: seen.append("saved"))

    def act(epoch: int) -> None:
        for batch in range(4):
            if (epoch, batch) == (1, 2):
                kill()
            if preemption.leave:
                preemption.exit()
            seen.append((epoch, batch))

    with pytest.raises(Preempted):
        run(preemption, act)
    assert seen == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)]


def test_earlier_handlers_are_called_too_and_are_back_afterwards() -> None:
    seen: list[Any] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with pytest.raises(Preempted):
            run(Preemption(save=lambda: seen.append("saved")), lambda epoch: kill())
        assert seen == [signal.SIGTERM, "saved"]
        kill()
        assert seen == [signal.SIGTERM, "saved", signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("epochs", [1, 6])
def test_what_an_earlier_handler_raises_is_raised_once_the_run_is_saved(epochs: int) -> None:
    def handler(number: int, frame: object) -> None:
        raise TimeoutError("its own way")

    saved: list[int] = []
    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(TimeoutError, match="its own way"):
            run(Preemption(save=lambda: saved.append(1)), lambda epoch: kill(), epochs)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert saved == ([1] if epochs == 6 else [])  # a run that has ended has nothing to save


@pytest.mark.parametrize(("epochs", "code"), [(1, 15), (6, 99)])
def test_an_earlier_handler_that_exits_does_not_change_the_exit_code_of_a_run_that_is_left(
    epochs: int, code: int
) -> None:
    saved: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
    preemption = Preemption(save=lambda: saved.append(1), exit_code=99)
    try:
        with pytest.raises(SystemExit) as left:
            run(preemption, lambda epoch: kill(), epochs)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (left.value.code, saved) == (code, [1] if epochs == 6 else [])


def test_a_handler_that_was_installed_later_stays() -> None:
    def later(number: int, frame: object) -> None: ...

    before = signal.getsignal(signal.SIGTERM)
    with Preemption():
        signal.signal(signal.SIGTERM, later)
    try:
        assert signal.getsignal(signal.SIGTERM) is later
    finally:
        signal.signal(signal.SIGTERM, before)


def test_two_may_be_entered_one_in_the_other() -> None:
    with Preemption() as outer:
        with Preemption() as inner:
            kill()
        assert (outer.leave, inner.leave) == (True, True)


def _wait_for_ever(ready: Any) -> None:
    ready.set()
    threading.Event().wait()


def test_a_forked_process_is_ended_by_sigterm_and_not_by_sigusr1() -> None:
    context = multiprocessing.get_context("fork")
    with Preemption() as preemption:
        ready = context.Event()
        process = context.Process(target=_wait_for_ever, args=(ready,))
        process.start()
        assert ready.wait(20)
        os.kill(process.pid or 0, signal.SIGUSR1)
        process.join(0.2)
        assert process.exitcode is None
        process.terminate()
        process.join(20)
        assert process.exitcode == -signal.SIGTERM
        assert not preemption.leave


def test_signals_are_handled_in_the_main_thread_only() -> None:
    def enter(signals: list[str]) -> None:
        try:
            with Preemption(signals=signals):
                raised.append("entered")
        except es.RuleError as error:
            raised.append(str(error))

    raised: list[str] = []
    for signals in (["SIGTERM"], []):
        thread = threading.Thread(target=enter, args=(signals,))
        thread.start()
        thread.join()
    assert "in the main thread only: enter it there, or pass `signals=()`" in raised[0]
    assert raised[1:] == ["entered"]


# The clock --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "epochs"), [(1, 90), (7, 12), (40, 2), (91, 1), (200, 1)])
def test_no_epoch_is_begun_that_would_not_end_before_the_grace(seconds: int, epochs: int) -> None:
    clock, begun = Clock(), []
    preemption = Preemption(until=1100, grace=10, signals=(), save=lambda: None, clock=clock)

    def act(epoch: int) -> None:
        begun.append(epoch)
        clock.now += seconds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Preempted):
            run(preemption, act, 1000)
    assert len(begun) == epochs
    ended = "10 seconds are left", f"another epoch of {seconds} seconds would not end in time"
    assert preemption.reason == ended[0 if seconds in (1, 91, 200) else 1]


def test_an_epoch_that_can_be_left_is_begun_whatever_time_there_is() -> None:
    clock, seen = Clock(), []
    preemption = Preemption(until=1100, grace=10, save=lambda: None, clock=clock)

    def act(epoch: int) -> None:
        for batch in range(8):
            clock.now += 8
            seen.append((epoch, batch))
            if preemption.leave:
                preemption.exit()

    with pytest.raises(Preempted):
        run(preemption, act)
    assert seen[-1] == (1, 3)  # 96 seconds
    assert preemption.reason == "10 seconds are left"
    assert preemption.seconds_left == 4


def test_the_end_of_a_slurm_job_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_END_TIME", "1100")
    assert Preemption().until == 1100.0
    assert Preemption(until=None).until is None
    when = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
    assert Preemption(until=when).until == when.timestamp()
    monkeypatch.setenv("SLURM_JOB_END_TIME", "Unknown")
    with pytest.raises(es.RuleError, match=r"SLURM_JOB_END_TIME should be .* got 'Unknown': pass"):
        Preemption()
    monkeypatch.delenv("SLURM_JOB_END_TIME")
    assert Preemption().until is None
    assert Preemption().seconds_left == float("inf")


def test_an_epoch_longer_than_the_grace_is_warned_of_once_unless_it_can_be_left() -> None:
    for within in (False, True):
        clock = Clock()
        preemption = Preemption(save=lambda: None, until=None, clock=clock)

        def act(epoch: int, p: Preemption = preemption, c: Clock = clock, w: bool = within) -> None:
            assert not (w and p.leave)
            c.now += 31

        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            run(preemption, act)
        assert len(told) == (not within)
        for warning in told:
            assert str(warning.message).startswith(
                "an epoch took 31 seconds, and `Preemption(grace=30)` is what there is after a "
                "signal: check `preemption.leave` within epochs"
            )
            assert warning.filename == __file__


# Bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"signals": ["SIGKILL"]}, "no program can handle SIGKILL"),
        ({"signals": ["TERM"]}, "there is no signal 'TERM' here: pass signal.SIGTERM"),
        ({"signals": [1000]}, "there is no signal 1000 here"),
        ({"grace": -1}, r"`Preemption\(grace=...\)` must be .* at least 0"),
        ({"grace": "30s"}, r"`Preemption\(grace=...\)` must be a number"),
        ({"exit_code": 256}, r"`Preemption\(exit_code=...\)` must be .*at most 255"),
        ({"until": "10:30"}, 'must be seconds since 1970, a datetime, "slurm" or None'),
        ({"until": float("nan")}, r"`Preemption\(until=...\)` must be"),
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(es.RuleError, match=message):
        Preemption(**settings)


def test_a_loop_refuses_a_preemption_that_would_lose_the_run() -> None:
    with pytest.raises(es.RuleError, match=r"a run that is not saved: pass `Preemption\(save="):
        EpochLoop(stopper(), preemption=Preemption())
    with pytest.raises(es.RuleTypeError, match="must be a Preemption or None, got 'SIGTERM'"):
        EpochLoop(stopper(), preemption="SIGTERM")  # type: ignore[arg-type]


def test_a_preemption_works_in_its_block_and_for_one_run() -> None:
    preemption = Preemption(save=lambda: None)
    epochs = iter(EpochLoop(stopper(), preemption=preemption))
    with pytest.raises(es.RuleError, match="works in its `with` block"):
        next(epochs)
    with preemption, pytest.raises(es.RuleError, match="has been entered: make a new one"):
        preemption.__enter__()
    with pytest.raises(es.RuleError, match="has been entered"):
        preemption.__enter__()


def test_what_save_raises_is_raised_and_nothing_is_said_to_be_left() -> None:
    def save() -> None:
        raise OSError("the disk is full")

    preemption = Preemption(save=save)
    with pytest.raises(OSError, match="the disk is full"):
        run(preemption, lambda epoch: kill())
    assert not preemption.has_left


# Real runs --------------------------------------------------------------------------------------


def test_runs_that_are_left_on_sigterm_end_as_if_left_alone(tmp_path: Path) -> None:
    memory, kinds = Path("/dev/shm"), ["loop", "training, within", "ranks"]  # noqa: S108  # faster
    folder = memory if memory.is_dir() else tmp_path
    command = [sys.executable, "-m", "benchmarks.crash.preemptions", "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--count", "2", "--only", *kinds],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[1:]
    assert [line.partition(":")[0] for line in lines] == kinds
    assert all(": 2 SIGTERMs over " in line for line in lines)


def test_a_program_says_why_it_ends_and_ends_with_the_exit_code() -> None:
    program = (
        "import os, signal\n"
        "import earlystop as es\n"
        "from earlystop.adapters.loop import EpochLoop\n"
        "from earlystop.adapters.preemption import Preemption\n"
        "with Preemption(save=lambda: print('saved')) as p:\n"
        "    loop = EpochLoop(es.EarlyStopping('loss'), preemption=p)\n"
        "    for epoch in loop:\n"
        "        loop.report(loss=-epoch)\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (75, "saved\n")
    assert done.stderr == "left the run (SIGTERM): run it again to go on\n"
