"""What is refused, is refused before an epoch is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint

import earlystop as es
from tests.adapters.keras.fits import fit, network
from tests.support.keras_runs import Model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def interrupted(callback: Any, curve: list[float], first: int = 0) -> None:
    """A fit that is interrupted after these epochs."""
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(curve, first):
        model.epoch = epoch
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"m": value})
    callback.close()


def begin(callback: Any, epoch: int) -> Any:
    """Begin a fit with this epoch, and train nothing of it."""
    callback.set_model(Model())
    try:
        callback.on_train_begin()
        callback.on_epoch_begin(epoch)
    finally:
        callback.close()
    return callback


def early(folder: Path, patience: int = 9, **settings: Any) -> EarlyStopping:
    settings = {"restore_best_weights": True, **settings}
    return EarlyStopping("m", patience=patience, mode="min", backup_dir=folder, **settings)


def ranked(folder: Path, **settings: Any) -> ModelCheckpoint:
    return ModelCheckpoint(folder / "{epoch}.keras", "m", mode="min", save_top_k=2, **settings)


def test_a_used_folder_is_refused_when_the_fit_begins(tmp_path: Path) -> None:
    interrupted(ranked(tmp_path), [1.0])
    callback = ranked(tmp_path)
    callback.set_model(Model())
    with pytest.raises(es.CheckpointError, match="pass resume=True"):
        callback.on_train_begin()


def test_another_first_epoch_and_other_rules_are_refused_when_it_begins(tmp_path: Path) -> None:
    interrupted(early(tmp_path), [1.0, 2.0, 3.0])
    interrupted(ranked(tmp_path / "top"), [1.0, 2.0, 3.0])
    for epoch in (0, 5):
        for callback in (early(tmp_path), ranked(tmp_path / "top", resume=True)):
            with pytest.raises(es.CheckpointError, match=f"this fit begins with epoch {epoch + 1}"):
                begin(callback, epoch)
    with pytest.raises(es.StateError, match="saved by other rules"):
        begin(early(tmp_path, patience=4), 3)
    assert begin(early(tmp_path), 3).best == 1.0


def test_a_metric_without_a_known_direction_is_refused_when_it_begins(tmp_path: Path) -> None:
    for callback in (EarlyStopping("mystery"), ModelCheckpoint("m.keras", "mystery", 0, True)):
        with pytest.raises(es.RuleError, match="pass mode="):
            begin(callback, 0)


@pytest.mark.parametrize("harm", ["deleted", "cut off", "empty", "of another model"])
def test_a_best_that_cannot_be_restored_is_told_when_the_run_is_resumed(
    harm: str, tmp_path: Path
) -> None:
    interrupted(early(tmp_path), [2.0, 1.0, 3.0])
    (path,) = tmp_path.rglob("best-0001.npz")
    callback = early(tmp_path)
    if harm == "deleted":
        path.unlink()
    elif harm == "of another model":
        Model.get_weights, whole = (lambda self: [[1.0, 2.0]]), Model.get_weights
    else:
        path.write_bytes(path.read_bytes()[:100] if harm == "cut off" else b"")
    try:
        with pytest.raises(
            es.CheckpointError, match=r"best-0001\.npz|in epoch 2, whose weights are not"
        ):
            begin(callback, 3)
    finally:
        if harm == "of another model":
            Model.get_weights = whole


def test_a_best_that_was_never_kept_is_told_when_the_run_is_resumed(tmp_path: Path) -> None:
    interrupted(early(tmp_path, restore_best_weights=False), [2.0, 1.0, 3.0])
    with pytest.raises(es.CheckpointError, match="in epoch 2, whose weights are not there"):
        begin(early(tmp_path), 3)
    assert begin(early(tmp_path, restore_best_weights=False), 3).best_epoch == 1


def test_a_best_file_that_is_gone_is_told_when_the_run_is_resumed(tmp_path: Path) -> None:
    def callback() -> ModelCheckpoint:
        path = tmp_path / "{epoch}-{m:.1f}.keras"
        settings: Any = {"save_best_only": True, "mode": "min", "backup_dir": tmp_path / "state"}
        return ModelCheckpoint(path, "m", **settings)

    interrupted(callback(), [2.0, 1.0, 3.0])
    begin(callback(), 3)
    (tmp_path / "2-1.0.keras").unlink()
    with pytest.warns(
        UserWarning, match=r"the file of the best so far, '.*2-1\.0\.keras', is not there"
    ):
        begin(callback(), 3)


def test_in_a_real_fit_not_a_batch_is_trained_before_a_refusal(tmp_path: Path) -> None:
    model = network()
    fit(model, ModelCheckpoint(tmp_path / "{epoch}.keras", save_top_k=2), epochs=2)
    iterations = int(model.optimizer.iterations)
    early_stopping = early(tmp_path / "state")
    interrupted(early_stopping, [1.0, 2.0])
    for callback in (
        ModelCheckpoint(tmp_path / "{epoch}.keras", save_top_k=2),
        ModelCheckpoint(tmp_path / "{epoch}.keras", save_top_k=2, resume=True),
        early(tmp_path / "state"),
        EarlyStopping("val_mystery"),
    ):
        with pytest.raises(es.EarlystopError):
            fit(model, callback, epochs=1)
        callback.close()
    assert int(model.optimizer.iterations) == iterations


def test_a_run_that_had_stopped_goes_on_with_more_patience(tmp_path: Path) -> None:
    curve = [2.0, 1.0, 3.0, 4.0]
    interrupted(early(tmp_path, patience=2), curve)
    with pytest.raises(es.StateError, match="changed_rules=True"):
        begin(early(tmp_path, patience=4), 4)
    assert begin(early(tmp_path, patience=2, changed_rules=True), 4).model.stop_training
    callback = early(tmp_path, patience=4, changed_rules=True)
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate([5.0, 6.0], 4):
        assert not model.stop_training
        model.epoch = epoch
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"m": value})
    callback.on_train_end()
    assert (callback.stopped_epoch, callback.best_epoch, model.epoch) == (5, 1, 1)


def test_the_best_few_go_on_under_another_number(tmp_path: Path) -> None:
    def ranked_by(**settings: Any) -> ModelCheckpoint:
        path = tmp_path / "{epoch}.keras"
        return ModelCheckpoint(path, save=es.Best("m", "min", **settings), backup_dir=tmp_path)

    interrupted(ranked_by(min_delta=0.5), [1.0, 0.75])
    with pytest.raises(es.StateError, match="changed_rules=True"):
        begin(ranked_by(min_delta=0.125), 2)
    path = tmp_path / "{epoch}.keras"
    rule = es.Best("m", "min", min_delta=0.125)
    callback = ModelCheckpoint(path, save=rule, backup_dir=tmp_path, changed_rules=True)
    interrupted(callback, [0.75], first=2)
    assert (tmp_path / "3.keras").exists()
    with pytest.raises(es.RuleError, match=r"EarlyStopping\(changed_rules=...\)` must be"):
        early(tmp_path, changed_rules=1)
