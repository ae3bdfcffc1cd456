"""Live runs that are watched and ended: does a replay of their logs stop them at the same check?

    python -m benchmarks.agreement.watch_live [--runs 100] [--seed 0]

Each run is a process that writes its log in one of five formats (CSV, JSON lines, lines of text
with a pattern, TensorBoard events, checkpoints of the Hugging Face Trainer), lines and records in
halves. Some are begun anew in a truncated or another file, some are resumed. A watch decides
meanwhile, and ends the process by a signal. Prints how many runs were stopped at the check, and
with the decisions, that a replay of the finished log has.
"""

from __future__ import annotations

import argparse
import collections
import tempfile
import time
from pathlib import Path

from tests.support.live_logs import FORMATS, accident_of
from tests.support.live_watch import watched_live


def main() -> None:
    """Watch the runs, and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began = time.perf_counter()
    runs, same, stopped = (collections.Counter[str]() for _ in range(3))
    accidents = collections.Counter[str]()
    for number in range(arguments.runs):
        format, seed = FORMATS[number % len(FORMATS)], arguments.seed + number // len(FORMATS)
        with tempfile.TemporaryDirectory() as folder:
            live, replayed = watched_live(format, Path(folder), seed)
        runs[format] += 1
        same[format] += live == replayed
        stopped[format] += bool(live) and live[-1].stop
        accidents[accident_of(format, seed) or "none"] += 1
        if live != replayed:
            print(f"{format}, seed {seed}: {live[-1:]}, replayed {replayed[-1:]}", flush=True)
    for format, amount in runs.items():
        print(
            f"{format}: {same[format]} of {amount} as replayed, {stopped[format]} stopped by a rule"
        )
    told = ", ".join(f"{name} {amount}" for name, amount in accidents.items())
    print(f"accidents: {told}")
    total = f"{same.total()} of {runs.total()}"
    print(f"stopped where a replay does: {total}, in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
