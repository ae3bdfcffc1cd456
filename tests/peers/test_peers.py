"""What frameworks decide: a table of curves, and the frameworks' own classes beside ours."""

from __future__ import annotations

import inspect
import math
import warnings
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.language.rule import advance
from tests.support.strategies import values

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


# The classes themselves ---------------------------------------------------------------------------

CURVE = st.lists(values(), min_size=1, max_size=25)
MARGIN = st.sampled_from([0.0, 1e-4, 0.1, 0.125, 0.5])
MODE = st.sampled_from(["min", "max"])


@given(CURVE, st.integers(0, 3), MARGIN, MODE, st.sampled_from(["abs", "rel"]), st.integers(0, 3))
def test_pytorch_cuts_the_rate_where_we_stop(
    curve: list[float], patience: int, threshold: float, mode: Any, how: Any, cooldown: int
) -> None:
    import torch

    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    arguments: dict[str, Any] = {
        "mode": mode,
        "factor": 0.5,
        "patience": patience,
        "threshold": threshold,
        "threshold_mode": how,
        "cooldown": cooldown,
        "eps": 0.0,
    }
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **arguments)
    rule = es.peers.torch.reduce_lr_on_plateau(**arguments).stop
    state = rule.init()
    for check, value in enumerate(curve):
        rate = optimizer.param_groups[0]["lr"]
        scheduler.step(value)
        state, fires = advance(rule, state, {"val_loss": value}, check)
        assert fires == (optimizer.param_groups[0]["lr"] != rate)


@given(CURVE, st.integers(1, 3), MARGIN, MODE, st.sampled_from(["abs", "rel"]), st.booleans())
def test_ignite_ends_the_run_where_we_stop(
    curve: list[float], patience: int, threshold: float, mode: Any, how: Any, cumulative: bool
) -> None:
    from ignite import handlers
    from ignite.engine import Engine

    engine: Any = Engine(lambda engine, batch: None)
    ended: list[int] = []
    engine.terminate = lambda: ended.append(1)
    arguments: dict[str, Any] = {
        "threshold": threshold,
        "cumulative": cumulative,
        "threshold_mode": how,
        "mode": mode,
    }
    score = SimpleNamespace(value=0.0)
    theirs = handlers.EarlyStopping(patience, lambda _: score.value, engine, **arguments)
    ours = es.peers.ignite.early_stopping(patience, **arguments)
    for value in curve:
        score.value = value
        theirs(engine)
        assert ours.step({"score": value}).stop == bool(ended)
        if ended:
            break


@given(CURVE, st.integers(0, 3), MARGIN)
def test_flax_stops_where_we_stop(curve: list[float], patience: int, min_delta: float) -> None:
    from flax.training.early_stopping import EarlyStopping

    theirs = EarlyStopping(min_delta, patience)
    ours = es.peers.flax.early_stopping(min_delta, patience)
    for value in curve:
        theirs = theirs.update(value)
        assert ours.step({"loss": value}).stop == theirs.should_stop
        if theirs.should_stop:
            break


@given(CURVE, st.integers(0, 3), MARGIN, MODE)
def test_optuna_prunes_where_we_stop(
    curve: list[float], patience: int, min_delta: float, mode: Any
) -> None:
    import optuna

    way = "MINIMIZE" if mode == "min" else "MAXIMIZE"
    study: Any = SimpleNamespace(direction=getattr(optuna.study.StudyDirection, way))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is experimental
        theirs = optuna.pruners.PatientPruner(None, patience, min_delta)
    ours = es.peers.optuna.patient_pruner(None, patience, min_delta, mode=mode)
    told: dict[int, float] = {}
    for check, value in enumerate(curve):
        told[check] = value
        trial: Any = SimpleNamespace(last_step=check, intermediate_values=told)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of nothing but NaN
            stops = bool(theirs.prune(study, trial))
        assert ours.step({"objective": value}).stop == stops
        if stops:
            break
