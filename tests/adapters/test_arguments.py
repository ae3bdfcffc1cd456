"""Arguments that an adapter does not take are answered with what it takes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from earlystop.adapters import catboost, lightgbm, lightning, optuna, ray, skorch, transformers
from earlystop.adapters import ignite as ignite_adapter
from earlystop.adapters import keras as keras_adapter
from earlystop.adapters import sklearn as sklearn_adapter
from earlystop.adapters import ultralytics as ultralytics_adapter
from earlystop.adapters import xgboost as xgboost_adapter
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop import adapters

OF_NONE = {  # what adapters share, and what is for loops of one's own
    *("arguments", "boosting", "chosen", "progress", "signals"),
    *("loop", "preemption", "torch"),
}
NOT_CALLED = {  # what those return that are called, and what reads
    *("lightgbm.EarlyStoppingCallback", "optuna.StudyStop", "ultralytics.TrainerStopper"),
    *("keras.fit_history", "optuna.study_history"),
}


def drop_ins() -> Iterator[Any]:
    """What stands for a class or a function of a framework, of all adapters there are."""
    names = {module.name for module in pkgutil.iter_modules(adapters.__path__)}
    for name in sorted(names - OF_NONE):
        adapter = importlib.import_module(f"earlystop.adapters.{name}")
        for called in adapter.__all__:
            if f"{name}.{called}" not in NOT_CALLED:
                yield pytest.param(getattr(adapter, called), id=f"{name}.{called}")


DROP_INS = list(drop_ins())
NEEDED: dict[str, dict[str, Any]] = {  # besides the argument that is tried
    "adapters.lightning.early_stopping": {"monitor": "loss"},
    "adapters.keras.model_checkpoint": {"filepath": "best.keras"},
    "adapters.ray": {"metric": "loss"},
}


def _needed(made: Any) -> dict[str, Any]:
    return NEEDED.get(made.__module__.removeprefix("earlystop."), {})


def test_there_is_one_for_each_framework() -> None:
    of = {one.id.partition(".")[0] for one in DROP_INS}
    assert of == {
        *("catboost", "ignite", "keras", "lightgbm", "lightning", "optuna", "ray", "sklearn"),
        *("skorch", "transformers", "ultralytics", "xgboost"),
    }
    assert len(DROP_INS) == 15


@pytest.mark.parametrize("made", DROP_INS)
@given(name=st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True))
def test_an_unknown_argument_is_answered_with_all_that_there_are(
    made: Callable[..., Any], name: str
) -> None:
    known = [*inspect.signature(made).parameters]
    if name in known:
        return
    with pytest.raises(es.RuleTypeError, match="there is no such argument") as caught:
        made(**{name: 3})
    assert isinstance(caught.value, TypeError)
    assert f"`{made.__name__}({name}=...)`" in str(caught.value)
    assert f"available arguments: {', '.join(sorted(known))}" in str(caught.value)


@pytest.mark.parametrize("made", DROP_INS)
def test_arguments_that_do_not_fit_are_answered_with_all_that_there_are(
    made: Callable[..., Any],
) -> None:
    parameters = inspect.signature(made).parameters.values()
    by_position = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    told = f"`{made.__name__}.*available arguments: "
    with pytest.raises(es.RuleTypeError, match=f"{told}.*{by_position[0].name}"):
        made(*[None] * (len(by_position) + 1))
    with pytest.raises(es.RuleTypeError, match=f"multiple values .*{by_position[0].name}"):
        made(None, **{by_position[0].name: None})
    if by_position[0].default is inspect.Parameter.empty:
        with pytest.raises(es.RuleTypeError, match=f"missing .*{by_position[0].name}"):
            made()


@pytest.mark.parametrize(
    ("made", "argument", "told"),
    [
        (lightning.EarlyStopping, "restore_best_weights", "write best_path=...; "),
        (transformers.EarlyStoppingCallback, "patience", "write early_stopping_patience=...; "),
        (transformers.EarlyStoppingCallback, "monitor", "write a rule that has it, such as stop="),
        (ignite_adapter.EarlyStopping, "stopping_rounds", "write patience=...; "),
        (xgboost_adapter.EarlyStopping, "patience", "write rounds=...; "),
        (lightgbm.early_stopping, "rounds", "write stopping_rounds=...; "),
        (catboost.EarlyStopping, "patience", "write od_wait=.*; "),
        (skorch.EarlyStopping, "min_delta", "write threshold=...; "),
        (sklearn_adapter.EarlyStoppingClassifier, "patience", "write n_iter_no_change=...; "),
        (keras_adapter.EarlyStopping, "load_best", "write restore_best_weights=...; "),
        (keras_adapter.ModelCheckpoint, "dirpath", "write filepath=...; "),
        (keras_adapter.ModelCheckpoint, "save_total_limit", "write save_top_k=...; "),
        (keras_adapter.ModelCheckpoint, "save_best", "write save_best_only=...; "),
        (keras_adapter.ModelCheckpoint, "monitr", "did you mean 'monitor'?"),
        (optuna.RulePruner, "n_warmup", "did you mean 'n_warmup_steps'?"),
        (optuna.stop_study, "patience", r"write a rule that has it, such as stop=Patience\("),
        (optuna.stop_study, "rule", "write stop=...; "),
        (ray.RuleStopper, "monitor", "write metric=...; "),
        (ray.RuleStopper, "patience", r"write a rule that has it, such as stop=Patience\("),
        (ultralytics_adapter.early_stopping, "early_stopping_patience", "write patience=...; "),
    ],
)
def test_an_argument_of_another_framework_is_answered_with_its_name_here(
    made: Callable[..., Any], argument: str, told: str
) -> None:
    with pytest.raises(es.RuleTypeError, match=f"there is no such argument: .*{told}") as caught:
        made(**{argument: 3})
    assert f"({argument}=...)" in str(caught.value)


@pytest.mark.parametrize("made", DROP_INS)
@pytest.mark.parametrize("given", [es.Patience("loss", 3), es.EarlyStopping("loss", patience=3)])
def test_a_rule_in_the_place_of_another_argument_is_told_where_rules_go(
    made: Callable[..., Any], given: Any
) -> None:
    parameters = inspect.signature(made).parameters
    others = [name for name, one in parameters.items() if "Rule" not in str(one.annotation)]
    required = {name: None for name, one in parameters.items() if one.default is one.empty}
    for name in others:
        with pytest.raises(es.RuleTypeError, match=r"takes no rule, got .*pass it as s(top|ave)="):
            made(**{**required, name: given})


def begun(callback: Any) -> None:
    """What is refused only when a training begins, which is skorch's way."""
    if isinstance(callback, skorch.EarlyStopping):
        callback.initialize()


