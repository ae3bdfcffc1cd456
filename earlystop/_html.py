"""Small tables in HTML, for notebooks: plain, escaped, in the colors of the page they are in."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

from ._text import one_line

__all__ = ["facts", "folded", "table"]

_LEFT = ' style="text-align: left"'


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first cell of each row names it.

    >>> print(table("1 < 2", ["run", "best"], [["a", "0.5"]]))
    <table><caption style="text-align: left">1 &lt; 2</caption><thead><tr>\
<th scope="col" style="text-align: left">run</th><th scope="col">best</th></tr></thead><tbody><tr>\
<th scope="row" style="text-align: left">a</th><td>0.5</td></tr></tbody></table>
    """
    first, *others = headings
    head = _cell("th", first, f' scope="col"{_LEFT}')
    head += "".join(_cell("th", heading, ' scope="col"') for heading in others)
    body = "".join(f"<tr>{_row(row, '')}</tr>" for row in rows)
    return (
        f"<table>{_cell('caption', caption, _LEFT)}<thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def facts(caption: str, told: Mapping[str, str]) -> str:
    """A table of two columns: names, and the text that belongs to each."""
    body = "".join(f"<tr>{_row(row, _LEFT)}</tr>" for row in told.items())
    return f"<table>{_cell('caption', caption, _LEFT)}<tbody>{body}</tbody></table>"


def folded(summary: str, text: str) -> str:
    """A text that is shown when its summary is clicked."""
    lines = "\n".join(map(one_line, text.splitlines()))
    return (
        f"<details>{_cell('summary', summary)}"
        f'<pre style="white-space: pre-wrap">{html.escape(lines)}</pre></details>'
    )


def _row(cells: Sequence[str], how: str) -> str:
    first, *others = cells
    named = _cell("th", first, f' scope="row"{_LEFT}')
    return named + "".join(_cell("td", cell, how) for cell in others)


def _cell(tag: str, text: str, attributes: str = "") -> str:
    return f"<{tag}{attributes}>{html.escape(one_line(text))}</{tag}>"
