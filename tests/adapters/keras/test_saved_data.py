"""Fits whose backups earlier versions of the library wrote go on as if never interrupted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import pytest

from tests.support.data import saved_files
from tests.support.keras_runs import KILLED, LOGS, train

pytestmark = pytest.mark.skipif(
    keras.backend.backend() == "numpy", reason="the files are of a backend that compares in float32"
)


def outcome(callback: Any, folder: Path) -> dict[str, Any]:
    """What a callback knows at the end of a fit, and the models in its folder."""
    names = ("best", "best_epoch", "best_weights", "wait", "stopped_epoch", "stopped_reason")
    known = {name: getattr(callback, name) for name in names if hasattr(callback, name)}
    models = {path.name: path.read_text() for path in folder.glob("*.keras")}
    return {**known, "models": models}


@pytest.mark.parametrize("saved", saved_files("keras/*"))
def test_a_killed_fit_goes_on_as_if_never_interrupted(saved: Path, tmp_path: Path) -> None:
    run = KILLED[saved.name]
    whole = run.callback(tmp_path / "whole")
    # One that has ended with its last epoch has nothing left but to end again.
    logs = LOGS[: run.epochs] if run.has_ended else LOGS
    stop, model = train(whole, logs)
    whole.on_train_end()

    shutil.copytree(saved, tmp_path / "resumed")
    resumed = run.callback(tmp_path / "resumed")
    first = min(run.epochs, stop + 1) if stop >= 0 else run.epochs
    # Keras begins one more epoch if the run had been stopped.
    again, model_again = train(resumed, logs[first:] or LOGS[first : first + 1], first)
    resumed.on_train_end()
    if run.has_ended and stop < 0:  # and this epoch was a real one
        stop, model = train(whole, LOGS[: run.epochs + 1])
        whole.on_train_end()
    assert (again >= 0) == (stop >= 0)
    assert outcome(resumed, tmp_path / "resumed") == outcome(whole, tmp_path / "whole")
    assert model_again.get_weights() == model.get_weights()


@pytest.mark.parametrize("saved", saved_files("keras/early_stopping*"))
def test_saved_data_have_an_envelope_and_the_current_rules(saved: Path, tmp_path: Path) -> None:
    run = KILLED[saved.name]
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    callback = run.callback(tmp_path)
    train(callback, [LOGS[run.epochs % len(LOGS)]], run.epochs if run.epochs < len(LOGS) else 10)
    (ledger,) = tmp_path.rglob("checkpoints.json")
    state = json.loads(ledger.read_text())["checkpoints"][-1]["state"]
    assert (state["format"], state["version"]) == ("earlystop.KerasCallback", 2)
    assert "Keras" not in json.dumps(state["stopper"])
    callback.on_train_end()
    (note,) = tmp_path.rglob("ended.json")
    assert json.loads(note.read_text())["format"] == "earlystop.KerasFitEnded"
