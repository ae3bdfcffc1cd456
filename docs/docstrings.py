"""A Sphinx extension that reads this library's docstrings as reStructuredText.

They are plain text of a few forms: paragraphs; items (`name: what it is`, further lines indented);
lists; indented blocks, which are shown as they are; examples. `code` within them becomes a link
where it names something that has a place in the reference.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

__all__ = ["as_rst", "setup"]

_ITEM = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*): (?=\S)")
_NAME = re.compile(r"[A-Za-z_][\w.]*")


def as_rst(docstring: str) -> str:
    """The docstring as reStructuredText.

    >>> print(as_rst("Fires at `n`.\\n\\nn: above 0;\\n    a whole number").strip())
    Fires at :py:obj:`n`.
    <BLANKLINE>
    ``n``
        above 0;
        a whole number
    """
    blocks = re.split(r"\n\s*\n", docstring.strip("\n"))
    return "\n\n".join(_block(block) for block in blocks) + "\n"


def _block(block: str) -> str:
    if block.lstrip().startswith(">>>"):
        return block
    if block.startswith((" ", "\t")):
        lines = "\n".join(f"    {line}" for line in block.splitlines())
        return f".. code-block:: text\n\n{lines}"
    if _ITEM.match(block) and not block.startswith("Raises"):
        return "\n".join(map(_item, _groups(block)))
    if block.startswith("- "):
        return "\n".join(_inline(item) for item in _groups(block))
    return _inline(block)


def _groups(block: str) -> list[str]:
    """The lines of a block, each with the indented ones that follow."""
    return re.split(r"\n(?=\S)", block)


def _item(text: str) -> str:
    match = _ITEM.match(text)
    if match is None:  # a paragraph that follows without an empty line
        return _inline(text)
    head = ", ".join(f"``{name}``" for name in match[1].split(", "))
    first, *rest = text[match.end() :].split("\n")
    body = "\n".join([first, *(line.strip() for line in rest)])
    return f"{head}\n" + "\n".join(f"    {line}" for line in _inline(body).split("\n")) + "\n"


def _inline(text: str) -> str:
    """Code in backticks, and characters that mean something in reStructuredText as they are."""
    parts = text.split("`")
    for index, part in enumerate(parts):
        if index % 2:
            parts[index] = f":py:obj:`{part}`" if _NAME.fullmatch(part) else f"``{part}``"
        else:
            parts[index] = re.sub(r"([*|\\]|_(?=\W|$))", r"\\\1", part)
            if index > 0 and re.match(r"\w", parts[index]):
                parts[index] = "\\ " + parts[index]  # no code runs on into a word
    return "".join(parts)


def _read(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_rst("\n".join(lines)).split("\n")


def _signature(
    app: Any, what: str, name: str, thing: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """A class's signature as Python has it, without types: the docstring gives them in words."""
    if what != "class" or issubclass(thing, tuple):
        return None
    parameters = [_plain(one) for one in inspect.signature(thing).parameters.values()]
    return str(inspect.Signature(parameters)), ""


class _Name:
    """A default that a signature tells by its name, as in `clock=time.monotonic`."""

    def __init__(self, thing: Any) -> None:
        name = getattr(thing, "__qualname__", "...")
        module = getattr(thing, "__module__", "builtins")
        self._name = name if module == "builtins" or name == "..." else f"{module}.{name}"

    def __repr__(self) -> str:
        return self._name


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter without its type; a default whose repr is no Python is named, or left open.

    >>> print(inspect.Signature([_plain(inspect.Parameter("sink", 3, default=print))]))
    (*, sink=print)
    """
    default = parameter.default
    if default is not inspect.Parameter.empty and repr(default).startswith("<"):
        parameter = parameter.replace(default=_Name(default))
    return parameter.replace(annotation=inspect.Parameter.empty)


def _is_left_out(
    app: Any, what: str, name: str, thing: Any, skip: bool, options: Any
) -> bool | None:
    """The fields of a named tuple, which its docstring tells better than "Alias for field 0"."""
    return True if str(inspect.getdoc(thing)).startswith("Alias for field number") else None


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _read)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _is_left_out)
    return {"parallel_read_safe": True}
