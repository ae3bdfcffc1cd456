"""What the callbacks print: Keras's words, and why."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest
from earlystop.adapters.keras import EarlyStopping, ModelCheckpoint

from tests.adapters.keras.driven import drive, printed

KerasEarlyStopping = keras.callbacks.EarlyStopping
KerasModelCheckpoint = keras.callbacks.ModelCheckpoint


@pytest.mark.parametrize("best_only", [True, False])
def test_messages_are_those_of_keras_with_the_reason_added(best_only: bool, tmp_path: Path) -> None:
    curve = [0.684, 0.575, 0.6, 0.49886, 0.5, 0.51, 0.52]
    texts = []
    for early, checkpoint in (
        (EarlyStopping, ModelCheckpoint),
        (KerasEarlyStopping, KerasModelCheckpoint),
    ):
        with printed() as output:
            drive(checkpoint(tmp_path / "m.keras", "m", 1, best_only, mode="min"), list(curve))
            drive(early("m", 0, 2, 1, "min", None, True), list(curve))
        texts.append(output.getvalue())
    why = ": m has not improved on 0.49886 (epoch 4) by more than 0 for 2 epochs"
    assert why in texts[0]
    assert texts[0].replace(why, "") == texts[1]


def test_values_are_printed_with_enough_digits_to_differ(tmp_path: Path) -> None:
    with printed() as output:
        drive(ModelCheckpoint(tmp_path / "m.keras", "m", 1, True, mode="min"), [0.37, 0.369999])
    assert "m improved from 0.37 to 0.369999, saving" in output.getvalue()


def test_messages_are_logged_where_keras_logs_instead_of_printing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keras.config.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", logger="absl"), printed() as output:
            drive(EarlyStopping("m", verbose=1, mode="min"), [1.0, 1.0])
    finally:
        keras.config.enable_interactive_logging()
    assert output.getvalue() == ""
    assert "Epoch 2: early stopping" in caplog.text
