"""What the benchmarks share: curves, time, memory, rivals written by hand, tables."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

Curves = npt.NDArray[np.float64]

NEVER = 10**9  # a patience that no curve here uses up

SHAPES = {  # run-epochs: runs and epochs
    10**2: (1, 100),
    10**3: (10, 100),
    10**4: (100, 100),
    10**5: (100, 1000),
    10**6: (1000, 1000),
    10**7: (10_000, 1000),
    10**8: (100_000, 1000),
}

KINDS = {
    "learning": "falls quickly, then slowly, with noise: about 40 bests a run",
    "noise": "noise alone: 7 bests a run",
    "falling": "every epoch is a best",
}


def fill(curves: Curves, kind: str, seed: int) -> None:
    """Write curves, one per row."""
    rng = np.random.default_rng(seed)
    epochs = np.arange(1.0, curves.shape[1] + 1)
    for first in range(0, len(curves), 1000):
        rows = curves[first : first + 1000]
        if kind == "learning":
            rows[:] = (
                0.3 + np.exp(-epochs / 50) + 1 / epochs + 0.05 * rng.standard_normal(rows.shape)
            )
        elif kind == "noise":
            rows[:] = rng.random(rows.shape)
        else:
            rows[:] = -np.cumsum(rng.random(rows.shape), axis=1)


@contextlib.contextmanager
def curves_of(size: int, kind: str, seed: int) -> Iterator[Curves]:
    """Curves of `size` run-epochs in all; 10^8 of them in a file, memory-mapped."""
    shape = SHAPES[size]
    if size < 10**8:
        made = np.empty(shape)
        fill(made, kind, seed)
        yield made
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "curves.npy"
        writable = np.lib.format.open_memmap(file, "w+", np.float64, shape)
        fill(writable, kind, seed)
        writable.flush()
        del writable
        yield np.load(file, mmap_mode="r")


def fastest(run: Callable[[], Any], at_most: float = 3.0, repeats: int = 25) -> float:
    """Seconds of the fastest of some repeats, as many as there is time for, after a warm-up."""
    began = time.perf_counter()
    run()
    once = time.perf_counter() - began
    best = math.inf
    for _ in range(max(1, min(repeats, int(at_most / once)))):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return best


def peak(run: Callable[[], Any]) -> float:
    """The memory that a call takes beyond what was taken before, in MB, with its result."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = run()
        top = tracemalloc.get_traced_memory()[1]
        del result
        return (top - before) / 2**20
    finally:
        tracemalloc.stop()


# Rivals, as one would write them for this one question --------------------------------------------


def numpy_loop(curves: Curves, patience: int) -> tuple[Any, Any]:
    """Epochs used and best epoch of every run: all runs at once, epoch after epoch."""
    runs, epochs = curves.shape
    best, best_epoch = np.full(runs, np.inf), np.full(runs, -1)
    wait, used = np.zeros(runs, np.int64), np.full(runs, epochs)
    running = np.ones(runs, np.bool_)
    for epoch in range(epochs):
        values = curves[:, epoch]
        better = (values < best) & running
        best[better], best_epoch[better] = values[better], epoch
        wait = np.where(better, 0, wait + 1)
        ends = running & (wait >= patience)
        used[ends] = epoch + 1
        running &= ~ends
        if not running.any():
            break
    return used, best_epoch


def run_by_run(curves: Any, patience: int, used: Any, best_epoch: Any) -> None:
    """The same, run by run; to be compiled."""
    for run in range(curves.shape[0]):
        best, since, epoch = np.inf, -1, 0
        while epoch < curves.shape[1]:
            if curves[run, epoch] < best:
                best, since = curves[run, epoch], epoch
            elif epoch - since >= patience:
                epoch += 1
                break
            epoch += 1
        used[run], best_epoch[run] = epoch, since


compiled_loop: Any = numba.njit(run_by_run)


def machine() -> str:
    """Where this runs."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    return (
        f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, numba {numba.__version__}"
    )


def show(title: str, headings: list[str], rows: list[list[str]], caption: str = "") -> None:
    """Print a table; numbers to the right."""
    table = Table(title=title, caption=caption or None, box=SIMPLE_HEAD, title_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        table.add_row(*row)
    Console(width=100, highlight=False).print(table)
