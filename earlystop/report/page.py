"""Pages: sections, filled into the template `report.html.jinja`."""

from __future__ import annotations

import base64
import importlib.resources
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._text import one_line
from ..plotting import picture
from .tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture", "Section", "render"]


class Picture:
    """A figure, encoded to be embedded in the page."""

    def __init__(self, figure: Figure, caption: str) -> None:
        self.data = base64.b64encode(picture(figure, "svg")).decode()
        self.caption = caption


@dataclass
class Section:
    """A heading with its pictures and tables."""

    title: str
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def render(**values: Any) -> str:
    """The page as HTML. Raises ImportError without jinja2."""
    from .. import __version__

    return str(_template().render(version=__version__, **values))


def _template() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("a report needs jinja2: pip install jinja2") from error
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False
    )
    environment.filters |= {"line": one_line}
    source = importlib.resources.files(__package__).joinpath("report.html.jinja")
    return environment.from_string(source.read_text(encoding="utf-8"))
