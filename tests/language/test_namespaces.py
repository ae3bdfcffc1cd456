"""Which library's functions an array is given to."""

from __future__ import annotations

import math
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from earlystop import ops
from earlystop.language.namespaces import namespace_of


class Boxed:
    """An array of a library that nobody has heard of."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def __array_namespace__(self) -> Any:
        return SimpleNamespace(
            isfinite=lambda array: Boxed(*map(math.isfinite, array.values)),
            where=lambda mask, a, b: Boxed(*(a if x else b for x in mask.values)),
        )

    def __truediv__(self, other: float) -> Boxed:
        return Boxed(*(value / other for value in self.values))


def test_an_array_is_given_to_the_functions_of_its_own_library() -> None:
    finite = ops.isfinite(Boxed(1.0, math.inf))
    assert finite.values == (True, False)
    assert ops.where(finite, 1.0, 0.0).values == (1.0, 0.0)
    assert ops.divide(Boxed(1.0, 3.0), 2.0).values == (0.5, 1.5)


def test_values_that_no_other_library_claims_are_numpy_s() -> None:
    assert namespace_of(np.zeros(2)) is np
    assert namespace_of(np.float32(0)) is np
    assert namespace_of(object()) is np


def test_tensors_and_what_is_made_from_their_class_belong_to_torch() -> None:
    class Mine(torch.Tensor):
        pass

    tensor = torch.zeros(2)
    for each in (tensor, torch.nn.Parameter(tensor), tensor.as_subclass(Mine)):
        assert namespace_of(each) is torch


def test_a_number_may_be_divided_by_a_tensor() -> None:
    assert ops.divide(1.0, torch.tensor([2.0, 0.0])).tolist() == [0.5, math.inf]


def test_rules_on_numbers_need_no_array_library() -> None:
    program = (
        "import sys, earlystop as es\n"
        "stopper = es.Stopper(es.Patience('loss', 1) | es.NonFinite(), es.Best('loss'))\n"
        "stopper.step({'loss': 1.0}), stopper.step({'loss': 1.0})\n"
        "assert stopper.stopped\n"
        "assert not {'numpy', 'torch', 'jax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
