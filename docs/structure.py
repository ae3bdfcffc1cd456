"""Measures the code, and draws the floors of docs/architecture.md from its imports.

    python docs/structure.py            # prints the measures
    python docs/structure.py --draw     # writes docs/floors.svg
    python docs/structure.py --tree DIR # measures another tree
    python docs/structure.py --check    # fails on a long file or a circle

The floors are those of the import contract in pyproject.toml; what a room imports is read from the
code. Needs import-linter, and ruff for the measures.
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import grimp
from importlinter import api as import_linter

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "floors.svg"
LONGEST_FILE, HIGHEST_COMPLEXITY = 350, 10


# Measures -----------------------------------------------------------------------------------------


def sources(tree: Path) -> list[Path]:
    """The files of the library, adapters included."""
    return sorted(
        path for name in ("earlystop", "adapters") for path in (tree / name).rglob("*.py")
    )


def function_lengths(files: list[Path]) -> Iterator[int]:
    """Lines of each function, its docstring and decorators left out."""
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                last = node.end_lineno or node.lineno
                yield last - (body[0].lineno if body else last) + 1


def complex_functions(tree: Path, limit: int) -> int:
    """Functions whose cyclomatic complexity is above a limit, as ruff counts it."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "C901"]
    command += ["--config", f"lint.mccabe.max-complexity={limit}", "--output-format", "json"]
    command += ["--exit-zero", *(str(tree / name) for name in ("earlystop", "adapters"))]
    found = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603
    return len(json.loads(found.stdout))


def circular_imports(tree: Path) -> list[str]:
    """Imports that would have to go for no two siblings to import each other."""
    sys.path.insert(0, str(tree))
    try:
        graph = grimp.build_graph("earlystop", cache_dir=None)
    finally:
        sys.path.remove(str(tree))
    packages = [name for name in graph.modules if graph.find_children(name)]
    return [
        f"{importer} -> {imported}"
        for package in sorted(packages)
        for importer, imported in sorted(graph.nominate_cycle_breakers(package))
    ]


def _lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def measures(tree: Path) -> dict[str, str]:
    files = sources(tree)
    lines = [_lines_of(path) for path in files]
    lengths = list(function_lengths(files))
    long = sum(count > LONGEST_FILE for count in lines)
    return {
        "files": str(len(files)),
        "lines": str(sum(lines)),
        f"files over {LONGEST_FILE} lines": f"{long} (the longest has {max(lines)})",
        "functions": str(len(lengths)),
        "mean length of a function": f"{statistics.mean(lengths):.1f} lines",
        "the longest function": f"{max(lengths)} lines",
        "functions over complexity 8": str(complex_functions(tree, 8)),
        f"functions over complexity {HIGHEST_COMPLEXITY}": str(
            complex_functions(tree, HIGHEST_COMPLEXITY)
        ),
        "imports that close a circle": str(len(circular_imports(tree))),
    }


# The picture --------------------------------------------------------------------------------------


class Room(NamedTuple):
    """A package or module of a floor.

    purpose: the first line of its docstring. imports: the rooms that it imports.
    """

    name: str
    purpose: str
    imports: list[str]


def floors() -> list[list[Room]]:
    """The rooms of every floor, from the top down, by the import contract and the code."""
    contracts = import_linter.read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    (layers,) = (contract["layers"] for contract in contracts if contract["id"] == "floors")
    names = [[name.strip() for name in layer.split("|")] for layer in layers]
    rooms = {name for layer in names for name in layer}
    graph = grimp.build_graph("earlystop", cache_dir=None)
    imports: dict[str, set[str]] = {name: set() for name in rooms}
    for module in graph.modules:
        importer = ".".join(module.split(".")[:2])
        for imported in graph.find_modules_directly_imported_by(module):
            room = ".".join(imported.split(".")[:2])
            if importer in rooms and room in rooms and room != importer:
                imports[importer].add(room)
    return [
        [Room(_short(name), _purpose(name), sorted(map(_short, imports[name]))) for name in layer]
        for layer in names
    ]


def _purpose(name: str) -> str:
    path = ROOT.joinpath(*name.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n", maxsplit=1)[0].replace("\n", " ").replace("`", "")


def _short(name: str) -> str:
    return name.removeprefix("earlystop.")


WIDTH, LINE, MARGIN, HEAD, LETTER = 1060, 16, 12, 24, 7.3


def drawn(layers: list[list[Room]]) -> str:
    """The floors as an SVG: a row for each floor, a box for each room."""
    shapes, top = [], MARGIN
    for layer in layers:
        width = (WIDTH - MARGIN) / len(layer) - MARGIN
        texts = [_lines(room, int((width - 20) / LETTER)) for room in layer]
        height = HEAD + LINE * max(map(len, texts)) + 8
        for column, (room, lines) in enumerate(zip(layer, texts, strict=True)):
            left = MARGIN + column * (width + MARGIN)
            shapes.append(
                f'<rect class="room" x="{left:.0f}" y="{top}" width="{width:.0f}" '
                f'height="{height}" rx="6"/>'
            )
            shapes.append(_text("name", left + 10, top + 19, room.name))
            for number, (kind, line) in enumerate(lines):
                shapes.append(_text(kind, left + 10, top + HEAD + 12 + number * LINE, line))
        top += height + MARGIN
    names = ", ".join(room.name for layer in layers for room in layer)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img">',
            f"<title>The floors of earlystop, from the top down: {escape(names)}</title>",
            "<style>",
            "rect.ground { fill: #fff } rect.room { fill: #eef3f8; stroke: #6b8299 }",
            "text { font-family: ui-monospace, Menlo, Consolas, monospace; fill: #1d2a36 }",
            "text.name { font-size: 14px; font-weight: 600 } text { font-size: 12px }",
            "text.imports { fill: #4a5f73 }",
            "</style>",
            f'<rect class="ground" width="{WIDTH}" height="{top}"/>',
            *shapes,
            "</svg>\n",
        ]
    )


def _lines(room: Room, width: int) -> list[tuple[str, str]]:
    """What stands in a box, each line with its kind: what the room is for, what it imports."""
    imports = f"imports {', '.join(room.imports)}" if room.imports else "imports no other room"
    texts = {"purpose": room.purpose, "imports": imports}
    return [(kind, line) for kind, text in texts.items() for line in textwrap.wrap(text, width)]


def _text(kind: str, x: float, y: int, text: str) -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y}">{escape(text)}</text>'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--tree", type=Path, default=ROOT)
    parser.add_argument("--draw", type=Path, nargs="?", const=PICTURE, metavar="FILE")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.draw:
        arguments.draw.write_text(drawn(floors()), encoding="utf-8")
        return
    tree = arguments.tree.resolve()
    for name, value in measures(tree).items():
        print(f"{name:32} {value}")
    long = [path for path in sources(tree) if _lines_of(path) > LONGEST_FILE]
    circles = circular_imports(tree)
    print(*long, *circles, sep="\n", end="\n" if long or circles else "")
    if arguments.check and (long or circles):
        sys.exit(1)


if __name__ == "__main__":
    main()
