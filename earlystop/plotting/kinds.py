"""The kinds of files that pictures and reports are written as, by the ending of the name."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import PurePath

from ..errors import RuleError

__all__ = ["PAGE_KINDS", "PICTURE_KINDS", "REPORT_KINDS", "kind_of"]

PICTURE_KINDS = ("png", "svg", "pdf", "eps", "jpg", "jpeg", "tif", "tiff", "webp")
"""What matplotlib writes without further programs."""

PAGE_KINDS = ("html", "htm")
"""What a page is written as."""

REPORT_KINDS = (*PAGE_KINDS, "pdf")
"""What a report is written as: a page, or a page that a browser has printed."""


def kind_of(path: str | os.PathLike[str], kinds: Collection[str]) -> str:
    """The kind of a file that is to be written, by the ending of its name, in lower case.

    kinds: the kinds to choose from.

    Raises RuleError, which lists the kinds, for any other ending and for none.

    >>> kind_of("runs/v1.2/picture.PDF", PICTURE_KINDS)
    'pdf'
    >>> kind_of("report.pdf", PAGE_KINDS)
    Traceback (most recent call last):
        ...
    earlystop.errors.RuleError: 'report.pdf' should end in .html or .htm: the ending says which \
kind of file is written
    """
    kind = PurePath(path).suffix.lower().removeprefix(".")
    if kind not in kinds:
        *most, last = (f".{kind}" for kind in kinds)
        raise RuleError(
            f"{os.fspath(path)!r} should end in {', '.join(most)} or {last}: the ending says which "
            "kind of file is written"
        )
    return kind
