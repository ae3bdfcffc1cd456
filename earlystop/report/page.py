"""Pages: a filled template with its style, script and data in it, as one file.

A policy in the head of a page forbids the browser to fetch anything, and to run any script but the
one whose hash it names. Text from logs goes in as text, which the template engine (jinja2, with
autoescape) escapes, or as JSON without a character that HTML would act on.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
from typing import TYPE_CHECKING, Any

from .._text import one_line
from ..plotting import picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["page_with", "render"]

_SCRIPTS = ("format.js", "data.js", "chart.js", "tradeoff.js", "run.js", "table.js", "report.js")
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def render(data: Any = None, **values: Any) -> str:
    """The page as HTML. data: what the script reads. Raises ImportError without jinja2."""
    from .. import __version__

    script = "" if data is None else _script()
    return str(
        _template().render(
            version=__version__,
            style=_resource("report.css"),
            script=script,
            policy=_policy(script),
            data=json_for_page(data),
            **values,
        )
    )


def page_with(figure: Figure, title: str) -> str:
    """A page with one picture."""
    encoded = base64.b64encode(picture(figure, "svg")).decode()
    return render(title=title, headline=title, picture=encoded)


def json_for_page(data: Any) -> str:
    """JSON data that can stand in a page: no text in it can end its element.

    >>> json_for_page({"name": "</script>"})
    '{"name":"\\\\u003c/script\\\\u003e"}'
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return text.translate(_ESCAPES)


def _script() -> str:
    """The files of the script as one."""
    parts = "\n".join(_resource(name) for name in _SCRIPTS)
    return f"(function () {{\n'use strict';\n{parts}\n}}());\n"


def _policy(script: str) -> str:
    """What the browser may load and run."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'"
    return policy


def _resource(name: str) -> str:
    """A file of this package as text, with line ends as browsers hash them."""
    text = importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


def _template() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("a report needs jinja2: pip install jinja2") from error
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.DictLoader({"tables": _resource("tables.html.jinja")}),
    )
    environment.filters |= {"line": one_line}
    return environment.from_string(_resource("report.html.jinja"))
