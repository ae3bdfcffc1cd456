"""Random positions of checks, and histories as rules see them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

import earlystop as es
from earlystop.engine.positions import Positions
from earlystop.language.positions import DERIVED, EPOCH, STEP
from earlystop.replaying.positions import LoggedPositions

__all__ = ["TOKENS", "UNITS", "positions_in", "random_positions", "random_unit", "seen_by_rules"]

TOKENS = "tokens"  # a metric that never falls
UNITS = ("checks", "checks", EPOCH, STEP, TOKENS)


def random_unit(chance: random.Random) -> str:
    return chance.choice(UNITS)


def random_positions(rng: np.random.Generator, runs: int, checks: int) -> dict[str, Any]:
    """Epochs, steps and tokens as metrics, shape (runs, checks); some runs lack some of them."""
    shape = (runs, checks)
    tokens = rng.integers(0, 3, size=shape).cumsum(axis=1).astype(float)
    gaps = rng.random(shape) < rng.choice([0.0, 0.2])
    gaps[0, 0] = False
    columns = {TOKENS: np.ma.MaskedArray(tokens, mask=gaps)}
    steps = rng.integers(1, 4, size=shape).cumsum(axis=1).astype(float)
    columns[STEP] = np.ma.MaskedArray(steps, mask=_untold(rng, shape))
    if rng.random() < 0.6:
        epochs = np.stack([_epochs(rng, checks) for _ in range(runs)])
        columns[EPOCH] = np.ma.MaskedArray(epochs, mask=_untold(rng, shape))
    return columns


def _untold(rng: np.random.Generator, shape: tuple[int, int]) -> Any:
    """A mask of the runs that report nothing; never the first."""
    mask = np.zeros(shape, dtype=bool)
    mask[rng.random(shape[0]) < rng.choice([0.0, 0.3])] = True
    mask[0] = False
    return mask


def _epochs(rng: np.random.Generator, checks: int) -> Any:
    """From 0, from 1, every few, several checks in one, fractions, or from anywhere."""
    numbers = np.arange(checks, dtype=float)
    every = int(rng.integers(1, 4))
    kinds = [
        numbers,
        numbers + 1,
        every * (numbers + 1) - 1,
        every * (numbers + 1),
        numbers // every,
        np.round((numbers + 1) / every, 3),
        rng.integers(0, 5) + rng.integers(0, 3, size=checks).cumsum(),
        rng.choice([0.0, 0.5, 1.0], size=checks).cumsum(),
    ]
    return np.asarray(kinds[int(rng.integers(len(kinds)))], dtype=float)


def seen_by_rules(history: es.History) -> es.History:
    """The history of checks with what the rules see of their positions."""
    return LoggedPositions(history, history).for_rules(())


def positions_in(seen: Mapping[str, float]) -> Positions:
    """The positions of a check that are among what the rules see of it."""
    done, epoch = seen.get(DERIVED[0]), seen.get(EPOCH)
    from_zero = done is not None and epoch is not None and done == epoch + 1
    return Positions(epoch, seen.get(STEP), from_zero)
