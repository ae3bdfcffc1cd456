"""A fit that was interrupted, killed or had ended, and is resumed by BackupAndRestore."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint
from earlystop.adapters.keras.files import read_weights, write_weights

import earlystop as es
from tests.adapters.keras.driven import drive
from tests.adapters.keras.fits import fit, network, same_weights
from tests.support.keras_runs import Model

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:You are saving your model"
)


class Interrupt(keras.callbacks.Callback):
    def __init__(self, epoch: int, at_end: bool) -> None:
        super().__init__()
        self.epoch, self.at_end = epoch, at_end

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.epoch and not self.at_end:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.epoch and self.at_end:
            raise KeyboardInterrupt


@pytest.mark.parametrize("ranked", [True, False])
@pytest.mark.parametrize("between", [True, False])
def test_a_fit_that_is_resumed_goes_on_as_if_never_interrupted(
    between: bool, ranked: bool, tmp_path: Path
) -> None:
    """Interrupted again and again: between epochs, or after ours and before Keras's backup."""

    def callbacks(folder: Path) -> list[Any]:
        early = EarlyStopping(patience=2, restore_best_weights=True, backup_dir=folder / "state")
        if ranked:
            path = folder / "models" / "{epoch}.keras"
            return [early, ModelCheckpoint(path, save_top_k=2, resume=True)]
        path = folder / "best.keras"
        return [early, ModelCheckpoint(path, save_best_only=True, backup_dir=folder / "state")]

    whole, model = callbacks(tmp_path / "whole"), network()
    history = fit(model, *whole, shuffle=False)
    assert whole[0].stopped_epoch > 7

    for interrupted in (2, 3, 7, None):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "keras")
        parts, other = callbacks(tmp_path / "parts"), network()
        stop = [] if interrupted is None else [Interrupt(interrupted, at_end=not between)]
        with contextlib.suppress(KeyboardInterrupt):
            fit(other, *parts, *stop, backup, shuffle=False)
        for callback in parts:
            callback.close()  # as the end of the process does
    assert parts[0].stopped_epoch == len(history.epoch) - 1
    assert (parts[0].best, parts[0].best_epoch) == (whole[0].best, whole[0].best_epoch)
    assert parts[0].stopped_reason == whole[0].stopped_reason
    assert same_weights(model, other)
    assert parts[1].best == whole[1].best
    kept = [sorted(p.name for p in (tmp_path / x).rglob("*.keras")) for x in ("whole", "parts")]
    assert kept[0] == kept[1]
    for name in kept[0]:
        one, two = (next((tmp_path / x).rglob(name)) for x in ("whole", "parts"))
        assert same_weights(keras.models.load_model(one), keras.models.load_model(two))
    del callback, parts, whole
    gc.collect()
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.parametrize("ranked", [True, False])
@pytest.mark.parametrize("epochs", [40, 7])
def test_a_fit_that_is_killed_after_the_callbacks_have_ended_keeps_its_best(
    epochs: int, ranked: bool, tmp_path: Path
) -> None:
    """BackupAndRestore, which comes last, resumes it: there is its backup, there must be ours."""

    def fitted() -> tuple[Any, ...]:
        early = EarlyStopping(patience=2, restore_best_weights=True, backup_dir=tmp_path / "state")
        settings: Any = {"save_best_only": True, "backup_dir": tmp_path / "state"}
        if ranked:
            settings = {"save_top_k": 1, "resume": True}
        checkpoint = ModelCheckpoint(tmp_path / "{epoch}.keras", **settings)
        backup = keras.callbacks.BackupAndRestore(tmp_path / "keras", delete_checkpoint=False)
        model = network()
        fit(model, early, checkpoint, backup, shuffle=False, epochs=epochs)
        return early, model, sorted(path.name for path in tmp_path.glob("*.keras"))

    early, model, files = fitted()
    for path in (tmp_path / "state").rglob("ended.json"):
        note = json.loads(path.read_text())
        path.write_text(json.dumps({**note, "process": "another"}))
    again, other, files_again = fitted()
    assert files_again == files
    assert same_weights(other, model)
    assert (again.best, again.best_epoch) == (early.best, early.best_epoch)
    assert (again.stopped_epoch, again.stopped_reason) == (
        early.stopped_epoch,
        early.stopped_reason,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_fit_that_is_killed_again_and_again_ends_as_if_left_alone() -> None:
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root), "KERAS_BACKEND": "torch"}
    script = [sys.executable, "-m", "benchmarks.crash.kills"]
    done = subprocess.run(
        [*script, "--what", "keras", "--kills", "8"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "     8 kills\n" in done.stdout
    assert "runs that ended as if left alone" in done.stdout
    assert "nothing was lost" in done.stdout


def test_a_resumed_fit_that_does_not_know_the_best_warns_before_overwriting_it(
    tmp_path: Path,
) -> None:
    def saved(first: int, **settings: Any) -> list[int]:
        callback = ModelCheckpoint(
            tmp_path / "best.keras", "m", save_best_only=True, mode="min", **settings
        )
        return drive(callback, [2.0, 1.0], first=first)[1].saved

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert saved(3) == [3, 4]  # there is no such file yet
        assert saved(0) == [0, 1]
        assert saved(2, initial_value_threshold=0.5) == []
        assert saved(2, backup_dir=tmp_path / "state") == [2, 3]
    with pytest.warns(UserWarning, match="begins with epoch 3, and the score of the model in"):
        assert saved(2) == [2, 3]


@pytest.mark.parametrize("kind", [EarlyStopping, ModelCheckpoint])
def test_a_folder_that_keras_deletes_before_it_is_read_is_refused_at_the_first_epoch(
    kind: Any, tmp_path: Path
) -> None:
    """BackupAndRestore deletes its folder at the end: what comes after it would find nothing."""
    settings: Any = {"restore_best_weights": True}
    if kind is ModelCheckpoint:
        settings = {"filepath": tmp_path / "best.keras", "save_best_only": True}
    ours = kind(**settings, backup_dir=tmp_path / "backup")
    keras_backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
    with pytest.raises(es.CheckpointError, match="list this callback before BackupAndRestore"):
        fit(network(), keras_backup, ours, epochs=2)
    ours.close()
    ours = kind(**settings, backup_dir=tmp_path / "own")
    fit(network(), ours, keras.callbacks.BackupAndRestore(str(tmp_path / "other")), epochs=3)


def test_a_fit_after_a_finished_one_starts_fresh(tmp_path: Path) -> None:
    for first in (0, 3, 0):  # after three epochs, from the first again, and with others
        callback = EarlyStopping("m", patience=2, mode="min", backup_dir=tmp_path)
        assert drive(callback, [1.0, 2.0, 3.0], first=first)[0] == first + 2
        assert callback.best_epoch == first


def test_a_state_of_another_run_is_refused(tmp_path: Path) -> None:
    def callback(patience: int = 9) -> EarlyStopping:
        return EarlyStopping("m", patience=patience, mode="min", backup_dir=tmp_path)

    def interrupted(epochs: int, first: int = 0, patience: int = 9) -> None:
        begun = callback(patience)
        begun.set_model(Model())
        begun.on_train_begin()
        for epoch in range(first, first + epochs):
            begun.on_epoch_end(epoch, {"m": 1.0})
        begun.close()

    interrupted(3)
    with pytest.raises(
        es.CheckpointError, match="holds a run of 3 epochs, and this fit begins wit"
    ):
        interrupted(1)
    with pytest.raises(es.CheckpointError, match="list this callback before BackupAndRestore"):
        interrupted(1, first=5)
    with pytest.raises(es.StateError, match="saved by other rules"):
        interrupted(1, first=3, patience=4)
    interrupted(2, first=3)
    (ledger,) = tmp_path.rglob("checkpoints.json")
    text = ledger.read_text()
    ledger.write_text(text.replace('"offset"', '"other"'))
    with pytest.raises(es.StateError, match="is not of a callback: no 'offset'"):
        interrupted(1, first=5)
    assert json.loads(text)["checkpoints"][-1]["state"]["stopper"]["checks"] == 5


def test_a_run_that_was_killed_after_its_stop_stays_stopped(tmp_path: Path) -> None:
    def run(first: int, curve: list[float]) -> tuple[EarlyStopping, Model]:
        callback = EarlyStopping(
            "m", patience=1, mode="min", restore_best_weights=True, backup_dir=tmp_path
        )
        model = Model()
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, value in enumerate(curve, first):
            model.epoch = epoch
            callback.on_epoch_end(epoch, {"m": value})
        return callback, model

    killed, _ = run(0, [2.0, 1.0, 3.0])
    killed.close()
    callback, model = run(3, [0.5])
    assert model.stop_training
    callback.on_train_end()
    assert (callback.stopped_epoch, callback.best_epoch, model.epoch) == (2, 1, 1)


def test_weights_of_any_type_are_kept_exactly(tmp_path: Path) -> None:
    for dtype in ("float32", "bfloat16", "float16", "float64"):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype=dtype)])
        write_weights(tmp_path / "w.npz", model)
        pairs = zip(read_weights(tmp_path / "w.npz", model), model.get_weights(), strict=True)
        for read, kept in pairs:
            assert read.dtype == np.asarray(kept).dtype
            assert np.array_equal(read, np.asarray(kept))
