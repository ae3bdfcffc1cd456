"""Pictures have axes in the log's own unit, and say where rules stop in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import earlystop as es

CURVE = [0.9, 0.7, 0.8, 0.6, 0.7, 0.75, 0.8, 0.5]
STOP, BEST = 6, 3  # with a patience of 3, from 0


def sparse_history(**coordinates: Any) -> es.History:
    """Four rows an epoch, of which the last reports the validation."""
    values = [x if row % 4 == 3 else None for x in CURVE for row in range(4)]
    metrics = {"loss": [1 / (row + 1) for row in range(32)], "val_loss": values}
    return es.History(metrics, names=["mine"], coordinates=coordinates)


def picture(history: es.History, unit: str | None = None, **options: Any) -> Figure:
    result = es.replay(es.EarlyStopping("val_loss", patience=3), history, unit=unit)
    return result.plot(**options)


def lines(figure: Figure, label: str) -> list[float]:
    found = [x for ax in figure.axes for x in ax.lines if str(x.get_label()).startswith(label)]
    return [float(x) for line in found for x in line.get_xdata()]


STEPS = 10 * (np.arange(32) + 1)
EPOCHS = np.arange(32) // 4
SECONDS = 900.0 * np.arange(32)


@pytest.mark.parametrize(
    ("coordinates", "unit", "stop", "place", "axis", "logged"),
    [
        ({"step": STEPS, "epoch": EPOCHS}, None, 280, "epoch 6, step 280", "step", "320 steps"),
        ({"step": STEPS}, None, 280, "step 280", "step", "320 steps"),
        ({"epoch": EPOCHS}, None, 6, "epoch 6", "epoch", "8 epochs"),
        ({}, None, 27, "check 6", "row of the log (the first is 0)", "8 checks"),
        ({"step": STEPS, "epoch": EPOCHS}, "epoch", 6, "epoch 6, step 280", "epoch", "8 epochs"),
        ({"step": STEPS}, "checks", 280, "step 280", "step", "320 steps"),
        (
            {"step": STEPS, "_runtime": SECONDS},
            "elapsed_seconds",
            27 * 0.25,
            "step 280",
            "time (hours)",
            "7 h 45 min",
        ),
    ],
)
def test_a_curve_is_drawn_over_the_coordinate_of_the_log(
    coordinates: dict[str, Any],
    unit: str | None,
    stop: float,
    place: str,
    axis: str,
    logged: str,
) -> None:
    figure = picture(sparse_history(**coordinates), unit, metrics=["loss"])
    (ax,) = figure.axes
    assert lines(figure, "_line") == [stop, stop]
    assert len(lines(figure, "loss")) == 32
    assert len(lines(figure, "val_loss")) == 8
    assert stop in lines(figure, "val_loss")
    assert ax.get_xlabel() == axis
    assert ax.get_title(loc="left").startswith("mine: patience 3 uses ")
    assert f" of {logged} and gives up 0.1" in ax.get_title(loc="left").replace("\n", " ")
    assert any(f"stops after {place}, keeps" in str(x.get_label()) for x in ax.lines)


def test_each_run_is_drawn_over_what_it_tells_itself() -> None:
    metrics = {"val_loss": [CURVE, CURVE]}
    steps = [[10.0 * (k + 1) for k in range(8)], [np.nan] * 8]
    history = es.History(metrics, coordinates={"step": steps})
    assert lines(picture(history, run=0), "_line") == [70, 70]
    assert lines(picture(history, run=1), "_line") == [6, 6]
    assert picture(history, run=1).axes[0].get_xlabel() == "check (the first is 0)"


def two_runs() -> es.History:
    steps = [[100 * (k + 1) for k in range(8)], [300 * (k + 1) for k in range(8)]]
    places = {"step": steps, "_runtime": [[3600 * k for k in range(8)]] * 2}
    return es.History({"val_loss": [CURVE, CURVE]}, coordinates=places)


def test_rows_of_runs_are_as_long_as_what_they_use() -> None:
    figure = picture(two_runs(), kind="rows")
    (bars_of_logs,) = figure.axes[0].containers
    bars = [bar.get_width() for bar in bars_of_logs]
    assert bars == [800, 2400]
    assert lines(figure, "patience 3: stops") == [700, 2100]
    assert lines(figure, "_kept") == [400, 1200]
    assert figure.axes[0].get_xlabel() == "steps"
    assert figure.axes[0].get_title(loc="left") == "patience 3 uses 88 % of the steps"
    figure = picture(two_runs(), "elapsed_seconds", kind="rows")
    assert lines(figure, "_kept") == [3, 3]
    assert figure.axes[0].get_xlabel() == "hours"


def test_shares_of_runs_are_shares_of_the_unit() -> None:
    for unit, share, words in ((None, 0.875, "steps"), ("elapsed_seconds", 6 / 7, "time")):
        figure = picture(two_runs(), unit, kind="distribution")
        assert max(lines(figure, "patience")) == pytest.approx(share)
        assert figure.axes[0].get_xlabel() == f"share of the logged {words}"
        assert figure.axes[0].get_title(loc="left").replace("\n", " ").endswith(words)


def test_replays_in_several_units_are_not_drawn_together() -> None:
    history = two_runs()
    one, two = (
        es.replay(es.EarlyStopping("val_loss"), history, unit=unit) for unit in ("step", "checks")
    )
    with pytest.raises(es.RuleError, match="several units, steps, checks"):
        one.plot(two)


def test_the_trade_off_of_a_sweep_is_along_its_unit() -> None:
    for unit, divisor, words in (
        (None, 1, "steps"),
        ("checks", 1, "checks"),
        ("elapsed_seconds", 3600, "hours"),
    ):
        table = es.sweep(es.Patience("val_loss"), two_runs(), unit=unit, patience=range(1, 6))
        figure = table.plot()
        assert lines(figure, "mean over runs") == (table.mean_used / divisor).tolist()
        assert figure.axes[0].get_xlabel() == f"mean {words} used"
