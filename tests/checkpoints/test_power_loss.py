"""A machine that loses its power at any moment: every state that its disk may be in is tried.

The states come from `tests/support/crash_model.py`. In each, the folder must open, hold what was
promised (all saves that had returned), and the run must go on to the same end.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from earlystop import Checkpoints
from tests.support.crash_model import Disk, Model, Recorder, State

from .runs import WRITERS, content, names, text_of

LOSSES = [0.9, 0.5, 0.7, 0.6, 0.4]
SETTINGS: dict[str, dict[str, Any]] = {
    "the last and the best": {"keep_last": 1},
    "the last two": {"keep_last": 2},
    "the best two": {"keep_last": 1, "keep_best": 2, "monitor": "loss", "mode": "min"},
}

pytestmark = [
    pytest.mark.filterwarnings("ignore::earlystop.CheckpointWarning"),  # told: that is right
    pytest.mark.skipif(
        not Path("/proc/self/fd").exists(), reason="needs /proc to tell which file is synced"
    ),
]


def run(
    folder: Path,
    settings: dict[str, Any],
    end: int,
    on_save: Callable[[int], Any],
    what: str = "a file",
) -> None:
    """Go on with a run up to an epoch, from wherever the folder says it stands."""
    with Checkpoints(folder, "{epoch}.txt", resume=True, **settings) as checkpoints:
        for entry in (checkpoints.best, checkpoints.last):
            path = checkpoints.path(entry)
            assert entry is None or path is None or text_of(path) == content(entry.epoch)
        first = -1 if checkpoints.last is None else checkpoints.last.epoch
        on_save(first)
        for epoch in range(first + 1, end):
            best = LOSSES[epoch] == min(LOSSES[: epoch + 1])
            metrics = {"loss": LOSSES[epoch]}
            write = WRITERS[what](epoch)
            checkpoints.save(write, epoch=epoch, metrics=metrics, best=best, state=epoch)
            on_save(epoch)


def outcome(folder: Path) -> tuple[set[str], Any]:
    with Checkpoints(folder, "{epoch}.txt", resume=True) as checkpoints:
        return names(folder), checkpoints.entries


def laid_out(state: State, folder: Path) -> Path:
    folder.mkdir()
    for name, data in state.items():
        if data is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(data)
    return folder


class PowerLoss:
    """After each recorded call, tries every state: what it holds, and that the run goes on."""

    def __init__(
        self, top: Path, settings: dict[str, Any], model: Model, end: int, what: str = "a file"
    ) -> None:
        self.top, self.settings, self.model, self.end = top, settings, model, end
        self.what = what
        self.promised, self.tried = -1, 0
        self._numbers = itertools.count()
        self._seen: set[tuple[int, frozenset[tuple[str, bytes | None]]]] = set()
        run(top / "alone", settings, end, lambda epoch: None, what)
        self._expected = outcome(top / "alone")
        self.samples: list[State] = []

    def save_returned(self, epoch: int) -> None:
        self.promised = epoch

    def after_call(self, disk: Disk, call: str) -> None:
        for state in disk.states(self.model):
            key = (self.promised, frozenset(state.items()))
            if key not in self._seen:
                self._seen.add(key)
                self.tried += 1
                self._try(state, call)
                if self.tried % 40 == 0:
                    self.samples.append(state)

    def _try(self, state: State, call: str) -> None:
        folder = laid_out(state, self.top / f"state {next(self._numbers)}")
        reached: list[int] = []
        run(folder, self.settings, self.end, reached.append, self.what)
        assert reached[0] >= self.promised, f"lost after {call}: {sorted(state)}"
        assert outcome(folder) == self._expected, f"another end after {call}: {sorted(state)}"


@pytest.fixture
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to reach the disk of this machine."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.mark.usefixtures("without_waiting")
@pytest.mark.parametrize("model", ["journal", "posix"])
@pytest.mark.parametrize("what", SETTINGS)
def test_after_a_power_loss_all_that_was_saved_is_there(
    what: str, model: Model, tmp_path: Path
) -> None:
    folder, end = tmp_path / "run", 3 if model == "posix" else 5
    folder.mkdir()
    loss = PowerLoss(tmp_path, SETTINGS[what], model, end)
    with Recorder(folder, model, loss.after_call):
        run(folder, SETTINGS[what], end, loss.save_returned)
    assert loss.tried > 50


@pytest.mark.usefixtures("without_waiting")
@pytest.mark.parametrize("model", ["journal", "posix"])
def test_after_a_power_loss_every_folder_that_was_saved_is_whole(
    model: Model, tmp_path: Path
) -> None:
    folder, settings = tmp_path / "run", SETTINGS["the last and the best"]
    end = 2 if model == "posix" else 3  # the second takes the place of the first
    folder.mkdir()
    loss = PowerLoss(tmp_path, settings, model, end, "a folder")
    with Recorder(folder, model, loss.after_call):
        run(folder, settings, end, loss.save_returned, "a folder")
    assert loss.tried > 50


@pytest.mark.usefixtures("without_waiting")
@pytest.mark.parametrize("model", ["journal", "posix"])
def test_a_second_power_loss_while_the_run_goes_on_is_no_worse(
    model: Model, tmp_path: Path
) -> None:
    settings, end = SETTINGS["the last and the best"], 3
    (tmp_path / "first" / "run").mkdir(parents=True)
    first = PowerLoss(tmp_path / "first", settings, model, end)
    with Recorder(tmp_path / "first" / "run", model, first.after_call):
        run(tmp_path / "first" / "run", settings, end, first.save_returned)
    assert first.samples
    for number, state in enumerate(first.samples[:: 3 if model == "posix" else 1]):
        top = tmp_path / f"second {number}"
        top.mkdir()
        folder = laid_out(state, top / "run")
        second = PowerLoss(top, settings, model, end)
        with Recorder(folder, model, second.after_call):
            run(folder, settings, end, second.save_returned)
