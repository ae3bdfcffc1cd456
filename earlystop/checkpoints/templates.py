"""Templates of file names, such as "{epoch:04d}-{val_loss:.4f}.pt".

Widths and precisions are bounded before anything is formatted: one of millions would take as many
bytes of memory, only to find that the name is too long.
"""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import MissingMetricError, RuleError, name_advice, shortened
from ..language.positions import CHECK, EPOCH, STEP
from ..language.settings import validated
from .names import LONGEST, NameTooLongError, checked_name

__all__ = ["checked_template", "format_name", "template_fields"]

_LONGEST_TEMPLATE = 4096  # characters; the names of metrics in it may be longer than the file name
# The format of a number, as `format` takes it. Not "c", a character, which may be any.
_SPEC = re.compile(
    r"(?:(?P<fill>.?)[<>=^])?[-+ ]?z?\#?(?P<width>[0-9]*)[_,]?"
    r"(?:\.(?P<precision>[0-9]+)[_,]?)?[bdoxXneEfFgG%]?",
    re.DOTALL,
)
_SHORT = ".6g"  # at most 13 characters for any float


class _Piece(NamedTuple):
    """Text of a template, and the field that follows it, if one does."""

    text: str
    field: str | None
    spec: str


def format_name(template: str, values: Mapping[str, Any], missing: str | None = None) -> str:
    """The file name that a template gives for these values, which must be numbers.

    A field is the full name of a value, such as `val/loss`; attributes and items are not looked up.
    If a float is so large that the name would be too long, such as 1e300 in {loss:.2f}, all floats
    are written with 6 digits, as 1e+300.

    missing: what is written for a field without a value, such as "none", whatever its format; by
        default, it is an error.

    Raises MissingMetricError for a field without a value, RuleError if the result is not a plain
    file name.

    >>> format_name("{epoch:04d}-{val/loss:.4f}.keras", {"epoch": 7, "val/loss": 0.25})
    '0007-0.2500.keras'
    >>> format_name("{epoch:04d}-{val/loss:.4f}.keras", {"epoch": 7}, missing="none")
    '0007-none.keras'
    """
    try:
        return _filled(template, values, missing)
    except NameTooLongError:
        return _filled(template, values, missing, float_spec=_SHORT)


def template_fields(template: str) -> tuple[str, ...]:
    """The names of the values that a template asks for, without repetition.

    Raises RuleError for text that is not a template.

    >>> template_fields("{epoch:04d}-{val_loss:.4f}.pt")
    ('epoch', 'val_loss')
    """
    fields = (piece.field for piece in _parsed(template))
    return tuple(dict.fromkeys(field for field in fields if field is not None))


def checked_template(template: str, missing: str | None = None) -> str:
    """The template. Raises RuleError unless it tells checks apart and gives plain file names.

    missing: as for `format_name`.
    """
    template = validated(str, template, "Checkpoints(name=...)")
    fields = template_fields(template)
    numbers = dict.fromkeys((EPOCH, STEP, CHECK), 0)
    if not set(numbers) & set(fields):
        raise RuleError(
            f"`Checkpoints(name={shortened(template)})` gives all epochs one name: put {{epoch}} "
            "into it"
        )
    _filled(template, {**dict.fromkeys(fields, 0.5), **numbers}, None)
    if missing is not None:
        _filled(template, numbers, validated(str, missing, "Checkpoints(missing=...)"))
    return template


def _filled(
    template: str, values: Mapping[str, Any], missing: str | None, float_spec: str | None = None
) -> str:
    pieces = []
    for text, field, spec in _parsed(template):
        pieces.append(text)
        if field is None:
            continue
        if field in values:
            value = values[field]
            is_float = float_spec is not None and isinstance(value, float)
            pieces.append(_written(value, float_spec or "" if is_float else spec, field, template))
        elif missing is not None:
            pieces.append(missing)
        else:
            raise MissingMetricError(
                f"the file name {shortened(template)} asks for {shortened(field)}: "
                f"{name_advice(field, values)}"
            )
    return checked_name("".join(pieces), template)


def _written(value: Any, spec: str, field: str, template: str) -> str:
    try:
        return format(value, spec)
    except (ValueError, TypeError, OverflowError) as error:
        within = field in (EPOCH, STEP) and isinstance(value, float)
        hint = f"; write a fraction as {{{field}:.3f}}, or put {{check}} in its place"
        raise RuleError(
            f"the file name {shortened(template)}: {shortened(field)} = {shortened(value)} cannot "
            f"be written as {shortened(spec)} ({error}){hint if within else ''}"
        ) from None


@functools.lru_cache(maxsize=64)
def _parsed(template: str) -> tuple[_Piece, ...]:
    if len(template) > _LONGEST_TEMPLATE:
        raise RuleError(
            f"the file name {shortened(template)} is too long: {len(template)} characters"
        )
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise RuleError(f"the file name {shortened(template)} is not a template: {error}") from None
    pieces: list[_Piece] = []
    for text, field, spec, conversion in parsed:
        if field == "" or conversion or "{" in (spec or ""):
            raise RuleError(
                f"the file name {shortened(template)}: a field is written {{name}} or "
                "{name:format}, such as {epoch:04d} or {val_loss:.4f}"
            )
        fill = _checked_fill(spec or "", template)
        checked_name(("x" if pieces or text else "") + fill + "x", template)
        pieces.append(_Piece(text, field, spec or ""))
    return tuple(pieces)


def _checked_fill(spec: str, template: str) -> str:
    """The character with which a format fills its width, if it names one."""
    found = _SPEC.fullmatch(spec)
    if found is None:
        raise RuleError(
            f"the file name {shortened(template)}: {shortened(spec)} is not the format of a "
            "number; write one such as 04d or .4f"
        )
    for what in ("width", "precision"):
        digits = (found[what] or "").lstrip("0")
        if len(digits) > len(str(LONGEST)) or int(digits or "0") > LONGEST:
            raise RuleError(
                f"the file name {shortened(template)} gives one that is too long: a {what} of "
                f"{digits[:20]}{'...' if digits[20:] else ''}; file names have at most {LONGEST} "
                "bytes"
            )
    return found["fill"] or ""
