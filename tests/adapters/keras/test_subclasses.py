"""Subclasses of our callbacks, written as for Keras's: each does what it does there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.adapters.keras.driven import drive, modes, small
from tests.support.keras_runs import Model, train

OURS = (EarlyStopping, ModelCheckpoint)
KERAS = (keras.callbacks.EarlyStopping, keras.callbacks.ModelCheckpoint)
plain_curves = st.lists(small, min_size=1, max_size=20)


def stopped(make: Any, curve: list[Any], **more: float) -> list[Any]:
    """What a subclass of ours and the same of Keras's do: the stop, the best, what is restored."""
    found = []
    for kind, _ in (OURS, KERAS):
        callback = make(kind)
        stop, model = drive(callback, list(curve), **more)
        best = None if callback.best is None else float(callback.best)
        found.append((stop, model.epoch, best, callback.best_epoch, callback.wait))
    return found


def saved(make: Any, curve: list[Any], folder: Path, **more: float) -> list[Any]:
    """The same of `ModelCheckpoint`: the epochs saved, the best, the names of the files."""
    found = []
    for number, (_, kind) in enumerate((OURS, KERAS)):
        callback = make(kind, folder / str(number))
        _, model = drive(callback, list(curve), **more)
        files = sorted(path.name for path in folder.glob(f"{number}/*"))
        best = None if callback.best is None else float(callback.best)
        found.append((model.saved, best, files))
    return found


def test_the_value_that_a_subclass_computes_is_the_one_decided_on(tmp_path: Path) -> None:
    def early(kind: Any) -> Any:
        class OfTwo(kind):
            def get_monitor_value(self, logs: Any) -> Any:
                return logs["a"] + logs["b"]

        return OfTwo("score", patience=2, mode="max", restore_best_weights=True)

    logs = [{"a": float(a), "b": 1.0} for a in (1, 3, 2, 2, 5)]
    found = []
    for kind, _ in (OURS, KERAS):
        callback = early(kind)
        stop, model = train(callback, logs)
        callback.on_train_end()
        found.append((stop, model.epoch, callback.best, callback.best_epoch))
    assert found == [(3, 1, 4.0, 1)] * 2


def test_a_subclass_that_has_no_value_for_an_epoch_leaves_it_out() -> None:
    class EveryOther(EarlyStopping):
        def get_monitor_value(self, logs: Any) -> Any:
            return None if logs["m"] > 5 else logs["m"]

    callback = EveryOther("m", patience=2, mode="min", on_missing="skip")
    assert drive(callback, [1.0, 9.0, 9.0, 2.0, 9.0, 2.0])[0] == 5
    with pytest.raises(es.MissingMetricError, match="no metric 'm'"):
        drive(EveryOther("m", patience=2, mode="min"), [1.0, 9.0])


@given(curve=plain_curves, patience=st.integers(0, 4), mode=modes, baseline=st.none() | small)
def test_a_comparison_of_a_subclass_decides(
    curve: list[float], patience: int, mode: str, baseline: float | None
) -> None:
    def early(kind: Any) -> Any:
        class WithTies(kind):
            def _is_improvement(self, monitor_value: Any, reference_value: Any) -> Any:
                if reference_value is None:
                    return True
                return self.monitor_op(monitor_value, reference_value) or bool(
                    monitor_value == reference_value
                )

        return WithTies("m", 0, patience, 0, mode, baseline, True)

    if baseline is not None and any(
        (value >= baseline) if mode == "min" else (value <= baseline) for value in curve
    ):
        return  # below a baseline ours differs, with or without a subclass
    ours, theirs = stopped(early, curve)
    assert ours == theirs


@given(curve=plain_curves, patience=st.integers(0, 4))
def test_an_operator_of_a_subclass_decides(curve: list[float], patience: int) -> None:
    for op in (np.greater, np.less, np.greater_equal, keras.ops.less, lambda a, b: a < b - 0.5):

        def early(kind: Any, op: Any = op) -> Any:
            class Set(kind):
                def __init__(self, *args: Any, **more: Any) -> None:
                    super().__init__(*args, **more)
                    self.monitor_op = op

            return Set("mystery", patience=patience, restore_best_weights=True)

        ours, theirs = stopped(early, curve, name="mystery")
        assert ours == theirs


