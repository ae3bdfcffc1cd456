"""Keras's own epochs and steps: rules, reasons and states go by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.adapters.keras.driven import curves, drive, printed
from tests.adapters.keras.fits import fit, network
from tests.support.keras_runs import train


@given(first=st.integers(0, 12), limit=st.integers(1, 20), start=st.integers(0, 9))
def test_rules_go_by_the_epochs_of_keras_wherever_a_fit_begins(
    first: int, limit: int, start: int
) -> None:
    stopper = es.Stopper(es.MaxEpochs(limit), es.Warmup(es.Always(), epochs=start))
    callback = EarlyStopping(stop=stopper)
    assert drive(callback, [1.0] * 25, first=first)[0] == max(first, limit - 1)
    assert stopper.epoch == max(first + 1, limit)
    assert stopper.best_epoch == (stopper.epoch - 1 if stopper.epoch > start else None)


@given(curve=curves, first=st.integers(1, 2000), patience=st.integers(1, 4))
def test_a_reason_names_the_epoch_that_is_the_best_epoch(
    curve: list[float | None], first: int, patience: int
) -> None:
    callback = EarlyStopping("m", patience=patience, mode="min", verbose=1)
    with printed() as output:
        stop, _ = drive(callback, curve, first=first)
    if stop >= 0 and "(epoch" in callback.stopped_reason:
        assert f"(epoch {callback.best_epoch:,})" in callback.stopped_reason
        assert f"(epoch {callback.best_epoch + 1:,})" in output.getvalue()
        assert callback.stopped_reason.endswith(f"for {patience} epoch{'s'[: patience != 1]}")


def test_what_is_logged_under_the_names_of_positions_is_none() -> None:
    callback = EarlyStopping("m", patience=2, mode="min")
    assert drive(callback, [3.0, 2.0, 2.0, 2.0], epoch=77.0, step=5.0)[0] == 3
    assert callback.best_epoch == 1


def test_a_checkpoint_by_a_rule_goes_on_in_another_fit_of_the_model(tmp_path: Path) -> None:
    stopper = es.Stopper(es.Never(), es.Best("m", mode="min"))
    callback = ModelCheckpoint(tmp_path / "best.keras", save=stopper)
    model = None
    for losses, saved in (([3.0, 2.0, 4.0], [0, 1]), ([2.5, 1.0], [1])):
        if model is None:
            _, model = train(callback, [{"m": loss} for loss in losses])
        else:
            callback.on_train_begin()
            for epoch, loss in enumerate(losses):
                model.epoch = epoch
                callback.on_epoch_begin(epoch)
                callback.on_epoch_end(epoch, {"m": loss})
        assert model.saved == saved
        model.saved.clear()
        callback.on_train_end()
    assert (stopper.best_epoch, stopper.best_check) == (1, 4)


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_rules_may_ask_for_the_steps_of_the_optimizer() -> None:
    stopper = es.Stopper(es.MaxSteps(10), es.Every(4, unit="step"))
    model = network()
    done = fit(model, EarlyStopping(stop=stopper), epochs=40)
    steps = int(model.optimizer.iterations)
    each = steps // len(done.epoch)
    assert steps - each < 10 <= steps
    assert stopper.best_step is not None


@pytest.mark.parametrize("start", [0, 2, 5])
def test_a_backup_of_a_version_that_counted_from_its_first_epoch_goes_on(
    start: int, tmp_path: Path
) -> None:
    first, losses = 3, [9.0, 5.0, 8.0, 8.0, 7.0, 7.5, 7.5, 7.5, 7.5]

    def callback(folder: str) -> EarlyStopping:
        return EarlyStopping(
            "m", patience=3, mode="min", start_from_epoch=start, backup_dir=tmp_path / folder
        )

    whole, killed, resumed = callback("whole"), callback("killed"), callback("killed")
    expected, _ = drive(whole, losses, first=first)
    train(killed, [{"m": loss} for loss in losses[:4]], first)
    killed.close()
    (ledger,) = (tmp_path / "killed").rglob("checkpoints.json")
    text = ledger.read_text()
    data = json.loads(text)
    for entry in data["checkpoints"]:
        as_earlier(entry["state"], max(start - first, 0))
    ledger.write_text(json.dumps(data))
    stop, _ = train(resumed, [{"m": loss} for loss in losses[4:]], first + 4)
    found = [stop, resumed.best_epoch, resumed.best, resumed.wait]
    assert found == [expected, whole.best_epoch, whole.best, whole.wait]
    assert f"(epoch {whole.best_epoch})" in whole.stopped_reason


def as_earlier(state: dict[str, Any], start: int) -> None:
    """Make the state of a callback one whose stopper counted its own epochs."""
    stopper = state["stopper"]
    checks, best = stopper.pop("checks"), stopper.pop("best_check")
    stopper.update(version=1, epoch=checks, best_epoch=best)
    del stopper["positions"]
    stop = stopper["stop"]["Patience"]
    stop.pop("unit", None)
    stop["start_from_epoch"] = start
    for name in ("since", "epoch", "step"):
        stopper["stop_state"].pop(name, None)
    if "Warmup" in stopper["save"]:
        if start:
            stopper["save"]["Warmup"] = {"rule": stopper["save"]["Warmup"]["rule"], "epochs": start}
        else:
            stopper["save"] = stopper["save"]["Warmup"]["rule"]
            stopper["save_state"] = stopper["save_state"]["inner"]
