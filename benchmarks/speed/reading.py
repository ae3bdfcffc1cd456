"""What reading logs costs, next to other readers of the same files.

    python -m benchmarks.speed.reading --folder DISK

Everything is measured in one run: a warm-up, then the fastest of some repeats. Ours ends with a
`History`; pandas and polars with a frame; the csv module with a list of floats per column;
`json.loads` with a dict per line, which is dropped at once; tensorboard's EventAccumulator with all
of its scalars. Peaks are what the operating system says of a process that does nothing else, above
one that has imported the same. polars and tensorboard are left out where they are not installed.
"""

from __future__ import annotations

import argparse
import csv
import functools
import gc
import importlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import earlystop as es
from benchmarks._support.measure import fastest, machine, show

Ways = dict[str, Callable[[Path], Any]]

NAMES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr"]


def write_table(path: Path, rows: int, seed: int) -> None:
    """A table of six columns, with the digits that loggers write."""
    rng = np.random.default_rng(seed)
    with path.open("w") as file:
        file.write(",".join(NAMES) + "\n")
        for first in range(0, rows, 100_000):
            last = min(rows, first + 100_000)
            values = rng.random((last - first, 5))
            file.writelines(
                f"{first + n},{','.join(map(repr, row))}\n" for n, row in enumerate(values.tolist())
            )


def write_lines(path: Path, rows: int, seed: int) -> None:
    """JSON lines of the same."""
    rng = np.random.default_rng(seed)
    with path.open("w") as file:
        for first in range(0, rows, 100_000):
            values = rng.random((min(rows, first + 100_000) - first, 5)).tolist()
            for n, row in enumerate(values):
                record = dict(zip(NAMES, [first + n, *row], strict=True))
                file.write(json.dumps(record) + "\n")


def by_csv_module(path: Path) -> list[list[float]]:
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return [list(map(float, column)) for column in zip(*rows, strict=True)]


def by_json_module(path: Path) -> None:
    with path.open() as file:
        for line in file:
            json.loads(line)


def table_readers() -> Ways:
    ways: Ways = {"earlystop": es.read_history, "pandas": pd.read_csv, "csv": by_csv_module}
    if importlib.util.find_spec("polars"):
        import polars

        ways["polars"] = polars.read_csv
    return ways


def ratios(ways: Ways, base: str, path: Path, at_most: float = 3.0) -> tuple[float, dict[str, str]]:
    """The seconds of one way, and what the others take, as multiples of it."""
    seconds = {name: fastest(functools.partial(way, path), at_most) for name, way in ways.items()}
    return seconds[base], {n: f"{s / seconds[base]:.2f}" for n, s in seconds.items() if n != base}


def small_tables(folder: Path, seed: int) -> None:
    """One file of 300 rows, and a folder of many."""
    ways = table_readers()
    one = folder / "one.csv"
    write_table(one, 300, seed)
    seconds, each = ratios(ways, "pandas", one)
    many = folder / "many"
    many.mkdir()
    for number in range(200):
        write_table(many / f"{number}.csv", 300, seed + number)

    def of_all(way: Callable[[Path], Any]) -> Callable[[Path], Any]:
        return lambda path: [way(file) for file in sorted(path.iterdir())]

    all_ways = {name: of_all(way) for name, way in ways.items() if name != "earlystop"}
    all_seconds, of_many = ratios({**all_ways, "earlystop": es.read_history}, "pandas", many)
    names = [name for name in ways if name != "pandas"]
    show(
        "Tables of 300 rows and 6 columns: times pandas.read_csv",
        ["files", "pandas, ms a file", *names],
        [
            ["1", f"{seconds * 1e3:.2f}", *(each[name] for name in names)],
            ["200", f"{all_seconds * 5:.2f}", *(of_many[name] for name in names)],
        ],
    )


