"""The runs that `interrupts.py` interrupts: a stopper, a plain loop, a folder of checkpoints.

Each works in `act` until it is interrupted, wherever that strikes, and then says in `check` whether
all that can be seen of it agrees, goes on, and says whether it ends as if left alone. Some runs are
interrupted in the first microseconds of `act`, which closes what was done before.
"""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from earlystop.adapters.loop import EpochLoop

import earlystop as es
from earlystop import Checkpoints
from earlystop.checkpoints import checkpoint_path, read_ledger
from earlystop.checkpoints.names import LEDGER, LOCK

__all__ = ["CheckpointsRun", "LoopRun", "StopperRun", "loss", "rules"]

STOP, SAVE = es.Patience("loss", 40) | es.NonFinite("loss"), es.Best("loss")
LENGTH = 60  # positions of a stopper, from the beginning to the stop


def loss(epoch: int) -> float:
    """A curve with a new best every third epoch up to the 20th, and none after it."""
    return 1.0 / (1 + min(epoch, 18)) + (0.5 if epoch % 3 else 0.0) + (epoch > 18)


def rules() -> es.Stopper:
    """Stops at epoch 58, 40 after the best."""
    return es.Stopper(STOP, SAVE)


@functools.cache
def positions() -> list[Any]:
    """The states of the stopper after 0, 1, 2, ... checks, up to the one that stops."""
    stopper = rules()
    states = [stopper.state_dict()]
    while not stopper.stopped:
        stopper.step({"loss": loss(stopper.checks)})
        states.append(stopper.state_dict())
    assert len(states) == LENGTH
    return states


def check_position(stopper: es.Stopper) -> None:
    state = stopper.state_dict()
    for metrics in (state["best_metrics"], state.get("last_check", {}).get("metrics")):
        if metrics is not None:
            metrics.pop("elapsed_seconds", None)
    assert state == positions()[stopper.checks], f"the stopper is half-way: {state}"
    assert stopper.stopped == (stopper.checks == LENGTH - 1), "it stops where it should not"


class StopperRun:
    """Steps a stopper to its end, and again from its beginning."""

    name, longest_delay = "Stopper", 6e-4

    def __init__(self, folder: Path, seed: int) -> None:
        self.stopper = rules()

    def act(self, goes_on: Callable[[], bool]) -> None:
        stopper = self.stopper
        while goes_on():
            while not stopper.stopped:
                stopper.step({"loss": loss(stopper.checks)})
            stopper.reset()

    def check(self) -> None:
        check_position(self.stopper)
        while not self.stopper.stopped:
            self.stopper.step({"loss": loss(self.stopper.checks)})
        check_position(self.stopper)