def test_an_operator_may_be_set_when_the_metrics_are_known(tmp_path: Path) -> None:
    def checkpoint(kind: Any, folder: Path) -> Any:
        class Up(kind):
            def _set_monitor_op(self) -> None:
                self.monitor_op = keras.ops.greater

        return Up(folder / "{epoch}.keras", "mystery", save_best_only=True)

    ours, theirs = saved(checkpoint, [1.0, 3.0, 2.0, 4.0], tmp_path, name="mystery")
    assert ours == theirs
    assert ours[0] == [0, 1, 3]


@given(curve=plain_curves, first=small, mode=modes, patience=st.integers(2, 4))
def test_a_best_that_is_set_is_to_be_beaten(
    curve: list[float], first: float, mode: str, patience: int
) -> None:
    def early(kind: Any) -> Any:
        class Primed(kind):
            def on_train_begin(self, logs: Any = None) -> None:
                super().on_train_begin(logs)
                self.best = first

        return Primed("m", patience=patience, mode=mode)

    ours, theirs = stopped(early, curve)
    assert ours[0] == theirs[0]
    assert ours[2:] == theirs[2:]


def test_a_best_may_be_set_before_and_during_a_run(tmp_path: Path) -> None:
    def checkpoint(kind: Any, folder: Path) -> Any:
        class Reset(kind):
            def on_train_begin(self, logs: Any = None) -> None:
                super().on_train_begin(logs)
                self.best = 0.5

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                super().on_epoch_end(epoch, logs)
                if epoch == 3:
                    self.best = 9.0

        return Reset(folder / "{epoch}.keras", "m", save_best_only=True, mode="min")

    ours, theirs = saved(checkpoint, [0.75, 0.25, 0.5, 0.5, 8.0, 7.0, 8.0], tmp_path)
    assert ours == theirs
    assert ours[0] == [1, 4, 5]


def test_a_wait_that_is_set_goes_on_from_there() -> None:
    def early(kind: Any) -> Any:
        class Patient(kind):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                super().on_epoch_end(epoch, logs)
                if epoch == 1:
                    self.wait = 0

        return Patient("m", patience=2, mode="min")

    ours, theirs = stopped(early, [1.0, 2.0, 2.0, 2.0, 2.0])
    assert ours == theirs
    assert ours[0] == 3


def test_a_patience_that_is_changed_during_the_run_counts_from_then_on() -> None:
    def early(kind: Any) -> Any:
        class Growing(kind):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                self.patience = 4 if epoch else 2
                super().on_epoch_end(epoch, logs)

        return Growing("m", patience=2, mode="min")

    ours, theirs = stopped(early, [1.0, *[2.0] * 8])
    assert ours == theirs
    assert ours[0] == 4


def test_epochs_that_a_subclass_passes_over_do_not_count() -> None:
    class Later(EarlyStopping):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch > 2:
                super().on_epoch_end(epoch, logs)

    callback = Later("m", patience=2, mode="min")
    assert drive(callback, [0.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0])[0] == 5
    assert callback.best_epoch == 3
    assert "(epoch 3)" in callback.stopped_reason


def test_names_and_saves_of_a_subclass_are_its_own(tmp_path: Path) -> None:
    def checkpoint(kind: Any, folder: Path) -> Any:
        class Uploading(kind):
            def _get_file_path(self, epoch: int, batch: Any, logs: Any) -> str:
                return self.filepath.format(epoch=epoch + 1, stage="warm", **logs)

            def _save_model(self, epoch: int, batch: Any, logs: Any) -> None:
                super()._save_model(epoch, batch, logs)
                path = self._get_file_path(epoch, batch, logs)
                if os.path.isfile(path):
                    Path(path).with_suffix(".copy").write_bytes(Path(path).read_bytes())

        return Uploading(
            str(folder / "{stage:s}-{epoch}-{m:.1f}.keras"), "m", save_best_only=True, mode="min"
        )

    ours, theirs = saved(checkpoint, [3.0, 1.0, 2.0], tmp_path)
    assert ours == theirs
    assert ours[2] == ["warm-1-3.0.copy", "warm-1-3.0.keras", "warm-2-1.0.copy", "warm-2-1.0.keras"]


