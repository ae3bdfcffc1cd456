"""A Sphinx extension for screens of all widths.

What a program prints in sentences is broken where the screen ends; what it prints in columns is
moved sideways, as code is. A picture leads to itself in full size.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["in_columns", "setup"]


def in_columns(text: str) -> bool:
    """Whether a text has columns, which two spaces within a line tell, or the indents of code.

    >>> in_columns("run   epochs\\n1         60"), in_columns("  epoch 0: save, continue")
    (True, False)
    """
    return re.search(r"\S {2,}\S|^ {4}", text, re.M) is not None


def _mark(app: Any, document: Any) -> None:
    for node in document.findall():
        if node.tagname == "literal_block":
            if node.get("language") == "text" and not in_columns(node.astext()):
                node["classes"].append("sentences")
        elif node.tagname == "image":
            node["width"] = "100%"  # pictures of a given width are linked


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-read", _mark)
    return {"parallel_read_safe": True}
