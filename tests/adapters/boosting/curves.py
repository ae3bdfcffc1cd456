"""Curves with ties, steps of exactly a margin, NaNs and infinities, for real trainings."""

from __future__ import annotations

import numpy as np

MARGINS = (0.0, 0.0, 0.1, 0.25, 0.5)


def curve(rng: np.random.Generator, length: int, holes: tuple[float, ...] = ()) -> list[float]:
    """A falling, rising or wandering curve on a grid; sometimes with one of the holes in it."""
    trend = rng.choice([-1.0, 0.0, 1.0]) * np.linspace(0, 2, length)
    steps = trend + np.cumsum(rng.normal(scale=0.3, size=length))
    values = np.round(steps / (grid := rng.choice([0.05, 0.1, 0.25]))) * grid
    for hole in holes:
        if rng.random() < 0.15:
            values[rng.integers(length)] = hole
    return [float(value) for value in values]
