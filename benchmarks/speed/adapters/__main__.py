"""What all adapters cost, beside the frameworks' own classes and loops by hand, in one table.

    python -m benchmarks.speed.adapters --folder DISK [--only NAME ...]

The runs of each row take turns, forwards and backwards; the fastest of all repeats counts, so that
what else the machine does is left out: of an epoch, which is the same every time, or of the average
of a run. What each row measures stands in the modules beside this one.

Files are saved in --folder, which should be on a disk: `os.fsync` costs nothing elsewhere.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import tempfile
from pathlib import Path

import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from . import checks, keras_epochs, rounds, training_epochs
from .measured import Case, measured

__all__ = ["main"]

_PACKAGES = (
    *("keras", "torch", "lightning", "transformers", "pytorch-ignite", "skorch", "scikit-learn"),
    *("xgboost-cpu", "lightgbm", "catboost", "optuna", "ray"),
)


def all_cases(folder: Path, arguments: argparse.Namespace) -> list[Case]:
    """The rows that are asked for."""
    epochs, repeats = arguments.epochs, arguments.repeats
    cases = [
        *checks.cases(arguments.checks, repeats),
        *rounds.cases(300, 40 * repeats),
        *keras_epochs.cases(folder, epochs, repeats),
        *training_epochs.cases(folder, epochs, repeats),
    ]
    only = [name.lower() for name in arguments.only]
    return [case for case in cases if not only or any(name in case.what.lower() for name in only)]


def versions() -> str:
    """The releases of what is installed."""
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} under another name")
    return f"Python {platform.python_version()}, {', '.join(found)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--checks", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="rows with these")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        seconds = measured(all_cases(Path(name), arguments))
    table = Table(title="Cost of a check, a round or an epoch", caption=versions(), box=SIMPLE_HEAD)
    for heading in ("what", "whose"):
        table.add_column(heading)
    for heading in ("mean, us", "ours is", "median, us", "ours is"):
        table.add_column(heading, justify="right")
    ours = np.ones(2)
    for (what, whose), runs in seconds.items():
        costs = np.array([runs.mean(), np.median(runs)]) * 1e6
        is_ours = whose == "ours"
        ours = costs if is_ours else ours
        mean, median = ("" if is_ours else f"x {ratio:.2f}" for ratio in ours / costs)
        one = runs.size == 1  # an average
        cells = [_short(costs[0]), mean, "" if one else _short(costs[1]), "" if one else median]
        table.add_row(what if is_ours else "", whose, *cells)
    Console(width=120).print(table)


def _short(microseconds: float) -> str:
    return f"{microseconds:.2f}" if microseconds < 100 else f"{microseconds:.0f}"


if __name__ == "__main__":
    main()
