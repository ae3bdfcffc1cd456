"""Do the presets decide as the frameworks' own classes do, on random curves and settings?

    KERAS_BACKEND=jax python -m benchmarks.agreement.peers [NAME ...] [--curves 3000] [--seed 1]

Each class is driven over a curve as its framework drives it (CatBoost in a real training), and our
preset of the same settings over the same curve. Compared are the checks at which it stops, or cuts
the rate, and those at which its best changes or it saves. Curves hold ties, NaN, infinities, gains
at and below the precision of float32, huge first values; settings are drawn anew for each.

"named" counts curves on which the two differ and on which a difference that the preset's docstring
names may show. Prints every other difference, of which the last column is the count; exits with 1
if there is one. Frameworks that cannot be imported are left out, and listed.
"""

from __future__ import annotations

import argparse
import collections
import logging
import os
import random
import sys
import time
import warnings

os.environ.setdefault("KERAS_BACKEND", "torch")

from tests.support.driven import DRIVEN, GO_ON, difference, random_curve


def compare(name: str, curves: int, seed: int) -> tuple[collections.Counter[str], list[str]]:
    """How many curves agree, differ as named, or otherwise; and those."""
    chance = random.Random(f"{seed} {name}")
    counts: collections.Counter[str] = collections.Counter()
    unexplained = []
    for _ in range(curves):
        curve = random_curve(chance)
        case = DRIVEN[name](chance, curve)
        found = difference(case, curve, goes_on=name in GO_ON)
        counts["agree" if not found else "named" if case.differs else "unexplained"] += 1
        if found and not case.differs:
            unexplained.append(f"{curve}: {found}")
    return counts, unexplained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", help="the presets to compare; all by default")
    parser.add_argument("--curves", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    backend, lacking, failed = os.environ["KERAS_BACKEND"], [], False
    print(f"{arguments.curves} curves each, seed {arguments.seed}, Keras on {backend}")
    print(f"{'':38}{'agree':>6}{'named':>7}{'unexplained':>13}{'s':>6}")
    for name in arguments.names or DRIVEN:
        began = time.perf_counter()
        try:
            counts, unexplained = compare(name, arguments.curves, arguments.seed)
        except ImportError:
            lacking.append(name)
            continue
        seconds = time.perf_counter() - began
        print(
            f"{name:38}{counts['agree']:6}{counts['named']:7}{counts['unexplained']:13}"
            f"{seconds:6.0f}",
            flush=True,
        )
        print(*unexplained[:5], sep="\n", end="\n" if unexplained else "")
        failed = failed or bool(unexplained)
    if lacking:
        print(f"not to be imported: {', '.join(lacking)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