def large_table(folder: Path, megabytes: int, seed: int) -> None:
    path = folder / "large.csv"
    write_table(path, megabytes * 10**6 // 99, seed)
    seconds, found = ratios(table_readers(), "pandas", path, at_most=10)
    rows = es.read_history(path).lengths[0]
    array = 8 * len(NAMES) * rows / 2**20
    peaks = {name: peak_memory(name, path) for name in ("earlystop", "pandas")}
    show(
        f"One table of {path.stat().st_size / 1e6:.0f} MB",
        ["reader", "times pandas", "peak, times the array"],
        [
            ["pandas", f"1.00 ({seconds:.2f} s)", f"{peaks['pandas'] / array:.2f}"],
            ["earlystop", found.pop("earlystop"), f"{peaks['earlystop'] / array:.2f}"],
            *([name, ratio, ""] for name, ratio in found.items()),
        ],
        caption=f"the array: {rows:,} x {len(NAMES)} numbers, {array:.0f} MB",
    )
    path.unlink()


def peak_memory(reader: str, path: Path) -> float:
    """The most memory that a process takes to read a file, in MB, above what importing takes."""
    code = (
        "import re, sys, numpy, pandas, earlystop, pyarrow.csv, pyarrow\n"
        "read = {'earlystop': earlystop.read_history, 'pandas': pandas.read_csv}[sys.argv[1]]\n"
        "kept = [read(path) for path in sys.argv[2:]]\n"
        "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])"
    )

    def peak(*paths: str) -> float:
        command = [sys.executable, "-c", code, reader, *paths]
        return float(subprocess.run(command, capture_output=True, check=True).stdout) / 2**10

    return peak(str(path)) - peak()


def json_lines(folder: Path, rows: int, seed: int) -> None:
    path = folder / "metrics.jsonl"
    write_lines(path, rows, seed)
    ways: Ways = {
        "json.loads": by_json_module,
        "earlystop": es.read_history,
        "pandas": functools.partial(pd.read_json, lines=True),
    }
    if importlib.util.find_spec("polars"):
        import polars

        ways["polars"] = polars.read_ndjson
    seconds, found = ratios(ways, "json.loads", path, at_most=10)
    show(
        f"{rows:,} JSON lines: times json.loads in a loop",
        ["json.loads, s", *found],
        [[f"{seconds:.2f}", *found.values()]],
    )
    path.unlink()


def events(folder: Path, points: int) -> None:
    """An event file of TensorBoard with six scalars."""
    if not importlib.util.find_spec("tensorboard"):
        return
    accumulator: Any = importlib.import_module(
        "tensorboard.backend.event_processing.event_accumulator"
    )

    from tests.support.event_files import event_file

    path = folder / "events.out.tfevents.1600000000.machine"
    path.write_bytes(
        event_file([(0.0, n, name, 0.5 / (n + 1)) for n in range(points) for name in NAMES[1:]])
    )

    def accumulated(path: Path) -> list[Any]:
        events = accumulator.EventAccumulator(
            str(path), size_guidance={"scalars": 0, "tensors": 0}
        ).Reload()
        return [events.Scalars(tag) for tag in events.Tags()["scalars"]]

    ways: Ways = {"EventAccumulator": accumulated, "earlystop": es.read_history}
    seconds, found = ratios(ways, "EventAccumulator", path)
    show(
        f"An event file of {points:,} steps with {len(NAMES) - 1} scalars",
        ["EventAccumulator, s", "earlystop, times that"],
        [[f"{seconds:.2f}", found["earlystop"]]],
    )


def no_logs(folder: Path, megabytes: int) -> None:
    """How long it takes to see that a large file is no log."""

    def content(kind: str) -> Iterator[str]:
        for number in range(megabytes * 10**4):
            text = f"{number} this line holds nothing at all that anybody would want to read, again"
            yield f"[{text}]\n" if kind == "text in brackets" else f"{text}\n"

    rows = []
    for kind in ("text", "text in brackets", "bytes"):
        path = folder / "no.log"
        if kind == "bytes":
            path.write_bytes(np.random.default_rng(1).bytes(megabytes * 10**6))
        else:
            with path.open("w") as file:
                file.writelines(content(kind))
        began = time.perf_counter()
        try:
            es.read_history(path)
        except es.EarlystopError:
            seconds = time.perf_counter() - began
        rows.append([kind, f"{path.stat().st_size / 1e6:.0f}", f"{seconds * 1e3:.1f}"])
        path.unlink()
    show("Files that are no logs", ["what", "MB", "ms until it is refused"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", type=Path, default=None, help="where files are written")
    parser.add_argument("--megabytes", type=int, default=200, help="of the large table")
    parser.add_argument("--lines", type=int, default=10**6, help="of JSON")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{machine()}; seed {arguments.seed}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        small_tables(folder, arguments.seed)
        gc.collect()
        large_table(folder, arguments.megabytes, arguments.seed)
        json_lines(folder, arguments.lines, arguments.seed)
        events(folder, 20_000)
        no_logs(folder, arguments.megabytes // 4)


if __name__ == "__main__":
    main()
