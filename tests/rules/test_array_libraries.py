"""The rules on arrays of NumPy, torch and JAX: the decisions they take on floats, as they are.

Each rule is stepped by `advance` over arrays with one item per run, and over the floats of each run
alone. The values of the runs are multiples of 1/8 and of moderate size, for which the arithmetic of
a step compiled by JAX (which may fuse operations) is as exact as Python's, but they include NaN and
the infinities.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pytest
import torch

import earlystop as es
from earlystop.language.namespaces import namespace_of
from earlystop.language.rule import advance
from earlystop.language.state import flatten
from tests.support.own_rule import Leap
from tests.support.random_rules import METRICS, library_rules, random_rule_of

jax.config.update("jax_enable_x64", True)  # the decisions are those of float64

RUNS, EPOCHS, EXAMPLES = 12, 14, 12
POSITIVE = ("alpha", "seconds", "patience")  # fractions that must be above 0

MAKERS: dict[str, Callable[[Any], Any]] = {
    "numpy": np.array,
    "torch": lambda column: torch.tensor(column, dtype=torch.float64),
    "jax": jax.numpy.array,
}
every_library = pytest.mark.parametrize("library", MAKERS)
every_rule = pytest.mark.parametrize("cls", [*library_rules(), Leap], ids=lambda cls: cls.__name__)


def examples(cls: type[es.Rule]) -> Iterator[tuple[es.Rule, list[dict[str, list[float]]]]]:
    """Random rules of a class, each with the metrics of some epochs: one value per run."""
    chance = random.Random(cls.__name__)
    values = [i / 8 for i in range(-8, 24)] + [math.nan, math.inf, -math.inf]
    for _ in range(EXAMPLES):
        rule = exact(random_rule_of(cls, chance, depth=2))
        yield (
            rule,
            [
                {name: [chance.choice(values) for _ in range(RUNS)] for name in METRICS}
                for _ in range(EPOCHS)
            ],
        )


def exact(rule: es.Rule) -> es.Rule:
    """The rule with its fractions rounded to few binary digits."""
    if rule.children:
        rule = rule.with_children(tuple(exact(child) for child in rule.children))
    numbers = {
        field: max(round(value * 8) / 8, 1 / 8 if field in POSITIVE else -math.inf)
        for field, value in rule.settings.items()
        if isinstance(value, float) and abs(value) < 1e6
    }
    return rule.replace(**numbers) if numbers else rule


def decisions_on_floats(rule: es.Rule, epochs: list[dict[str, list[float]]]) -> list[list[bool]]:
    """Whether the rule fires, epoch by epoch, for each run."""
    states, fired = [rule.init() for _ in range(RUNS)], []
    for epoch, columns in enumerate(epochs):
        answers = []
        for run in range(RUNS):
            metrics = {name: column[run] for name, column in columns.items()}
            states[run], fires = advance(rule, states[run], metrics, epoch)
            answers.append(bool(fires))
        fired.append(answers)
    return fired


def decisions_on_arrays(
    step: Callable[..., Any], state: Any, epochs: list[dict[str, Any]]
) -> list[list[bool]]:
    fired = []
    with np.errstate(all="ignore"):
        for epoch, metrics in enumerate(epochs):
            state, fires = step(state, metrics, epoch)
            fired.append(np.broadcast_to(np.asarray(fires), RUNS).tolist())
    return fired


@every_rule
@every_library
def test_a_rule_decides_on_arrays_as_on_floats(library: str, cls: type[es.Rule]) -> None:
    make = MAKERS[library]
    for rule, epochs in examples(cls):
        arrays = [{name: make(column) for name, column in each.items()} for each in epochs]
        step = functools.partial(advance, rule)
        assert decisions_on_arrays(step, rule.init(), arrays) == decisions_on_floats(rule, epochs)


@every_rule
def test_a_rule_runs_compiled_by_jax_as_it_is(cls: type[es.Rule]) -> None:
    for rule, epochs in list(examples(cls))[:3]:
        arrays = [{name: jax.numpy.array(x) for name, x in each.items()} for each in epochs]
        step = jax.jit(functools.partial(advance, rule))
        assert decisions_on_arrays(step, rule.init(), arrays) == decisions_on_floats(rule, epochs)


@every_library
def test_the_state_of_a_run_on_a_device_is_made_of_arrays_without_dimensions(library: str) -> None:
    make, rule = MAKERS[library], es.Patience("loss", 2) | es.GeneralizationLoss("loss")
    state, fired = rule.init(), []
    for epoch, loss in enumerate([1.0, 0.5, 0.5, 0.75]):
        state, fires = advance(rule, state, {"loss": make(loss)}, epoch)
        fired.append(bool(fires))
    assert fired == [False, False, False, True]
    reference = flatten(state)[0]
    assert namespace_of(reference) is namespace_of(make(1.0))
    assert (reference.ndim, float(reference)) == (0, 0.5)
