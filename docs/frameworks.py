"""The table of docs/frameworks.md, made from the presets of `earlystop.peers`.

python docs/frameworks.py            # prints it
python docs/frameworks.py --write    # writes it into the page
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Literal, NamedTuple

import earlystop as es
from earlystop.peers.asked import waiting

PAGE = Path(__file__).parent / "frameworks.md"
BEGIN, END = "<!-- table: docs/frameworks.py -->\n", "<!-- end of the table -->\n"
PATIENCE = 2


class Curve(NamedTuple):
    """A curve, and the question that it answers."""

    question: str
    values: tuple[float, ...]
    mode: Literal["min", "max"] = "min"
    patience: int = PATIENCE


NAN, INF = math.nan, math.inf
CURVES = (
    Curve("worse after check 1", (0.5, 0.4, 0.45, 0.46, 0.47, 0.48, 0.49)),
    Curve("the same, patience 0", (0.5, 0.4, 0.45, 0.46, 0.47, 0.48, 0.49), patience=0),
    Curve("ties", (0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4)),
    Curve("gains of 0.00004", (0.5, 0.49996, 0.49992, 0.49988, 0.49984, 0.4998, 0.49976)),
    Curve("gains of 0.05", (0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2)),
    Curve("gains below float32", tuple(1 - n * 1e-9 for n in range(7))),
    Curve("NaN at first", (NAN, NAN, NAN, 0.5, 0.4, 0.3, 0.2)),
    Curve("NaN from check 2 on", (0.5, 0.4, NAN, NAN, NAN, NAN, NAN)),
    Curve("infinite at first", (INF, INF, INF, 0.5, 0.4, 0.3, 0.2)),
    Curve("0 at first, to rise", (0.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.3), "max"),
)


def cell(curve: Curve, name: str) -> str:
    """After which check it stops, and which it keeps."""
    try:
        comparison = es.compare(
            es.History({"metric": list(curve.values)}),
            "metric",
            mode=curve.mode,
            patience=curve.patience,
            names=[name],
        )
    except es.RuleError:
        return "refused"
    (result,) = comparison.results.values()
    stops = f"{result.checks[0] - 1}" if result.stopped[0] else "goes on"
    return stops if result.saved_check[0] < 0 else f"{stops}, keeps {result.saved_check[0]}"


def table() -> str:
    """The table; frameworks that do the same share a row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name in waiting():
        rows.setdefault(tuple(cell(curve, name) for curve in CURVES), []).append(name)
    lines = [
        "| | " + " | ".join(curve.question for curve in CURVES) + " |",
        "|" + "---|" * (len(CURVES) + 1),
    ]
    for cells, names in rows.items():
        lines.append(f"| {', '.join(f'`{name}`' for name in names)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def written(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write it into the page")
    if parser.parse_args().write:
        PAGE.write_text(written(PAGE.read_text()))
    else:
        print(table(), end="")


if __name__ == "__main__":
    main()
