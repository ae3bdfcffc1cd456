"""Random rules and random histories, drawn from seeds: for properties and for long campaigns.

Histories are ragged and hold gaps, ties, NaN, infinities, denormals and neighbouring floats. Rules
are drawn from all that the library registers, nested.
"""

from __future__ import annotations

import math
import random
import typing
from collections.abc import Callable
from typing import Any

import numpy as np

import earlystop as es
from earlystop.language.config import field_annotations
from earlystop.language.registry import registered
from earlystop.language.settings import AtLeast

from .positions import random_positions, random_unit

METRICS = ("loss", "val_loss", "elapsed_seconds")  # that rules judge
TELLING = [0.0, -0.0, 1.0, 2.0, 3.0, 0.1, 0.3, 0.1 + 0.2, -1.0, -0.5, 1e308, 1e-310, 5e-324]
TELLING += [-5e-324, math.nextafter(1, 2), math.nextafter(1, 0), math.nan, math.inf, -math.inf]
TELLING += [1 + 1e-9, 1 - 1e-9, 0.1 + 1e-9, 1e39, 3.4028235677973366e38]  # edges of float32


def random_history(rng: np.random.Generator, runs: int, epochs: int) -> es.History:
    """Ragged runs: telling values, or a rounded walk; with gaps or without; with positions."""
    metrics: dict[str, Any] = {}
    for name in METRICS:
        telling = rng.choice(TELLING, size=(runs, epochs))
        walk = np.round(rng.normal(size=(runs, epochs)).cumsum(axis=1), int(rng.integers(0, 4)))
        values = np.where(rng.random((runs, 1)) < 0.5, telling, walk)
        gaps = rng.random((runs, epochs)) < rng.choice([0.0, 0.3])
        gaps[0, 0] = False
        dtype, order = rng.choice(["f8", "f8", "f8", ">f8", "f4"]), rng.choice(["C", "F"])
        with np.errstate(over="ignore"):
            values = np.asarray(values.astype(dtype), order=order)
        metrics[name] = np.ma.MaskedArray(values, mask=gaps)
    metrics |= random_positions(rng, runs, epochs)
    lengths = rng.integers(0, epochs + 1, size=runs)
    lengths[0] = epochs
    return es.History(metrics, lengths=lengths)


def library_rules() -> list[type[es.Rule]]:
    """Every rule that the library registers, found by itself; not those of adapters."""
    packages = "earlystop.language.rule", "earlystop.rules"
    return [
        cls
        for cls in registered()
        if cls.__module__ in packages or cls.__module__.startswith("earlystop.rules.")
    ]


def rules_with_a_dtype() -> list[es.Rule]:
    """A rule of each class of the library that may compare in float32."""
    return [
        cls.from_settings(
            {"monitor": "loss"} | ({"value": 0.1} if "value" in field_annotations(cls) else {})
        )
        for cls in library_rules()
        if "dtype" in field_annotations(cls)
    ]


def random_rule(chance: random.Random, depth: int = 2) -> es.Rule:
    """Any rule, with parts nested at most `depth` deep."""
    classes = [cls for cls in library_rules() if depth > 0 or not has_children(cls)]
    return random_rule_of(chance.choice(classes), chance, depth)


def random_rule_of(cls: type[es.Rule], chance: random.Random, depth: int = 1) -> es.Rule:
    """A rule of one class, with settings made from the annotations of its fields."""
    while True:
        fields = field_annotations(cls)
        settings = {name: _setting(chance, a, depth) for name, a in fields.items()}
        if "window" in settings and "alpha" in settings:  # either of the two
            settings[chance.choice(["window", "alpha"])] = None
        if "growth" in settings and chance.random() < 0.5:
            settings["growth"] = 0.0  # most rules have none
        if "unit" in settings:
            settings["unit"] = random_unit(chance)
        if "cooldown" in settings and chance.random() < 0.7:
            settings["cooldown"] = None  # it has no fast path
        signed = "min_delta" in settings and "improvement" in settings
        if signed and settings["improvement"].signed and chance.random() < 0.5:
            settings["min_delta"] = -settings["min_delta"]
        if cls is es.Warmup:  # one of them
            amount, kind = chance.randint(0, 6), chance.choice(["epochs", "steps", "checks"])
            settings |= {"epochs": None, "steps": None, "checks": None, kind: amount}
        try:
            return cls.from_settings(settings)
        except es.RuleError:
            continue


def has_children(cls: type[es.Rule]) -> bool:
    """Is it a rule made of rules?"""
    annotations = field_annotations(cls).values()
    return any(a is es.Rule or es.Rule in typing.get_args(a) for a in annotations)


def _setting(chance: random.Random, annotation: Any, depth: int) -> Any:
    """A random value that a field of this annotation may have."""
    if annotation in _PLAIN:
        return _PLAIN[annotation](chance)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is es.Rule:
        return random_rule(chance, depth - 1)
    if bool in arguments:  # or some words
        return _setting(chance, chance.choice(arguments), depth)
    if annotation is es.Improvement:
        return random_improvement(chance)
    if origin is typing.Literal:
        return chance.choice([value for value in arguments if value != "auto"])
    if origin is typing.Annotated:
        return _bounded(chance, arguments, depth)
    if type(None) in arguments:
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return chance.choice([None, _setting(chance, inner, depth)])
    assert origin is tuple, annotation  # a new kind of setting: say here what it may be
    return tuple(_setting(chance, arguments[0], depth) for _ in range(chance.randint(1, 3)))


def random_improvement(chance: random.Random) -> es.Improvement:
    """Often the default; otherwise some of its settings are drawn, or all."""
    share = chance.choice([0.0, 0.0, 0.2, 0.5, 1.0])
    fields = field_annotations(es.Improvement)
    settings = {name: _setting(chance, a, 0) for name, a in fields.items()}
    drawn = {name: value for name, value in settings.items() if chance.random() < share}
    if drawn.get("relative_form") == "factor":
        drawn["margin_on"] = "reference"
    return es.Improvement(**drawn)


_PLAIN: dict[Any, Callable[[random.Random], Any]] = {
    str: lambda chance: chance.choice(METRICS),
    bool: lambda chance: chance.random() < 0.5,
    int: lambda chance: chance.randint(0, 6),
    float: lambda chance: chance.choice([0.0, 0.1, 0.125, 0.5, 1.0, 2.0, 1e-310]),
}


def _bounded(chance: random.Random, arguments: tuple[Any, ...], depth: int) -> Any:
    bounds = [bound for bound in arguments[1:] if isinstance(bound, AtLeast)]
    while True:
        value = _setting(chance, arguments[0], depth)
        if all(bound.allows(value) for bound in bounds):
            return value


def random_pair(chance: random.Random) -> tuple[es.Rule, es.Rule]:
    """A rule to stop by and one to save by; often of the kind that has a fast path."""
    if chance.random() < 0.5:
        return random_rule(chance), random_rule(chance, 1)
    stop, save = random_patience(chance), random_rule_of(es.Best, chance)
    return stop, chance.choice([save, save, es.Never()])


def random_patience(chance: random.Random) -> es.Rule:
    """A `Patience`, alone or in an any-of."""
    rule = random_rule_of(es.Patience, chance)
    if chance.random() < 0.6:
        return rule
    parts = [rule, random_rule(chance, 1)]
    chance.shuffle(parts)
    return es.AnyOf(*parts)
