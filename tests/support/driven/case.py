"""One run of another framework's class over a curve, and what it takes to compare ours with it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import earlystop as es
from earlystop.language.rule import advance
from tests.support.random_rules import TELLING

__all__ = ["Case", "Curve", "Drive", "difference", "drawn", "random_curve"]

Curve = list[float]


class Case(NamedTuple):
    """What a framework's class did, and our stopper of the same settings.

    settings: of both, for messages.
    stops: the checks after which it stopped: one or none, or each cut of a learning rate.
    saves: the checks at which its best changed, or at which it saved; None if that is unknown.
    differs: which of the differences that the docstring names may show on this curve; "" for none.
    """

    settings: dict[str, Any]
    ours: es.Stopper
    monitor: str
    stops: list[int]
    saves: list[int] | None = None
    differs: str = ""


Drive = Callable[[random.Random, Curve], Case]


def difference(case: Case, curve: Curve, *, goes_on: bool) -> str:
    """What our stopper does differently; "" if nothing.

    goes_on: whether the run goes on after a stop, as one whose learning rate is cut.
    """
    rules = case.ours.stop, case.ours.save
    states = [rule.init() for rule in rules]
    found: tuple[list[int], list[int]] = ([], [])
    for check, value in enumerate(curve):
        for number, rule in enumerate(rules):
            states[number], fires = advance(rule, states[number], {case.monitor: value}, check)
            if fires:
                found[number].append(check)
        if found[0] and not goes_on:
            break
    stops, saves = found
    if stops == case.stops and case.saves in (None, saves):
        return ""
    return f"{case.settings}: theirs {case.stops}, {case.saves}; ours {stops}, {saves}"


def random_curve(chance: random.Random) -> Curve:
    """Telling values, a few small numbers, or a curve: rounded, in float32, with a huge first."""
    length = chance.randint(1, 25)
    kind = chance.random()
    if kind < 0.25:
        return [chance.choice(TELLING) for _ in range(length)]
    if kind < 0.4:
        return [float(chance.randint(-2, 4)) for _ in range(length)]
    scale = chance.choice([1.0, 1.0, 1e-3, 1e6])
    curve = [scale * (1 / (1 + n) + chance.gauss(0, 0.05)) for n in range(length)]
    if chance.random() < 0.4:
        curve = [round(value / scale, chance.randint(0, 3)) * scale for value in curve]
    if chance.random() < 0.3:
        curve = [math.nextafter(float(np.float32(value)), math.inf) for value in curve]
    if chance.random() < 0.3:
        curve = [-value for value in curve]
    if chance.random() < 0.1:
        curve[0] = chance.choice([1e30, 1e300])
    if chance.random() < 0.3:
        odd = chance.choice([math.nan, math.nan, math.inf, -math.inf])
        curve = [odd if chance.random() < 0.2 else value for value in curve]
    return curve


def drawn(chance: random.Random, **choices: list[Any]) -> dict[str, Any]:
    """One of the choices for each setting."""
    return {name: chance.choice(values) for name, values in choices.items()}
