"""Long work in parts: in order, on threads, with a bar, and cleanly interrupted."""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tqdm

import earlystop as es
from earlystop._parallel import in_order
from earlystop.replaying.tuning import Tuning
from earlystop.sweeping.sweep import run_sweep
from earlystop.sweeping.totals import Totals


def ours() -> list[str]:
    """The threads of this library that are alive."""
    return [t.name for t in threading.enumerate() if t.name.startswith("earlystop")]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_their_tasks(workers: int) -> None:
    def task(number: int) -> int:
        time.sleep(0.002 * (number % 3 == 0))
        return number

    tasks = (functools.partial(task, number) for number in range(20))
    assert list(in_order(tasks, workers)) == list(range(20))
    assert not ours()


@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_no_more_tasks_are_taken_than_there_are_workers_and_ahead(ahead: int) -> None:
    taken = []

    def tasks() -> Iterator[Any]:
        for number in range(10):
            taken.append(number)
            yield lambda number=number: number

    results = in_order(tasks(), workers=3, ahead=ahead)
    assert next(results) == 0
    assert len(taken) == 3 + ahead
    results.close()
    assert not ours()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_task_ends_the_work(workers: int) -> None:
    begun = []

    def task(number: int) -> None:
        begun.append(number)
        if number == 3:
            raise es.HistoryError("the fourth")

    with pytest.raises(es.HistoryError, match="the fourth"):
        list(in_order((functools.partial(task, number) for number in range(100)), workers))
    assert len(begun) <= 6
    assert not ours()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_leaves_no_thread_and_no_bar_behind(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = es.History({"loss": np.ones((5000, 10))})
    small_batches = Tuning(runs_per_batch=100)
    real, calls = Totals.merge, []

    def interrupted(*arguments: Any) -> Any:  # where the main thread is when Ctrl-C is pressed
        calls.append(arguments)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(Totals, "merge", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(
            es.Patience("loss"),
            history,
            {"patience": [1, 2]},
            workers=workers,
            progress=True,
            tuning=small_batches,
        )
    assert len(calls) == 5
    assert not ours()
    assert not tqdm.tqdm._instances
    monkeypatch.undo()
    table = es.sweep(es.Patience("loss"), history, patience=[1, 2], workers=workers)
    assert table.mean_epochs.tolist() == [2, 3]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bar_shows_how_much_is_done(workers: int, capsys: pytest.CaptureFixture[str]) -> None:
    history = es.History({"loss": np.ones((3000, 10))})
    es.sweep(es.Patience("loss"), history, patience=[1, 2], workers=workers, progress=True)
    assert "100%" in capsys.readouterr().err
    es.replay(es.Patience("loss"), history, workers=workers, progress=True)
    assert "3000/3000" in capsys.readouterr().err
    es.replay(es.Patience("loss"), history[:9], workers=workers, progress=True)
    assert "9/9" in capsys.readouterr().err


def test_without_tqdm_a_bar_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    history = es.History({"loss": np.ones((30, 10))})
    for call in (
        lambda: es.sweep(es.Patience("loss"), history, patience=[1], progress=True),
        lambda: es.replay(es.Patience("loss"), history, progress=True),
    ):
        with pytest.raises(ImportError, match=r"needs tqdm: pip install tqdm$"):
            call()
