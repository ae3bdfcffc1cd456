"""What a sweep of a data set costs, on a table that this makes: seconds, memory, and one digest.

    python -m benchmarks.speed.datasets --runs 1260000 --folder /tmp/table
    python -m benchmarks.speed.datasets --folder /tmp/table --dask
    python -m benchmarks.speed.datasets --folder /tmp/table --advise

The table has one row for each run and step (run_id, step, val_loss), in Parquet, with runs that
straddle files and row groups. Every way is a process of its own, and so is its memory: the floor
reads the columns with pyarrow and sweeps arrays in memory, a file at a time; then one process, two
processes, and Dask's executor on a local cluster of two. The digest is that of all means. CPU time
is that of the process and of its children; on a shared machine it says more than seconds.

With --advise it is advice: on all runs in memory, by one process, and by two; the digest is that of
the whole answer.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import earlystop as es

EPOCHS = 80
ROWS_PER_FILE, ROWS_PER_GROUP = 1_600_100, 500_000
PATIENCE = range(1, 151)
WAYS = ("floor", "1", "2")
ADVICE = ("all in memory", "advice by 1", "advice by 2")


def tables(runs: int) -> Iterator[Any]:
    """Curves that fall, with noise; some rise again."""
    import pyarrow

    random, at_once = np.random.default_rng(0), 20_000
    epoch = np.arange(EPOCHS)
    for first in range(0, runs, at_once):
        count = min(at_once, runs - first)
        scale, pace, rise = (
            random.uniform(low, high, (count, 1)) for low, high in ((0.1, 1), (3, 30), (0, 0.02))
        )
        values = scale * np.exp(-epoch / pace) + rise * np.maximum(0, epoch - 2 * pace) / 10
        values += random.normal(0, 0.02, values.shape)
        yield pyarrow.table(
            {
                "run_id": np.repeat(np.arange(first, first + count), EPOCHS),
                "step": np.tile(np.arange(EPOCHS, dtype=np.int32), count),
                "val_loss": values.astype(np.float32).ravel(),
            }
        )


def make(folder: Path, runs: int) -> None:
    """Write the table, in files that end anywhere."""
    import pyarrow
    import pyarrow.parquet

    folder.mkdir(parents=True)
    rest, number = None, 0
    for table in tables(runs):
        rest = table if rest is None else pyarrow.concat_tables([rest, table])
        while rest.num_rows >= ROWS_PER_FILE:
            _write(rest.slice(0, ROWS_PER_FILE), folder, number)
            rest, number = rest.slice(ROWS_PER_FILE), number + 1
    if rest is not None and rest.num_rows:
        _write(rest, folder, number)


def _write(table: Any, folder: Path, number: int) -> None:
    import pyarrow.parquet

    path = folder / f"part-{number:04}.parquet"
    pyarrow.parquet.write_table(table, path, row_group_size=ROWS_PER_GROUP)


def digest(table: es.Sweep) -> str:
    """Of all means."""
    means = (table.mean_epochs, table.mean_used, table.share_saved, table.mean_regret)
    return hashlib.sha256(b"".join(mean.tobytes() for mean in means)).hexdigest()[:16]


def floor(folder: Path) -> str:
    """Read the columns, and sweep arrays in memory; what it knows of runs is their length."""
    import pyarrow.parquet

    rest = np.empty(0, np.float32)  # of a run that is cut by the end of a file
    for path in sorted(folder.iterdir()):
        columns = ["run_id", "step", "val_loss"]
        table = pyarrow.parquet.read_table(path, columns=columns, use_threads=False)
        values = np.concatenate([rest, table["val_loss"].to_numpy()])
        whole = len(values) // EPOCHS
        rest = values[whole * EPOCHS :]
        history = es.History({"val_loss": values[: whole * EPOCHS].reshape(whole, EPOCHS)})
        es.sweep(es.Patience("val_loss"), history, patience=PATIENCE)
    return "-"


def swept(folder: Path, workers: Any) -> str:
    """The digest of a sweep."""
    data = es.scan_history(folder, run="run_id", step="step")
    return digest(es.sweep(es.Patience("val_loss"), data, patience=PATIENCE, workers=workers))


def advised(folder: Path, way: str) -> str:
    """The digest of advice, read part by part, or on all runs in memory."""
    data: Any = es.scan_history(folder, run="run_id", step="step")
    in_memory = way == ADVICE[0]
    workers = 1 if in_memory else int(way.rsplit(maxsplit=1)[-1])
    runs = data.read() if in_memory else data
    advice = es.advise(runs, "val_loss", max_regret=0.02, workers=workers)
    return hashlib.sha256(repr(sorted(advice.to_dict().items())).encode()).hexdigest()[:16]


def on_dask(folder: Path) -> str:
    """On two workers of a local cluster, which keep memory that they will need again."""
    import dask
    from distributed import Client, LocalCluster

    for which, size in (("TRIM", 2**27), ("MMAP", 2**25)):
        name = f"distributed.nanny.pre-spawn-environ.MALLOC_{which}_THRESHOLD_"
        dask.config.set({name: size})
    options: dict[str, Any] = {"dashboard_address": None, "silence_logs": 40}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster,
        Client(cluster) as client,
    ):
        return swept(folder, client.get_executor())


def one_way(way: str, folder: Path) -> None:
    """Print what one way takes, in this process."""
    base = _megabytes(resource.RUSAGE_SELF)
    begin = time.perf_counter()
    if way == "floor":
        found = floor(folder)
    elif way in ADVICE:
        found = advised(folder, way)
    else:
        found = on_dask(folder) if way == "dask" else swept(folder, int(way))
    seconds = time.perf_counter() - begin
    for child in multiprocessing.active_children():
        child.join()  # what it took is counted once it has ended
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    driver = _megabytes(resource.RUSAGE_SELF) - base
    worker = _megabytes(resource.RUSAGE_CHILDREN)
    print(f"{way:>13} {seconds:9.2f} {cpu:9.2f} {driver:11,} {worker:11,}  {found}")


def _megabytes(who: int) -> int:
    return resource.getrusage(who).ru_maxrss // 1024


def main() -> None:
    """Make the table if there is none, and try every way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--dask", action="store_true")
    parser.add_argument("--advise", action="store_true")
    parser.add_argument("--way")
    asked = parser.parse_args()
    if asked.way:
        one_way(asked.way, asked.folder)
        return
    if not asked.folder.exists():
        make(asked.folder, asked.runs)
    print(f"{'way':>13} {'seconds':>9} {'CPU':>9} {'driver, MB':>11} {'worker, MB':>11}  digest")
    for way in ADVICE if asked.advise else (*WAYS, *(["dask"] if asked.dask else [])):
        module = [sys.executable, "-m", "benchmarks.speed.datasets"]
        subprocess.run([*module, "--folder", str(asked.folder), "--way", way], check=True)


if __name__ == "__main__":
    main()
