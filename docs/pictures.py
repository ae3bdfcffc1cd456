"""A Sphinx extension that draws the pictures of a page by running the page's own examples.

    python docs/pictures.py [docs/one_run.svg]      draws the picture of the README

A page shows `_pictures/NAME.svg`, and one of its Python blocks saves NAME.svg in the working
directory. Before the pages are read, the blocks of such a page are run, in order and in a folder of
their own, and the picture is taken from there.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["draw", "run_examples", "setup", "shown"]

ROOT = Path(__file__).parents[1]

FOLDER = "_pictures"


def shown(text: str) -> list[str]:
    """The names of the pictures that a page shows.

    >>> shown("![A curve](../_pictures/curve.svg)")
    ['curve.svg']
    """
    return re.findall(rf"\]\((?:\.\./)*{FOLDER}/([\w.]+)\)", text)


def draw(page: Path, folder: Path) -> None:
    """Run the Python blocks of a page, and put the pictures it shows into the folder.

    Raises what a block raises, and FileNotFoundError if no block has saved a picture.
    """
    run_examples(page, {name: folder / name for name in shown(page.read_text())})


def run_examples(page: Path, wanted: Mapping[str, Path]) -> None:
    """Run the Python blocks of a page, and copy what they have saved; see `draw`."""
    text = page.read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as apart:
        os.chdir(apart)
        try:
            names: dict[str, Any] = {"__name__": "__main__"}
            with contextlib.redirect_stdout(io.StringIO()):
                for block in blocks:
                    exec(compile(block, str(page), "exec"), names)  # noqa: S102  # our own
            for name, target in wanted.items():
                shutil.copy(name, target)
        finally:
            os.chdir(before)


def _draw_all(app: Any) -> None:
    source = Path(app.srcdir)
    folder = source / FOLDER
    folder.mkdir(exist_ok=True)
    for page in sorted(source.rglob("*.md")):
        made = [folder / name for name in shown(page.read_text())]
        newest = page.stat().st_mtime
        if any(not file.exists() or file.stat().st_mtime < newest for file in made):
            draw(page, folder)


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", _draw_all)
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "one_run.svg"
    run_examples(ROOT / "README.md", {"one_run.svg": target.absolute()})
