"""What frameworks decide: a table of curves."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest

import earlystop as es

nan, inf = math.nan, math.inf
FALLING = [1 - 0.05 * n for n in range(12)]


def stopped_at(stopper: es.Stopper, curve: list[float]) -> int | None:
    """The check at which it stops, with these values for all metrics of its rules."""
    monitors = {*stopper.stop.all_metrics, *stopper.save.all_metrics, "loss"}
    for check, value in enumerate(curve):
        if stopper.step(dict.fromkeys(monitors, value)).stop:
            return check
    return None


def waiting(patience: int, min_delta: float = 0.0) -> dict[str, es.Stopper]:
    """Each framework's stopper of a metric that is to fall, with a margin that is absolute."""
    peers = es.peers
    plain = {"monitor": "loss", "mode": "min"}
    stoppers = {
        "keras": peers.keras.early_stopping("loss", min_delta, patience),
        "keras 3.3": peers.keras.early_stopping("loss", min_delta, patience, version="3.3"),
        "lightning": peers.lightning.early_stopping(
            "loss", min_delta, patience, check_finite=False
        ),
        "transformers": peers.transformers.early_stopping_callback(patience, min_delta, **plain),
        "skorch": peers.skorch.early_stopping("loss", patience, min_delta, "abs"),
        "mmengine": peers.mmengine.early_stopping_hook(
            "loss", min_delta=min_delta, patience=patience, check_finite=False
        ),
        "xgboost": peers.xgboost.early_stopping(patience, "rmse", min_delta=min_delta),
        "lightgbm": peers.lightgbm.early_stopping(patience, min_delta=min_delta, **plain),
        "bjarten": peers.bjarten.early_stopping(patience, delta=min_delta),
        "composer": peers.composer.early_stopper("loss", min_delta=min_delta, patience=patience),
        "flax": peers.flax.early_stopping(min_delta, patience),
        "torch": peers.torch.reduce_lr_on_plateau(
            patience=patience, threshold=min_delta, threshold_mode="abs"
        ),
        "optuna": peers.optuna.patient_pruner(None, patience, min_delta),
    }
    if patience > 0:
        stoppers["ignite"] = peers.ignite.early_stopping(patience, threshold=min_delta, mode="min")
    return stoppers


ONE_LATER = {"composer", "flax", "torch", "optuna"}
CURVES: dict[str, tuple[list[float], int, float, int | None, dict[str, int | None]]] = {
    # the curve, patience, the margin, when most stop, and those that stop at another check
    "a rise": ([5, 4, 3, 4, 4, 4, 4], 2, 0.0, 4, dict.fromkeys(ONE_LATER, 5)),
    "ties": (
        [5, 4, 3, 3, 3, 3, 3],
        2,
        0.0,
        4,
        {**dict.fromkeys(ONE_LATER, 5), "mmengine": None, "optuna": None},
    ),
    "a patience of 0": (
        [5, 4, 3, 4, 4, 4],
        0,
        0.0,
        3,
        {"transformers": 0, "xgboost": 0, "skorch": 0, "lightgbm": None},
    ),
    "a NaN first": (
        [nan, 5, 4, 3, 2, 1, 0.5],
        3,
        0.0,
        None,
        {"keras": 3, "xgboost": 3, "lightgbm": 3, "composer": 4, "flax": 4},
    ),
    "NaN from the third on": (
        [5, 4, *[nan] * 6],
        3,
        0.0,
        4,
        {
            **dict.fromkeys(ONE_LATER - {"optuna"}, 5),
            **dict.fromkeys(("ignite", "mmengine", "bjarten", "optuna")),
        },
    ),
    "steady gains below the margin": (
        FALLING,
        3,
        0.12,
        None,
        {"transformers": 3, "ignite": 3},
    ),
    "gains below float32": (
        [1 - 1e-9 * n for n in range(6)],
        2,
        0.0,
        None,
        {"keras": 2, "keras 3.3": 2, "lightning": 2, "composer": 3},
    ),
}


@pytest.mark.parametrize("what", CURVES)
def test_frameworks_stop_where_they_do(what: str) -> None:
    curve, patience, min_delta, most, others = CURVES[what]
    for name, stopper in waiting(patience, min_delta).items():
        assert stopped_at(stopper, curve) == others.get(name, most), name


