"""Names of files in a folder of checkpoints: templates, valid names, reserved names."""

from __future__ import annotations

import functools
import os
import re
import socket
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._files.names import LEDGER, LOCK, METRICS
from ..errors import MissingMetricError, RuleError, name_advice
from ..language.settings import validated

__all__ = [
    "LEDGER",
    "LOCK",
    "LONGEST",
    "UNLISTED",
    "checked_name",
    "checked_template",
    "format_name",
    "is_temporary",
    "removal_name",
    "temporary_name",
    "unlisted_temporary_name",
]

_NEW, _OLD = ".new-", ".old-"
_HOST = re.sub(r"[^\w.-]", "_", socket.gethostname())[:64]
UNLISTED = f".placing-{_HOST}-"  # followed by the process and the name
LONGEST = 255  # the bytes that file systems allow in a name
_LARGEST_PROCESS = 1 << 22


def temporary_name(name: str) -> str:
    """The temporary name of a file that the ledger will list."""
    return _NEW + name


def removal_name(name: str) -> str:
    """The name of a folder that is no longer listed, while it is being removed."""
    return _OLD + name


def unlisted_temporary_name(name: str, process: int) -> str:
    """The temporary name of a file that no ledger lists, written by this process."""
    return f"{UNLISTED}{process}-{name}"


def is_temporary(name: str) -> bool:
    """Whether this is the name of an unfinished checkpoint or ledger, or of a removed folder."""
    return name.startswith((_NEW, _OLD, f".{LEDGER}."))


def format_name(template: str, values: Mapping[str, Any]) -> str:
    """The file name that a template gives for these values, which are numbers.

    A field is the full name of a value, such as `val/loss`; attributes and items are not looked up.

    Raises MissingMetricError for a field without a value, RuleError if the result is not a plain
    file name.

    >>> format_name("{epoch:04d}-{val/loss:.4f}.keras", {"epoch": 7, "val/loss": 0.25})
    '0007-0.2500.keras'
    """
    pieces = []
    for text, field, spec in _parsed(template):
        pieces.append(text)
        if field is None:
            continue
        if field not in values:
            raise MissingMetricError(
                f"the file name {template!r} asks for {field!r}: {name_advice(field, values)}"
            )
        try:
            pieces.append(format(values[field], spec))
        except ValueError as error:
            raise RuleError(
                f"the file name {template!r}: {field}={values[field]!r} cannot be written as "
                f"{spec!r} ({error})"
            ) from None
    return checked_name("".join(pieces), template)


def checked_template(template: str) -> str:
    """The template. Raises RuleError unless it has an `epoch` field and gives plain file names."""
    template = validated(str, template, "Checkpoints(name=...)")
    names = {field for _, field, _ in _parsed(template) if field is not None}
    if "epoch" not in names:
        raise RuleError(
            f"`Checkpoints(name={template!r})` gives all epochs one name: put {{epoch}} into it"
        )
    format_name(template, {**dict.fromkeys(names, 0.5), "epoch": 0})
    return template


def checked_name(name: str, template: str) -> str:
    """The name. Raises RuleError unless it is that of a file directly in the folder.

    template: for errors.
    """
    reserved = name.casefold() in (LEDGER, METRICS) or name.startswith(".")
    # Path(...).name drops separators and drives of this system.
    if reserved or re.search(r"[/\\\x00-\x1f]", name) or name != Path(name).name:
        raise RuleError(
            f"the file name {template!r} gives {name!r}: it must be one plain name in the folder, "
            f"not begin with a dot, and not be {LEDGER} or {METRICS}"
        )
    if len(os.fsencode(unlisted_temporary_name(name, _LARGEST_PROCESS))) > LONGEST:
        raise RuleError(f"the file name {template!r} gives one that is too long: {name!r}")
    return name


@functools.lru_cache(maxsize=64)
def _parsed(template: str) -> tuple[tuple[str, str | None, str], ...]:
    """The fields of a template, as (text before it, field, format)."""
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise RuleError(f"the file name {template!r} is not a template: {error}") from None
    for _, field, spec, conversion in parsed:
        if field == "" or conversion or (spec and "{" in spec):
            raise RuleError(
                f"the file name {template!r}: a field is written {{name}} or {{name:format}}, "
                "such as {epoch:04d} or {val_loss:.4f}"
            )
    return tuple((text, field, spec or "") for text, field, spec, _ in parsed)
