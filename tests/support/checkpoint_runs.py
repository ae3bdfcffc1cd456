"""Writes folders of checkpoints that this version of the library leaves, closed or killed.

    python tests/support/checkpoint_runs.py tests/data/0.2.0

Run it once per version, before the release, and commit what it wrote; files of a released version
never change. It uses public names only, so that it runs with any version. Each case is a folder
`run/` as it was left, and `expected.json`: what this version makes of it when it opens it again.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import earlystop as es
from earlystop import Checkpoints

LOSSES = [0.9, 0.7, float("nan"), 0.6, 0.65, 0.5, 0.55, 0.58, 0.56, 0.57, 0.59]
LAST = 7  # the epoch in which a case ends
NAME = "{epoch:03d}.txt"
SETTINGS = {"keep_last": 2}


def go_on(checkpoints: Checkpoints, stopper: es.Stopper, end: int) -> list[es.Decision]:
    """Save every epoch up to `end`, as a training loop does."""
    decisions = []
    for epoch in range(stopper.epoch, end + 1):
        decision = stopper.step({"loss": LOSSES[epoch]})
        decisions.append(decision)
        checkpoints.save(
            lambda path, epoch=epoch: path.write_text(f"weights of epoch {epoch}"),
            epoch=epoch,
            metrics={"loss": LOSSES[epoch]},
            best=decision.save,
            state={"stopper": stopper.state_dict()},
        )
        if decision.stop:
            break
    return decisions


def killed_before(call: str, names: Callable[[str], bool]) -> Callable[[Path], None]:
    """A run that ends, as if killed, before a call of `os` in its last epoch."""

    def run(folder: Path) -> None:
        process = os.fork()
        if process:
            os.waitpid(process, 0)
            return
        stopper = es.EarlyStopping("loss", patience=5)
        with Checkpoints(folder, NAME, **SETTINGS) as checkpoints:
            go_on(checkpoints, stopper, LAST - 1)
            original = getattr(os, call)

            def dying(*arguments: Any) -> Any:
                if names(Path(arguments[-1]).name):
                    os._exit(0)
                return original(*arguments)

            setattr(os, call, dying)
            go_on(checkpoints, stopper, LAST)
        os._exit(1)

    return run


def closed(folder: Path) -> None:
    with Checkpoints(folder, NAME, **SETTINGS) as checkpoints:
        go_on(checkpoints, es.EarlyStopping("loss", patience=5), LAST)


CASES: dict[str, Callable[[Path], None]] = {
    "closed": closed,
    "killed-before-the-ledger": killed_before("replace", lambda name: name.endswith(".json")),
    "killed-before-naming": killed_before("replace", lambda name: name == f"{LAST:03d}.txt"),
    "killed-before-deleting": killed_before("unlink", lambda name: name.endswith(".txt")),
}


def expected(folder: Path) -> dict[str, Any]:
    """What this version makes of a folder, and how the run goes on."""
    with tempfile.TemporaryDirectory() as top:
        copy = Path(shutil.copytree(folder, Path(top) / "run"))
        stopper = es.EarlyStopping("loss", patience=5)
        with Checkpoints(copy, NAME, resume=True, **SETTINGS) as checkpoints:
            assert checkpoints.last is not None
            assert checkpoints.best is not None
            files = {path.name for path in copy.iterdir() if not path.name.startswith(".")}
            found = {
                "name": NAME,
                "settings": SETTINGS,
                "entries": [[e.epoch, e.file, e.best] for e in checkpoints.entries],
                "best": checkpoints.best.epoch,
                "last": checkpoints.last.epoch,
                "files": sorted(files),
                "losses": [x if x == x else "nan" for x in LOSSES],
            }
            stopper.load_state_dict(checkpoints.last.state["stopper"])
            decisions = go_on(checkpoints, stopper, len(LOSSES) - 1)
    return {**found, "decisions_after_last": [[d.stop, d.save] for d in decisions]}


def main(top: Path) -> None:
    for case, run in CASES.items():
        folder = top / "checkpoints" / case / "run"
        folder.mkdir(parents=True)
        run(folder)
        (folder / ".checkpoints.lock").write_text('{"process": 1, "host": "host"}\n')
        (folder.parent / "expected.json").write_text(json.dumps(expected(folder)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
