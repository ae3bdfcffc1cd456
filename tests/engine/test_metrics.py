"""What counts as a metric: everything that is one number, and nothing else."""

from __future__ import annotations

import enum
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.engine.metrics import as_floats


@pytest.mark.parametrize(
    "value",
    [
        1,
        True,
        np.float32(1),
        np.float64(1),
        np.int8(1),
        np.array(1.0),
        torch.tensor(1.0),
        torch.tensor(1, dtype=torch.int32),
        torch.tensor(1.0, dtype=torch.bfloat16),
        Fraction(1),
        Decimal(1),
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_a_metric_may_be_anything_that_is_one_number(value: Any) -> None:
    stopper = es.EarlyStopping("val_loss")
    assert stopper.step({"val_loss": value}).save
    assert stopper.best_metrics == {"val_loss": 1.0}
    assert type(stopper.best) is float


@pytest.mark.filterwarnings("error")  # NumPy deprecates `float()` of an array of one element
@given(
    shape=st.lists(st.just(1), max_size=4).map(tuple),
    number=st.floats(width=32, allow_nan=False),
    library=st.sampled_from([np.array, torch.tensor, jnp.array]),
)
def test_an_array_of_one_element_is_the_number_in_it(
    shape: tuple[int, ...], number: float, library: Any
) -> None:
    array = library(number).reshape(shape)
    assert as_floats({"f1": array}) == {"f1": float(library(number))}
    if shape:
        pair = library([number, number]).reshape((*shape, 2))
        with pytest.raises(es.MetricError, match="reduce it to one number first"):
            as_floats({"f1": pair})


def test_a_series_and_a_frame_of_one_element_are_the_number_in_it() -> None:
    series = pd.Series([0.5], index=["f1"])
    assert as_floats({"f1": series, "f2": series.to_frame()}) == {"f1": 0.5, "f2": 0.5}


BAD_METRICS: dict[str, tuple[Any, str]] = {
    "text": ({"loss": "0.5"}, "the metric 'loss' must be one real number, got the text '0.5'"),
    "None": (
        {"loss": None},
        "the metric 'loss' must be one real number, got None: leave a metric out at an epoch that "
        "does not report it",
    ),
    "array": (
        {"loss": np.ones(3)},
        "the metric 'loss' must be one real number, got an array of shape (3,): reduce it to one "
        "number first",
    ),
    "array of none": (
        {"loss": np.ones((1, 0))},
        "the metric 'loss' must be one real number, got an array of shape (1, 0): reduce it",
    ),
    "complex array of one": (
        {"loss": np.ones(1, complex)},
        "the metric 'loss' must be one real number, got the complex number",
    ),
    "text in an array": (
        {"loss": np.array(["best"])},
        "the metric 'loss' must be one real number, got the text ",
    ),
    "a number's text in an array": (
        {"loss": np.array(["0.5"])},
        "the metric 'loss' must be one real number, got the text '0.5'",
    ),
    "a number's text in an array without a dimension": (
        {"loss": np.array("0.5")},
        "the metric 'loss' must be one real number, got the text '0.5'",
    ),
    "text in a box": (
        {"loss": np.array("0.5", dtype=object)},
        "the metric 'loss' must be one real number, got the text '0.5'",
    ),
    "tuple": (
        {"loss": (0.5, 0.1)},
        "the metric 'loss' must be one real number, got (0.5, 0.1): report one number of it, or "
        "each under a name of its own",
    ),
    "mapping": (
        {"loss": {"mean": 0.5}},
        "the metric 'loss' must be one real number, got {'mean': ",
    ),
    "tensor": ({"loss": torch.ones(2, 2)}, "the metric 'loss' must be one real number, got an arr"),
    "list": ({"loss": [0.5]}, "the metric 'loss' must be one real number, got [0.5]: report one"),
    "complex": (
        {"loss": 1j},
        "the metric 'loss' must be one real number, got the complex number 1j: report its "
        "magnitude, or its parts as two metrics",
    ),
    "complex scalar": ({"loss": np.complex64(1)}, "the metric 'loss' must be one real number, got"),
    "complex tensor": ({"loss": torch.tensor(1j)}, "the metric 'loss' must be one real number, g"),
    "huge integer": (
        {"loss": 10**400},
        "the metric 'loss' must be one real number, got a int too large for a float",
    ),
    "an extra metric": ({"loss": 1.0, "note": "x"}, "the metric 'note' must be one real number"),
    "a name that is none": ({"loss": 1.0, 3: 1.0}, "the names of metrics must be strings, got 3"),
    "no mapping": (
        [("loss", 1.0)],
        "`step` takes the metrics of one epoch as a mapping from name to value, such as "
        "{'val_loss': 0.5}, got [('loss', 1.0)]",
    ),
    "a number": (0.5, "`step` takes the metrics of one epoch as a mapping from name to value"),
}


@pytest.mark.parametrize("what", BAD_METRICS)
def test_metrics_that_are_not_numbers_are_refused_and_change_nothing(what: str) -> None:
    metrics, text = BAD_METRICS[what]
    stopper = es.Stopper(es.Patience("loss", 1), save=es.Best("loss"))
    with pytest.raises(TypeError) as caught:
        stopper.step(metrics)
    assert str(caught.value).startswith(text)
    assert isinstance(caught.value, es.MetricError)
    assert stopper.epoch == 0
    assert stopper.best is None


def test_an_unknown_metric_is_an_error_that_lists_the_known_ones_and_the_nearest() -> None:
    stopper = es.EarlyStopping("val_los", mode="min")
    with pytest.raises(KeyError) as caught:
        stopper.step({"loss": 1.0, "val_loss": 2.0})
    assert str(caught.value) == (
        "no metric 'val_los' at epoch 0: available metrics: loss, val_loss; did you mean "
        "'val_loss'? (if some epochs lack it on purpose, pass on_missing=\"skip\")"
    )
    assert isinstance(caught.value, es.MissingMetricError)
    assert stopper.epoch == 0


def test_a_missing_metric_of_the_save_rule_is_an_error_and_changes_nothing() -> None:
    stopper = es.Stopper(es.MaxEpochs(1), save=es.Best("acc"))
    with pytest.raises(es.MissingMetricError, match="no metric 'acc' at epoch 0: there are no"):
        stopper.step({})
    assert not stopper.stopped
    assert stopper.step({"acc": 1.0}).stop


def test_a_missing_elapsed_time_says_where_it_comes_from() -> None:
    with pytest.raises(es.MissingMetricError, match=r"add 'elapsed_seconds' yourself, or use an"):
        es.Stopper(es.TimeLimit(3)).step({"loss": 1.0})


def test_a_mapping_that_is_not_a_dict_is_accepted() -> None:
    from types import MappingProxyType

    stopper = es.EarlyStopping("loss")
    assert stopper.step(MappingProxyType({"loss": 1.0})).save


def test_names_that_are_not_strings_are_never_kept() -> None:
    stopper = es.EarlyStopping("loss", patience=5)
    stopper.step({"loss": 2.0})
    with pytest.raises(es.MetricError, match="names of metrics must be strings, got 3"):
        stopper.step({"loss": 1.0, 3: 1.0})
    assert (stopper.epoch, stopper.best) == (1, 2.0)


def test_a_name_from_a_string_enum_is_kept_as_its_value() -> None:
    class Name(str, enum.Enum):
        LOSS = "loss"

    stopper = es.EarlyStopping("loss")
    stopper.step({Name.LOSS: 0.5})
    assert stopper.best_metrics == {"loss": 0.5}
    assert [str(name) for name in stopper.best_metrics or ()] == ["loss"]
