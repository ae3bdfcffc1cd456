"""What a browser would make of a page, without one: its elements, its text, its data."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """A page, taken apart."""

    VOID = ("meta", "img", "br", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.cells: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.scripts[-1] += data
            return
        if "style" in self.open:
            return
        self.words.append(data)
        if "code" not in self.open and ("td" in self.open or "th" in self.open):
            self.cells[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def data(self) -> Any:
        """What the script of the page gets."""
        return json.loads(self.scripts[0])


def unpacked(stretches: list[Any]) -> list[float | None]:
    """The numbers of a packed row, as the script of the page has them."""
    if isinstance(stretches[0], list):
        return list(stretches[0])
    found: list[float | None] = []
    for first, step, many in zip(*[iter(stretches)] * 3, strict=True):
        found += [first if not step else first + step * more for more in range(many)]
    return found
