"""A Sphinx extension that lets pages point to files of the repository that are no pages.

In the repository, `[the script](../benchmarks/speed/step.py)` leads to the file. On the site it
leads to the file at the address that pyproject.toml calls "Repository".
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from pathlib import Path
from typing import Any

__all__ = ["addressed", "setup"]

_LINK = re.compile(r"(?<=\]\()(?:\.\./)+[^)\s]+(?=\))")


def addressed(text: str, page: Path, pages: Path, address: str) -> str:
    """The text of a page, with links out of the folder of pages as links to the repository.

    >>> root = Path("/project")
    >>> addressed("[x](../setup.py)", root / "docs/a.md", root / "docs", "https://code.example")
    '[x](https://code.example/setup.py)'
    >>> addressed("[y](../b.md)", root / "docs/a/c.md", root / "docs", "https://code.example")
    '[y](../b.md)'
    """

    def target(link: re.Match[str]) -> str:
        file = Path(os.path.normpath(page.parent / link[0]))
        if file.is_relative_to(pages):
            return link[0]
        return f"{address}/{file.relative_to(pages.parent)}"

    return _LINK.sub(target, text)


def _repository() -> str:
    urls = importlib.metadata.metadata("earlystop").get_all("Project-URL") or []
    addresses: dict[str, str] = dict(url.split(", ", 1) for url in urls)
    return addresses["Repository"].rstrip("/")


def _point_out(app: Any, name: str, source: list[str]) -> None:
    page = Path(app.env.doc2path(name))
    source[0] = addressed(source[0], page, Path(app.srcdir), _repository())


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _point_out)
    return {"parallel_read_safe": True}
