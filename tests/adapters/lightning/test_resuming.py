"""A fit that goes on from a checkpoint neither loses nor repeats a check."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.lightning import EarlyStopping
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

import earlystop as es
from tests.adapters.lightning.fits import BATCHES, Curve, checkpoints, data, fit, trainer_for
from tests.adapters.lightning.test_decisions import driven

CURVE = [1 - 0.1 * min(i // 4, 4) + 0.02 * (i // 4) + 0.001 * (i % 4) for i in range(200)]


def facts(callback: Any, trainer: Any) -> Any:
    stopper = callback.stopper
    told = stopper.reason, callback.stopped_reason, callback.stopped_epoch
    best = stopper.best_epoch, stopper.best_step, float(callback.best_score)
    return stopper.checks, callback.wait_count, trainer.global_step, *told, *best


def ckpt(folder: Path, stop: Any = None, how: Any = None, **saving: Any) -> tuple[Any, list[Path]]:
    """What a whole fit came to, and its checkpoints, oldest first."""
    callback = EarlyStopping("val_loss", patience=2) if stop is None else EarlyStopping(stop=stop)
    trainer = trainer_for(
        folder, checkpoints(folder, **saving), callback, enable_checkpointing=True, **(how or {})
    )
    fit(trainer, Curve(CURVE))
    return facts(callback, trainer), sorted(folder.glob("*.ckpt"), key=lambda p: p.stat().st_mtime)


WHEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({}, {"save_on_train_epoch_end": False}),  # before the check at the end of the epoch
    ({"val_check_interval": 0.5}, {}),
    ({"val_check_interval": 0.5}, {"save_on_train_epoch_end": True}),
    ({"check_val_every_n_epoch": 2}, {"save_on_train_epoch_end": True}),
    ({"check_val_every_n_epoch": None, "val_check_interval": 6}, {}),
]


@pytest.mark.parametrize(("how", "saving"), WHEN)
def test_a_fit_from_any_checkpoint_ends_as_if_never_interrupted(
    how: Any, saving: Any, tmp_path: Path
) -> None:
    whole, paths = ckpt(tmp_path, how=how, **saving)
    assert len(paths) >= 5
    for path in (paths[0], paths[len(paths) // 2], paths[-2], paths[-1]):
        callback = EarlyStopping("val_loss", patience=2)
        trainer = trainer_for(tmp_path, callback, **how)
        fit(trainer, Curve(CURVE), ckpt_path=path)
        assert facts(callback, trainer) == whole, path.name


def test_the_state_is_plain_json_in_a_checkpoint_that_loads_weights_only(tmp_path: Path) -> None:
    _, paths = ckpt(tmp_path)
    callback = EarlyStopping("val_loss", patience=2)
    state = torch.load(paths[2], weights_only=True)["callbacks"][callback.state_key]
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    callback.load_state_dict(state)
    assert callback.stopper.checks == 3  # behind the step, as ModelCheckpoint comes last
    assert callback.state_dict()["session"]["stopper"] == state["session"]["stopper"]


def test_a_fit_that_had_stopped_trains_nothing_more(tmp_path: Path) -> None:
    whole, paths = ckpt(tmp_path)
    callback = EarlyStopping("val_loss", patience=2)
    trainer = trainer_for(tmp_path, callback)
    fit(trainer, Curve(CURVE), ckpt_path=paths[-1])
    assert trainer.global_step == whole[2] == torch.load(paths[-1])["global_step"]
    assert callback.stopped_reason == whole[4]


def test_with_more_patience_it_goes_on_and_is_refused_without_changed_rules(tmp_path: Path) -> None:
    whole, paths = ckpt(tmp_path)
    trainer = trainer_for(tmp_path, EarlyStopping("val_loss", patience=4))
    with pytest.raises(es.StateError, match=r"patience=4.*changed_rules=True|2.*4"):
        fit(trainer, Curve(CURVE), ckpt_path=paths[-1])
    callback = EarlyStopping("val_loss", patience=4, changed_rules=True)
    trainer = trainer_for(tmp_path, callback)
    fit(trainer, Curve(CURVE), ckpt_path=paths[-1])
    assert trainer.global_step == whole[2] + 2 * BATCHES
    assert callback.stopping_reason.name == "PATIENCE_EXHAUSTED"


def test_differs_from_a_checkpoint_of_lightnings_own_callback_the_wait_begins_anew(
    tmp_path: Path,
) -> None:
    rising = [float(i) for i in range(200)]  # the first is the best
    theirs = LightningEarlyStopping("val_loss", patience=9)
    saves = checkpoints(tmp_path)
    fit(
        trainer_for(tmp_path, saves, theirs, enable_checkpointing=True, max_epochs=5), Curve(rising)
    )
    path = max(tmp_path.glob("*.ckpt"), key=lambda one: one.stat().st_mtime)
    ended = []
    for make in (LightningEarlyStopping, EarlyStopping):
        callback = make("val_loss", patience=9)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            fit(trainer_for(tmp_path, callback), Curve(rising), ckpt_path=path)
        ended.append(
            (callback.stopped_epoch, any("EarlyStopping{" in str(w.message) for w in told))
        )
    assert ended == [(9, False), (14, True)]
    with pytest.raises(es.StateError, match="expected a state of earlystop's EarlyStopping"):
        EarlyStopping("val_loss", patience=9).load_state_dict(theirs.state_dict())


def test_differs_messages_and_read_only_attributes(tmp_path: Path) -> None:
    told = {}
    for make in (LightningEarlyStopping, EarlyStopping):
        callback = make("val_loss", patience=1)
        fit(trainer_for(tmp_path, callback), Curve([float(i) for i in range(200)]))
        told[make] = callback.stopping_reason_message
    assert "did not improve in the last 1 records" in told[LightningEarlyStopping]
    assert "has not improved on 3 (epoch 0, step 4)" in told[EarlyStopping]
    for name in ("stopping_reason", "stopping_reason_message", "best_score", "wait_count"):
        with pytest.raises(AttributeError, match="no setter"):
            setattr(callback, name, None)


def test_rules_go_on_from_a_checkpoint_too(tmp_path: Path) -> None:
    stop = es.Patience("val_loss", 2) | es.MaxSteps(400)
    whole, paths = ckpt(tmp_path, stop=stop)
    callback = EarlyStopping(stop=stop)
    trainer = trainer_for(tmp_path, callback)
    fit(trainer, Curve(CURVE), ckpt_path=paths[1])
    assert facts(callback, trainer) == whole


@pytest.mark.parametrize("entry", ["dtype", "batch", "kind", "session", "values"])
def test_a_damaged_state_is_refused_and_changes_nothing(entry: str) -> None:
    callback = EarlyStopping("val_loss", patience=2)
    state = callback.state_dict()
    before = callback.state_dict()["session"]["stopper"]
    for damaged in ({**state, entry: [1]}, {k: v for k, v in state.items() if k != entry}):
        with pytest.raises(es.StateError):
            callback.load_state_dict(damaged)
    assert callback.state_dict()["session"]["stopper"] == before


@pytest.mark.parametrize("value", [float("nan"), -1.0])  # not finite; beyond the threshold
def test_the_wait_of_a_fit_that_a_bound_has_ended_is_in_its_state(value: float) -> None:
    ended = EarlyStopping("loss", patience=9, stopping_threshold=0.0)
    driven(ended, [1.0, 2.0, 2.0, value], torch.float32)
    state = json.loads(json.dumps(ended.state_dict()))
    callback = EarlyStopping("loss", patience=9, stopping_threshold=0.0)
    for damaged in ("2", [2], True):
        with pytest.raises(es.StateError, match="waited"):
            callback.load_state_dict({**state, "waited": damaged})
    callback.load_state_dict(state)
    assert callback.wait_count == ended.wait_count == 2
    state.pop("waited")  # as older releases saved it
    callback.load_state_dict(state)
    assert callback.stopping_reason == ended.stopping_reason


def test_validating_from_a_checkpoint_leaves_the_callback_as_it_is(tmp_path: Path) -> None:
    callback = EarlyStopping("val_loss", patience=2)
    saved = checkpoints(tmp_path)
    trainer = trainer_for(tmp_path, saved, callback, enable_checkpointing=True)
    fit(trainer, Curve(CURVE))
    before = facts(callback, trainer)
    first = min(tmp_path.glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
    trainer.validate(Curve(CURVE), data(1), ckpt_path=first, verbose=False)
    assert facts(callback, trainer) == before
    other = EarlyStopping("val_loss", patience=9)  # the state of other rules is no error there
    trainer_for(tmp_path, other).validate(Curve(CURVE), data(1), ckpt_path=first, verbose=False)
