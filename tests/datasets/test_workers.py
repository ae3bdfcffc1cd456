"""Parts are worked on anywhere, in any order, with the same numbers; what fails is named."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import pickle
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import earlystop as es
from tests.datasets.tables import curves, rows_of, same, written

COLUMNS: dict[str, Any] = {"run": "run_id", "step": "step"}


def scanned(tmp_path: Path) -> es.Dataset:
    return es.scan_history(written(rows_of(curves()), tmp_path, group=17), **COLUMNS, rows=40)


def swept(data: Any, workers: Any = 1) -> es.Sweep:
    rule = es.Patience("val_loss") | es.NonFinite("val_loss")
    return es.sweep(rule, data, patience=[1, 2, 3], min_delta=[0, 0.5], workers=workers)


class Remote(concurrent.futures.Executor):
    """Takes pickled calls, and hands out results whose arrays cannot be written to."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        fn, args, kwargs = pickle.loads(pickle.dumps((fn, args, kwargs)))
        buffers: list[pickle.PickleBuffer] = []
        result = pickle.dumps(fn(*args, **kwargs), protocol=5, buffer_callback=buffers.append)
        read_only = [bytes(buffer) for buffer in buffers]
        future.set_result(pickle.loads(result, buffers=read_only))
        return future


def test_any_executor_gives_the_same_numbers(tmp_path: Path) -> None:
    data = scanned(tmp_path)
    expected = swept(data.read())
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        for workers in (1, Remote(), threads):
            assert same(swept(data, workers), expected)


def test_parts_in_any_order_give_the_same_numbers(tmp_path: Path) -> None:
    data = scanned(tmp_path)
    order = list(range(len(data)))
    random.Random(0).shuffle(order)
    one, other = swept(data), swept(data.only(order))
    assert one.mean_regret.tobytes() == other.mean_regret.tobytes()
    assert one.mean_used.tobytes() == other.mean_used.tobytes()


def test_processes_give_the_same_numbers(tmp_path: Path) -> None:
    data = scanned(tmp_path)
    assert same(swept(data, 2), swept(data))


@dataclass
class Seen:
    """Who works on parts: the ids of processes, and how ready the system is to end each (Linux)."""

    processes: dict[int, str]

    def merge(self, other: Any) -> None:
        self.processes |= other.processes


def who_works(history: es.History, number: int) -> Seen:
    time.sleep(0.2)  # the others start meanwhile
    adjusted = Path("/proc/self/oom_score_adj")
    return Seen({os.getpid(): adjusted.read_text("ascii") if adjusted.exists() else ""})


def test_this_process_works_too_and_is_the_last_to_end_for_lack_of_memory(tmp_path: Path) -> None:
    seen = scanned(tmp_path).total(who_works, "test", workers=3).processes
    here = seen.pop(os.getpid())
    assert 1 <= len(seen) <= 2
    if here:
        assert all(int(there) > int(here) for there in seen.values())


@dataclass
class Kills:
    """Kills the first process that works on a part, this one excepted, or each (always).

    This one leaves the others time to start, as it would do all parts by itself before that.
    """

    marker: Path
    always: bool = False

    def __call__(self, history: es.History, number: int) -> Any:
        if multiprocessing.parent_process() is None:
            self.wait_for_a_kill()
        elif self.always or not self.marker.exists():
            with self.marker.open("a") as kills:
                kills.write("X")
            os.kill(os.getpid(), signal.SIGKILL)
        return Runs(history.runs)

    def wait_for_a_kill(self) -> None:
        before, end = self.kills(), time.monotonic() + 3
        while (self.always or not before) and self.kills() == before and time.monotonic() < end:
            time.sleep(0.01)

    def kills(self) -> int:
        return self.marker.stat().st_size if self.marker.exists() else 0


@dataclass
class Runs:
    count: int

    def merge(self, other: Any) -> None:
        self.count += other.count


def test_a_killed_process_is_replaced_and_its_parts_are_done_again(tmp_path: Path) -> None:
    data = scanned(tmp_path)
    marker = tmp_path / "killed"
    found = data.total(Kills(marker), "test", workers=2)
    assert found.count == 30
    assert marker.exists()


def test_parts_that_kill_every_process_end_in_an_error(tmp_path: Path) -> None:
    data = scanned(tmp_path)
    with pytest.raises(es.DatasetError, match=r"a process ended by itself .* part \d"):
        data.total(Kills(tmp_path / "killed", always=True), "test", workers=2)


@dataclass
class Fails:
    """Fails so many times on one part."""

    times: int

    def __call__(self, history: es.History, number: int) -> Any:
        if number == 1 and self.times:
            self.times -= 1
            raise OSError("the connection was lost")
        return Runs(history.runs)


@pytest.mark.parametrize("threads", [False, True])
def test_a_part_that_fails_is_tried_again_and_then_named(threads: bool, tmp_path: Path) -> None:
    data = scanned(tmp_path)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        workers: Any = pool if threads else 1
        assert data.total(Fails(1), "test", workers=workers).count == 30
        with pytest.raises(es.DatasetError, match=r"part 1 of .*runs from .*connection was lost"):
            data.total(Fails(2), "test", workers=workers)


def test_progress_counts_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = scanned(tmp_path)
    es.sweep(es.Patience("val_loss"), data, patience=[1], progress=True)
    assert f"{len(data)}/{len(data)}" in capsys.readouterr().err


@pytest.mark.parametrize("workers", [0, "two", object()])
def test_other_workers_are_refused(workers: Any, tmp_path: Path) -> None:
    with pytest.raises(es.RuleError, match="workers"):
        swept(scanned(tmp_path), workers)


def test_quantiles_are_close_and_those_of_epochs_exact(tmp_path: Path) -> None:
    table, expected = swept(scanned(tmp_path)), swept(scanned(tmp_path).read())
    for q in (0.0, 0.3, 0.5, 0.9, 1.0):
        assert table.quantile_epochs(q).tolist() == expected.quantile_epochs(q).tolist()
        assert table.quantile_regret(q) == pytest.approx(
            expected.quantile_regret(q), rel=0.0045, nan_ok=True
        )