NUMBERS: dict[Any, dict[str, tuple[Any, ...]]] = {
    lightning.EarlyStopping: {
        "patience": ("3", None, [3]),
        "min_delta": ("0.1", None, [1]),
        "mode": ("auto", None),
        "stopping_threshold": ("0.1", [1], float("nan")),
        "divergence_threshold": ("0.1", [1], float("nan")),
    },
    transformers.EarlyStoppingCallback: {
        "early_stopping_patience": ("3", None, [3], 2.5),
        "early_stopping_threshold": ("0.1", None, [1]),
    },
    keras_adapter.EarlyStopping: {"min_delta": ("0.1", None, [1]), "patience": ("3", None, 2.5)},
    keras_adapter.ModelCheckpoint: {"initial_value_threshold": ("0.1", [1])},
    skorch.EarlyStopping: {
        "monitor": (3, None),
        "patience": ("3", None),
        "threshold": ("0.1", None, [1], float("nan")),
    },
    ray.RuleStopper: {"metric_threshold": ("0.1", 0.1)},  # the latter needs a mode
}


@pytest.mark.parametrize(
    ("made", "argument", "value"),
    [
        pytest.param(made, argument, value, id=f"{made.__module__}: {argument}={value!r}")
        for made, arguments in NUMBERS.items()
        for argument, values in arguments.items()
        for value in values
    ],
)
def test_a_value_of_another_kind_is_refused_by_the_name_of_the_argument(
    made: Callable[..., Any], argument: str, value: Any
) -> None:
    with pytest.raises(es.RuleError, match=rf"^`{made.__name__}\({argument}=\.\.\.\)`"):
        begun(made(**{**_needed(made), argument: value}))