class LoopRun:
    """A plain loop that copies its weights, in a `with` block or without one, again and again."""

    name = "EpochLoop"

    def __init__(self, folder: Path, seed: int) -> None:
        self.in_block = bool(seed % 2)
        self.max_epochs = 1 + seed // 2 % 5 if seed % 3 else LENGTH  # short ones close often
        self.longest_delay, self.closes_first = 6e-3, seed % 4 == 0
        if self.closes_first:
            self.longest_delay, self.max_epochs = 6e-5, LENGTH
        self.begin()
        if self.closes_first:
            self.epochs = iter(self.loop)
            for _ in range(1 + seed // 4 % 3):
                self.weights["w"] = next(self.epochs)
                self.report(self.weights["w"])

    def begin(self, **kept: Any) -> None:
        weights = {"w": -1}
        loop = EpochLoop(
            rules(),
            save=lambda epoch, metrics: dict(weights),
            restore=weights.update,
            max_epochs=self.max_epochs,
            **kept,
        )
        self.both = loop, weights

    @property
    def loop(self) -> EpochLoop:
        return self.both[0]

    @property
    def weights(self) -> dict[str, int]:
        return self.both[1]

    def act(self, goes_on: Callable[[], bool]) -> None:
        if self.closes_first:
            self.loop.close()
        while goes_on():
            if self.loop.restored:
                self.begin()
            if self.in_block:
                with self.loop:
                    self.train()
            else:
                self.train()

    def train(self) -> None:
        for epoch in self.loop:
            self.weights["w"] = epoch
            self.report(epoch)

    def report(self, epoch: int) -> None:
        try:
            self.loop.report(loss=loss(epoch))
        except KeyboardInterrupt:
            if not self.in_block:  # report again, as one may, and leave the loop
                self.check_agreement()
                if self.loop.decision is None or self.loop.decision.epoch != epoch:
                    self.loop.report(loss=loss(epoch))
            raise

    def check_agreement(self) -> None:
        loop, stopper = self.loop, self.loop.stopper
        check_position(stopper)
        assert loop.history.get("loss", []) == [loss(epoch) for epoch in range(stopper.checks)]
        assert (-1 if loop.decision is None else loop.decision.epoch) == stopper.checks - 1
        best = None if stopper.best_epoch is None else {"w": stopper.best_epoch}
        assert loop.kept == best, f"it kept {loop.kept}, the best is {best}"
        assert loop.state_dict()["stopper"] == stopper.state_dict()

    def check(self) -> None:
        self.loop.close()
        self.check_agreement()
        first, best = self.loop, self.loop.stopper.best_epoch
        assert first.restored == (best is not None)
        assert best is None or self.weights == {"w": best}, "the best was not restored"
        if not first.stopper.stopped:
            self.max_epochs = LENGTH
            self.begin(**({} if best is None else {"kept": first.kept}))
            self.loop.load_state_dict(first.state_dict())
            self.train()
        check_position(self.loop.stopper)
        assert self.weights == {"w": 18}, "it ended with the weights of another epoch"


def content(epoch: int) -> bytes:
    return b"weights of epoch %d, whole " % epoch * 200


class CheckpointsRun:
    """Saves one epoch after another, and closes and opens the folder now and then."""

    name = "Checkpoints"

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.generator = folder, random.Random(seed)
        self.checkpoints: Checkpoints | None = None
        self.longest_delay, self.closes_first = 2.5e-2, seed % 4 == 0
        if self.closes_first:
            self.longest_delay = 4e-4
            checkpoints = self.open()
            for _ in range(1 + seed // 4 % 5):
                self.save(checkpoints)

    def open(self) -> Checkpoints:
        self.checkpoints = Checkpoints(self.folder, "{epoch}.bin", keep_last=2, resume=True)
        return self.checkpoints

    def close(self) -> None:
        if self.checkpoints is not None:
            self.checkpoints.close()
            self.checkpoints = None

    def act(self, goes_on: Callable[[], bool]) -> None:
        if self.closes_first:
            self.close()
        while goes_on():
            self.save(self.checkpoints or self.open())
            if self.generator.random() < 0.3:
                self.close()

    def save(self, checkpoints: Checkpoints) -> None:
        epoch = 0 if checkpoints.last is None else checkpoints.last.check + 1
        checkpoints.save(
            lambda path: path.write_bytes(content(epoch)),
            epoch=epoch,
            metrics={"loss": loss(epoch)},
            best=loss(epoch) == min(map(loss, range(epoch + 1))),
            state={"epoch": epoch},
        )

    def check(self) -> None:
        checkpoints = self.checkpoints
        if checkpoints is not None:
            with contextlib.suppress(es.CheckpointError):  # closed by what was interrupted
                self.check_entries(checkpoints)
                self.save(checkpoints)
                self.save(checkpoints)
            self.check_entries(checkpoints)
            self.close()
        checkpoints = self.open()
        self.check_entries(checkpoints)
        self.save(checkpoints)
        self.check_entries(checkpoints)
        names = {path.name for path in self.folder.iterdir()} - {LEDGER, LOCK}
        assert names == {entry.file for entry in checkpoints.entries}, f"left over: {names}"
        self.close()

    def check_entries(self, checkpoints: Checkpoints) -> None:
        entries = tuple(read_ledger(self.folder))
        assert checkpoints.entries == entries, "the ledger is not what is known of it"
        for entry in entries:
            path = checkpoint_path(self.folder, entry)
            assert path is not None
            assert path.read_bytes() == content(entry.check), "a file is not whole"
            assert entry.state == {"epoch": entry.check}
        if entries:
            lowest = min(loss(epoch) for epoch in range(entries[-1].check + 1))
            best = checkpoints.best
            assert best is not None
            assert loss(best.check) == lowest, "the best is not the best there was"
