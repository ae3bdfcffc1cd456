"""Memory stays bounded whatever the history."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earlystop as es
from tests.sweeping.swept import sweep


def peak_of(run: Any) -> float:
    """What is allocated above what there was, in MB."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


DELTAS = [i * 1e-3 for i in range(6)]


LARGE: dict[str, tuple[tuple[int, int], Any]] = {
    "patience and min_delta": (
        (20_000, 300),
        lambda h: sweep(es.Patience("loss"), h, patience=range(1, 200), min_delta=DELTAS),
    ),
    "quantiles": (
        (20_000, 100),
        lambda h: sweep(es.Patience("loss"), h, patience=range(1, 99)).quantile_regret(0.9),
    ),
    "gaps": (
        (16_384, 4),
        lambda h: sweep(
            es.Patience("loss"),
            es.History({"loss": np.ma.masked_where(h.metrics["loss"] > 0.9, h.metrics["loss"])}),
            patience=range(1, 400),
        ),
    ),
    "waits that grow": (
        (16_384, 300),
        lambda h: sweep(
            es.Patience("loss"),
            es.History({"loss": np.broadcast_to(staircase(300), (16_384, 300))}),
            patience=range(1, 300),
            min_delta=[0.25 + i / 100 for i in range(16)],
        ),
    ),
    "settings": (
        (50, 300),
        lambda h: sweep(
            es.Patience("loss"), h, patience=range(1, 301), min_delta=np.arange(100) / 1e4
        ),
    ),
    "metrics": (
        (20_000, 40),
        lambda h: sweep(
            es.NonFinite() | es.Patience("loss"),
            es.History(
                {"loss": h.metrics["loss"], **{f"m{i}": h.metrics["loss"] for i in range(40)}}
            ),
            **{"1.patience": [1, 2]},
        ),
    ),
    "replay": (
        (20_000, 300),
        lambda h: es.replay(es.Patience("loss", 50) | es.NonFinite(), h, save=es.Best("loss")),
    ),
    "windows of their own": (
        (16_384, 16),
        lambda h: sweep(
            es.Smoothed(es.Plateau("loss", window=16, std=0.01), "loss", alpha=0.5),
            h,
            alpha=np.linspace(0.1, 0.9, 32).tolist(),
        ),
    ),
    "ragged": (
        (100, 10**6),
        lambda h: es.replay(
            es.Patience("loss", 5),
            es.History({"loss": np.broadcast_to(1.0, (100, 10**6))}, lengths=[3] * 100),
            save=es.Best("loss"),
            on_missing="raise",
        ),
    ),
}


def staircase(epochs: int) -> Any:
    """Falls by 1 after waits of 1, 2, 3, ... epochs, and a little in between."""
    waits = np.repeat(np.arange(epochs), np.arange(epochs) + 1)[:epochs]
    return 1000.0 - waits - np.arange(epochs) * 1e-4


@pytest.mark.parametrize("what", LARGE)
def test_memory_stays_bounded_whatever_the_history(what: str, tmp_path: Path) -> None:
    shape, run = LARGE[what]
    rng = np.random.default_rng(1)
    if shape[1] < 10**6:
        values = np.lib.format.open_memmap(tmp_path / "loss.npy", "w+", np.float64, shape)
        values[:] = 1 / np.sqrt(np.arange(1, shape[1] + 1)) + rng.random(shape) / 10
        history = es.History({"loss": np.load(tmp_path / "loss.npy", mmap_mode="r")})
    else:
        history = es.History({"loss": [1.0]})
    assert peak_of(lambda: run(history)) < 64
