"""One callback in several fits: what it knows of one model does not decide about another."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint

import earlystop as es
from tests.adapters.keras.fits import X, Y, fit, network
from tests.support.keras_runs import Model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def run(callback: Any, model: Model, curve: list[float], first: int = 0) -> list[int]:
    """The epochs of a fit of this model that were saved."""
    model.saved.clear()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(curve, first):
        model.epoch = epoch
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"m": value})
    callback.on_train_end()
    return list(model.saved)


def checkpoint(path: Path, **settings: Any) -> ModelCheckpoint:
    return ModelCheckpoint(path, "m", mode="min", save_best_only=True, **settings)


@pytest.mark.parametrize("threshold", [None, 0.85])
def test_the_best_of_one_model_does_not_keep_another_from_being_saved(
    threshold: float | None, tmp_path: Path
) -> None:
    callback = checkpoint(tmp_path / "{epoch}-{m:.2f}.keras", initial_value_threshold=threshold)
    assert run(callback, Model(), [0.3, 0.1]) == [0, 1]
    assert run(callback, Model(), [0.9, 0.8, 0.95]) == ([0, 1] if threshold is None else [1])
    assert callback.best == 0.8


def test_the_same_model_and_a_later_first_epoch_go_on_with_the_best(tmp_path: Path) -> None:
    callback, model = checkpoint(tmp_path / "m.keras"), Model()
    assert run(callback, model, [0.3, 0.2]) == [0, 1]
    assert run(callback, model, [0.25, 0.1]) == [1]  # the same model, fitted again
    loaded = Model()
    assert run(callback, loaded, [0.2, 0.05], first=2) == [3]  # from a file, with initial_epoch=2
    assert callback.best == 0.05


def test_a_fit_in_which_the_best_of_an_earlier_one_keeps_all_from_being_saved_warns(
    tmp_path: Path,
) -> None:
    callback, model = checkpoint(tmp_path / "m.keras"), Model()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(callback, model, [0.3, 0.1])
        run(callback, model, [0.2, 0.05])
    with pytest.warns(UserWarning, match="nothing was saved, as no epoch of this fit was better"):
        run(callback, model, [0.9, 0.8])


def test_the_file_of_the_model_before_is_not_replaced_without_a_word(tmp_path: Path) -> None:
    callback = checkpoint(tmp_path / "m.keras")
    run(callback, Model(), [0.3])
    with pytest.warns(UserWarning, match="another model than the one before.*replaces '.*m.keras'"):
        assert run(callback, Model(), [0.9]) == [0]


def test_a_shared_stopper_begins_anew_with_another_model(tmp_path: Path) -> None:
    stopper = es.Stopper(es.Never(), save=es.Best("m", mode="min"))
    callback = ModelCheckpoint(tmp_path / "{epoch}-{m}.keras", save=stopper)
    assert run(callback, Model(), [0.3, 0.1]) == [0, 1]
    assert run(callback, Model(), [0.9, 0.8]) == [0, 1]
    assert (stopper.epoch, stopper.best) == (2, 0.8)


def test_a_fold_with_a_backup_begins_anew(tmp_path: Path) -> None:
    callback = checkpoint(tmp_path / "{epoch}-{m}.keras", backup_dir=tmp_path / "state")
    assert run(callback, Model(), [0.3, 0.1]) == [0, 1]
    assert run(callback, Model(), [0.9, 0.8]) == [0, 1]


def test_every_fold_saves_and_restores_its_own_best_in_real_fits(tmp_path: Path) -> None:
    path = tmp_path / "{epoch:02d}-{val_loss:.6f}.keras"
    callbacks = [EarlyStopping(patience=1, restore_best_weights=True),
                 ModelCheckpoint(path, save_best_only=True)]  # fmt: skip
    for fold, scale in enumerate((1.0, 10.0)):  # the second is worse in every epoch
        before = set(tmp_path.iterdir())
        data: Any = {"data": (X[:40], scale * Y[:40]), "validation_data": (X[40:], scale * Y[40:])}
        losses = fit(network(), *callbacks, epochs=3, **data).history["val_loss"]
        new = {path.name.split("-")[1] for path in set(tmp_path.iterdir()) - before}
        assert f"{min(losses):.6f}.keras" in new, fold
        assert callbacks[0].best == callbacks[1].best == min(losses)
