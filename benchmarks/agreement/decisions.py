"""Do stepping, replaying, sweeping and resuming agree? A long campaign of random pairs.

    python -m benchmarks.agreement.decisions --histories 100000 --seed 1
    python -m benchmarks.agreement.decisions --sweeps 1000000 --seed 1

Histories are ragged and hold gaps, ties, NaN, infinities, denormals and neighbouring floats; rules
are drawn from all there are, nested, and those with a fast path more often.

--histories: for this many pairs of a rule and a run, three ways are compared: stepping, replaying
many runs at once (what is stopped and saved, and when), and stepping cut at a random epoch, sent
through JSON and resumed, decision by decision. --sweeps: for this many pairs of a setting and a
run, stepping and sweeping; means of regret are compared with exact fractions. Blocks and threads
have random sizes. Prints the count and every disagreement; exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.support.agreement import disagreements, sweep_disagreements


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--histories", type=int, default=0)
    parser.add_argument("--sweeps", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if not arguments.histories and not arguments.sweeps:
        arguments.histories = 10_000
    everything = []
    for count, look, what in (
        (arguments.histories, disagreements, "stepping, replaying and resuming"),
        (arguments.sweeps, sweep_disagreements, "stepping and sweeping"),
    ):
        if count:
            began = time.perf_counter()
            found = look(count, arguments.seed)
            print(*found, sep="\n", end="\n" if found else "")
            print(
                f"{count} pairs of a rule and a run, seed {arguments.seed}: {len(found)} "
                f"disagreements between {what} ({time.perf_counter() - began:.0f} s)"
            )
            everything += found
    sys.exit(1 if everything else 0)


if __name__ == "__main__":
    main()