def test_a_name_is_a_function_of_its_framework_with_a_release_in_its_docstring() -> None:
    assert len(set(es.peers.names())) == len(es.peers.names()) >= 27
    for name in es.peers.names():
        framework, function = name.split(".")
        make = getattr(getattr(es.peers, framework), function)
        assert any(digit.isdigit() for digit in make.__doc__.split("\n")[0]), name
        required = [p for p in inspect.signature(make).parameters.values() if p.default is p.empty]
        arguments: dict[str, Any] = dict.fromkeys(("monitor", "save_best", "metric"), "loss")
        arguments["wrapped_pruner"] = None
        given = {p.name: arguments.get(p.name, 3) for p in required}
        if name == "xgboost.early_stopping":
            given["metric_name"] = "rmse"
        if name == "optuna.threshold_pruner":
            given["upper"] = 1.0
        assert isinstance(make(**given), es.Stopper), name


def test_an_unknown_framework_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="tensorflow"):
        es.peers.tensorflow  # noqa: B018
    assert "keras" in dir(es.peers)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: es.peers.ignite.early_stopping(0),
        lambda: es.peers.ignite.early_stopping(3, threshold=-1),
        lambda: es.peers.ignite.checkpoint(n_saved=0),
        lambda: es.peers.lightning.model_checkpoint(monitor="loss", save_top_k=-2),
        lambda: es.peers.lightning.model_checkpoint(save_top_k=2),
        lambda: es.peers.lightning.model_checkpoint(mode="auto"),
        lambda: es.peers.lightning.model_checkpoint(every_n_epochs=-1),
        lambda: es.peers.lightning.model_checkpoint(every_n_train_steps=10),
        lambda: es.peers.catboost.overfitting_detector(od_wait=0),
        lambda: es.peers.lightning.early_stopping("loss", mode="auto"),
        lambda: es.peers.xgboost.early_stopping(3),
        lambda: es.peers.xgboost.early_stopping(3, "rmse", min_delta=-0.1),
        lambda: es.peers.mmengine.early_stopping_hook("recall"),
        lambda: es.peers.skorch.early_stopping(threshold_mode="both"),
        lambda: es.peers.torch.reduce_lr_on_plateau(factor=1.0),
        lambda: es.peers.keras.reduce_lr_on_plateau(factor=1.0),
        lambda: es.peers.keras.model_checkpoint(save_freq=100),
        lambda: es.peers.optuna.patient_pruner(object(), 3),
        es.peers.optuna.threshold_pruner,
        lambda: es.peers.transformers.early_stopping_callback(1, None),
    ],
)
def test_what_a_framework_refuses_is_refused(wrong: Any) -> None:
    with pytest.raises(es.RuleError):
        wrong()


def saved(stopper: es.Stopper, values: list[float | None]) -> list[int]:
    """The checks that it saves; None is one without the metric."""
    records = [{} if value is None else {"m": value} for value in values]
    return [check for check, told in enumerate(records) if stopper.step(told).save]


def test_checkpoints_are_saved_among_the_best_k_or_at_every_check() -> None:
    lightning, ignite = es.peers.lightning.model_checkpoint, es.peers.ignite.checkpoint
    curve = [0.5, 0.6, 0.6, nan, 0.55, 0.4]
    assert saved(lightning(monitor="m", save_top_k=2), curve) == [0, 1, 4, 5]
    assert saved(lightning(monitor="m", save_top_k=-1), curve) == [0, 1, 2, 3, 4, 5]
    assert saved(lightning(monitor="m", save_top_k=0), curve) == []
    assert saved(lightning(save_top_k=1), curve) == [0, 1, 2, 3, 4, 5]
    assert saved(lightning(monitor="m", every_n_epochs=2), curve) == [1, 5]
    assert saved(lightning(monitor="m", every_n_epochs=0), curve) == []
    assert saved(ignite(n_saved=2, monitor="m"), curve) == [0, 1, 2]
    assert saved(ignite(n_saved=2, monitor="m", greater_or_equal=True), [1, 2, 1, 0]) == [0, 1, 2]
    assert saved(ignite(n_saved=None, monitor="m"), curve) == [0, 1, 2, 3, 4, 5]
    assert saved(ignite(monitor=None), [None, 0.5]) == [0, 1]
    assert saved(ignite(monitor="m", mode="min"), [3, 4, 2]) == [0, 2]


def test_an_epoch_without_the_metric_is_an_error_where_lightning_looks_at_every_one() -> None:
    with pytest.raises(es.MissingMetricError):
        es.peers.lightning.model_checkpoint(monitor="m", save_top_k=-1).step({})
    two = es.peers.lightning.model_checkpoint(monitor="m", save_top_k=-1, every_n_epochs=2)
    assert saved(two, [None, 0.5, None, 0.6]) == [1, 3]
