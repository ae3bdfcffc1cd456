"""`ModelCheckpoint`: Keras's decisions and file names, and the best k."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import pytest
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.checkpoints import read_ledger
from tests.adapters.keras.driven import curves, drive, inf, modes, nan, printed, small
from tests.adapters.keras.fits import fit, network, same_weights
from tests.support.keras_runs import Model

KerasEarlyStopping = keras.callbacks.EarlyStopping
KerasModelCheckpoint = keras.callbacks.ModelCheckpoint

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:You are saving your model"
)


@given(
    curve=curves,
    mode=modes,
    best_only=st.booleans(),
    threshold=st.none() | small | st.sampled_from([inf, -inf]),
    template=st.sampled_from(["m", "{epoch:03d}", "{epoch}-{m:.2f}", "run{epoch}/x{m:.1e}"]),
    weights=st.booleans(),
)
def test_it_saves_what_keras_saves(
    curve: list[float],
    mode: str,
    best_only: bool,
    threshold: float | None,
    template: str,
    weights: bool,
) -> None:
    found = []
    for kind in (ModelCheckpoint, KerasModelCheckpoint):
        with tempfile.TemporaryDirectory() as folder:
            ending = ".weights.h5" if weights else ".keras"
            callback = kind(
                f"{folder}/{template}{ending}", "m", 0, best_only, weights, mode, "epoch", threshold
            )
            _, model = drive(callback, list(curve))
            files = {
                str(path.relative_to(folder)): path.read_text()
                for path in Path(folder).rglob("*")
                if path.is_file()
            }
            found.append((model.saved, callback.best, files))
    assert found[0] == found[1]


@pytest.mark.parametrize("save_freq", [1, 3, 4, 7])
@pytest.mark.parametrize("per_execution", [1, 3])
def test_it_saves_after_as_many_batches_as_keras(
    save_freq: int, per_execution: int, tmp_path: Path
) -> None:
    saved = []
    for kind in (ModelCheckpoint, KerasModelCheckpoint):
        callback = kind(tmp_path / "{epoch}-{batch}.keras", save_freq=save_freq)
        model = Model()
        callback.set_model(model)
        callback.on_train_begin()
        for epoch in range(3):
            callback.on_epoch_begin(epoch)
            for batch in range(per_execution - 1, 10, per_execution):
                model.epoch = 100 * epoch + batch
                callback.on_train_batch_end(batch, {"loss": 1.0})
            callback.on_epoch_end(epoch, {"loss": 1.0})
        saved.append((model.saved, sorted(path.name for path in tmp_path.iterdir())))
    assert saved[0] == saved[1]


def test_the_best_few_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "{epoch:02d}-{m:.1f}.keras"
    with printed() as output:
        _, model = drive(
            ModelCheckpoint(path, "m", 1, mode="min", save_top_k=2), [3.0, 2.0, nan, 2.5, 9.0, 1.0]
        )
    assert model.saved == [0, 1, 3, 5]
    assert {path.name for path in tmp_path.glob("*.keras")} == {"02-2.0.keras", "06-1.0.keras"}
    assert [entry.epoch for entry in read_ledger(tmp_path)] == [1, 5]
    assert "Epoch 4: m 2.5 is among the best 2, saved to" in output.getvalue()
    assert "Epoch 5: m 9.0 is not among the best 2, not saved" in output.getvalue()
    with pytest.raises(es.CheckpointError, match="pass resume=True"):
        drive(ModelCheckpoint(path, "m", mode="min", save_top_k=2), [1.0])
    with pytest.raises(es.CheckpointError, match="holds a run of 6 epochs, and this fit begins w"):
        drive(ModelCheckpoint(path, "m", mode="min", save_top_k=2, resume=True), [1.0])
    callback = ModelCheckpoint(path, "m", mode="min", save_top_k=2, resume=True)
    drive(callback, [1.5, 0.5], first=6)
    assert {path.name for path in tmp_path.glob("*.keras")} == {"06-1.0.keras", "08-0.5.keras"}


def test_accuracy_is_found_by_its_old_and_its_new_name(tmp_path: Path) -> None:
    for logged, monitor in (("val_accuracy", "val_acc"), ("val_acc", "val_accuracy")):
        path = tmp_path / f"{{epoch:02d}}-{{{monitor}:.4f}}.keras"
        callback = ModelCheckpoint(path, monitor, save_best_only=True)
        drive(callback, [0.5, 0.75], logged)
        assert (tmp_path / "02-0.7500.keras").exists()
        assert drive(EarlyStopping(monitor, patience=2), [0.5, 0.6, 0.5, 0.5], logged)[0] == 3


def test_the_old_ending_of_the_tutorials_works(tmp_path: Path) -> None:
    path = tmp_path / "model" / "{epoch:04d}-{val_loss:.4f}.hdf5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = network()
        fit(
            model, ModelCheckpoint(filepath=path, monitor="val_loss", save_best_only=True), epochs=2
        )
    newest = max((tmp_path / "model").iterdir())
    assert same_weights(keras.models.load_model(newest, compile=False), model)


def test_names_from_templates_stay_in_the_folder(tmp_path: Path) -> None:
    for template in ("{epoch:/>9}.keras", "a/{epoch:.>3}/x.keras", "{epoch.__class__}.keras"):
        with pytest.raises((es.RuleError, es.MissingMetricError)):
            drive(ModelCheckpoint(tmp_path / "in" / template), [1.0])
    assert not list(tmp_path.rglob("*.keras"))
    drive(ModelCheckpoint(tmp_path / "in" / ".." / "{{out}}{epoch}.keras"), [1.0])
    assert (tmp_path / "{out}1.keras").exists()


def test_a_failed_save_leaves_the_previous_file(tmp_path: Path) -> None:
    class Full(Model):
        def save(self, path: str, **_: Any) -> None:
            super().save(path)
            if self.epoch == 1:
                raise OSError(28, "No space left on device")

    callback = ModelCheckpoint(tmp_path / "m.keras", "m", save_best_only=True, mode="min")
    model = Full()
    callback.set_model(model)
    callback.on_train_begin()
    model.epoch = 0
    callback.on_epoch_end(0, {"m": 2.0})
    model.epoch = 1
    with pytest.raises(es.CheckpointError, match=r"m\.keras' cannot be written: No space left"):
        callback.on_epoch_end(1, {"m": 1.0})
    assert os.listdir(tmp_path) == ["m.keras"]
    assert (tmp_path / "m.keras").read_text() == "0"
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(es.CheckpointError, match="cannot be written: there is a folder of"):
        drive(ModelCheckpoint(tmp_path / "folder.keras"), [1.0])


def test_files_are_where_the_path_led_when_the_callback_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = ModelCheckpoint("plain/{epoch}.keras", "m", verbose=0)
    ranked = ModelCheckpoint("ranked/{epoch}.keras", "m", mode="min", save_top_k=1)
    backed = ModelCheckpoint("backed/{epoch}.keras", "m", mode="min", backup_dir="backup")
    home = ModelCheckpoint("~/in-home.keras", "m")
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    for callback in (plain, ranked, backed):
        drive(callback, [1.0])
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.keras")) == [
        "backed/1.keras",
        "plain/1.keras",
        "ranked/1.keras",
    ]
    assert os.listdir(tmp_path / "other") == []
    assert home.filepath == os.path.expanduser(home.filepath) != "~/in-home.keras"