def test_a_subclass_may_decide_what_is_saved(tmp_path: Path) -> None:
    def checkpoint(kind: Any, folder: Path) -> Any:
        class Picky(kind):
            def _should_save_model(self, epoch: int, batch: Any, logs: Any, filepath: str) -> bool:
                is_better = super()._should_save_model(epoch, batch, logs, filepath)
                return bool(is_better and epoch > 0) or epoch == 3

        return Picky(folder / "{epoch}.keras", "m", save_best_only=True, mode="min")

    ours, theirs = saved(checkpoint, [3.0, 1.0, 2.0, 2.0], tmp_path)
    assert ours == theirs
    assert ours[0] == [1, 3]


def test_the_epochs_since_the_last_save_are_counted(tmp_path: Path) -> None:
    counts: list[int] = []

    class Counting(ModelCheckpoint):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_end(epoch, logs)
            counts.append(self.epochs_since_last_save)

    drive(
        Counting(tmp_path / "m.keras", "m", save_best_only=True, mode="min"), [3.0, 4.0, 4.0, 1.0]
    )
    assert counts == [0, 1, 2, 0]


def test_a_comparison_of_a_subclass_is_resumed(tmp_path: Path) -> None:
    class WithTies(EarlyStopping):
        def _is_improvement(self, monitor_value: Any, reference_value: Any) -> Any:
            return reference_value is None or monitor_value <= reference_value

    def callback(folder: str) -> EarlyStopping:
        return WithTies("m", patience=2, mode="min", backup_dir=tmp_path / folder)

    curve = [3.0, 2.0, 2.0, 4.0, 4.0]
    whole = callback("whole")
    stop, _ = drive(whole, list(curve))
    killed = callback("parts")
    train(killed, [{"m": value} for value in curve[:3]])
    killed.close()
    resumed = callback("parts")
    assert drive(resumed, list(curve[3:]), first=3)[0] == stop == 4
    assert (resumed.best, resumed.best_epoch) == (whole.best, whole.best_epoch) == (2.0, 2)
    assert whole.stopped_reason == "m has not improved for 2 epochs, as WithTies compares"


def test_the_best_few_need_values_that_are_compared_as_numbers(tmp_path: Path) -> None:
    class WithTies(ModelCheckpoint):
        def _is_improvement(self, monitor_value: Any, reference_value: Any) -> Any:
            return True

    callback = WithTies(tmp_path / "{epoch}.keras", "m", mode="min", save_top_k=2)
    callback.set_model(Model())
    with pytest.raises(es.RuleError, match="use save_best_only"):
        callback.on_train_begin()


def test_a_save_that_fails_is_not_the_best(tmp_path: Path) -> None:
    class Failing(Model):
        def save(self, path: str, **_: Any) -> None:
            if self.epoch == 1 and not self.saved[1:]:
                self.saved.append(-1)
                raise KeyboardInterrupt
            super().save(path)

    callback = ModelCheckpoint(tmp_path / "m.keras", "m", save_best_only=True, mode="min")
    model = Failing()
    callback.set_model(model)
    callback.on_train_begin()
    model.epoch = 0
    callback.on_epoch_end(0, {"m": 2.0})
    model.epoch = 1
    with pytest.raises(KeyboardInterrupt):
        callback.on_epoch_end(1, {"m": 1.0})
    assert callback.best == 2.0
    callback.on_epoch_end(1, {"m": 1.5})
    assert (callback.best, (tmp_path / "m.keras").read_text()) == (1.5, "1")
