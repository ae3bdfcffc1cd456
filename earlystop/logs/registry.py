"""All known formats: those in `formats/`, found by listing the folder, and the user's own."""

from __future__ import annotations

import contextlib
import functools
import importlib
import pkgutil
import re
from collections.abc import Iterator

from .._arguments import argument
from ..errors import LogError, name_advice
from . import formats as formats_package
from .glance import is_numbers_alone, is_prose
from .json_text import NoDocument
from .known_names import prints_a_loss
from .log_format import LogFormat
from .source import Source

__all__ = ["find_format", "formats", "preserved", "recognised_format", "register"]


_own: list[LogFormat] = []  # the user's own, in order of registration; tried before the built-in


@functools.cache
def _library_formats() -> tuple[LogFormat, ...]:
    """The FORMAT of every module in `formats/`, in the order in which they are tried."""
    names = (module.name for module in pkgutil.iter_modules(formats_package.__path__))
    modules = (importlib.import_module(f"{formats_package.__name__}.{name}") for name in names)
    found = (module.FORMAT for module in modules if hasattr(module, "FORMAT"))
    return tuple(sorted(found, key=lambda format: format.order))


def formats() -> list[LogFormat]:
    """All known formats, in the order in which they are tried.

    >>> "keras_history" in [format.name for format in formats()]
    True
    """
    return [*_own, *_library_formats()]


@contextlib.contextmanager
def preserved() -> Iterator[None]:
    """Forget the formats registered in the block when it ends; for tests."""
    before = list(_own)
    try:
        yield
    finally:
        _own[:] = before


def register(format: LogFormat) -> LogFormat:
    """Add your own format, which is tried before the built-in ones. Returns it.

    Raises LogError if a format of this name exists.

    >>> import earlystop as es
    >>> def read(log):
    ...     rows = log.rows()
    ...     for number, line in log.lines():
    ...         if number > 1:
    ...             rows.add({"loss": float(line)})
    ...     yield rows.run()
    >>> mine = es.logs.LogFormat("mine", lambda log: log.head.startswith(b"MY LOG"), read)
    >>> _ = es.logs.register(mine)
    >>> import io
    >>> es.read_history(io.BytesIO(b"MY LOG\\n0.5\\n0.25\\n")).metrics["loss"].tolist()
    [[0.5, 0.25]]
    """
    if any(format.name == known.name for known in formats()):
        raise LogError(f"a format {format.name!r} exists already")
    _own.append(format)
    return format


def find_format(name: str) -> LogFormat:
    """The format of this name. Raises LogError, listing the known names, if unknown."""
    for known in formats():
        if known.name == name:
            return known
    names = [known.name for known in formats() if known.name != "refused"]
    raise LogError(f"no format {name!r}: {name_advice(name, names, 'formats')}")


def recognised_format(log: Source, *, among_others: bool = False) -> LogFormat:
    """The format of a log, recognised by its content. Raises LogError for an unknown format.

    among_others: whether it was found in a folder, where most texts are no logs, which a glance
        shows.
    """
    if among_others and not _own and log.options.pattern is None:
        if is_prose(log):
            raise _unknown_text(log, not_a_log=True)
        if is_numbers_alone(log):
            raise log.wrong("numbers without names: not a log", not_a_log=True)
    for known in formats():
        if known.recognise(log):
            return known
    document = log.document
    if not isinstance(document, NoDocument):
        raise log.wrong(
            "JSON of no known format: expected lists of numbers by metric, or one record per epoch",
            not_a_log=True,
        )
    if document.error and _begins_like_json(log.text, document):
        raise log.wrong(f"expected JSON: {document.error}", document.position)
    if not log.text:
        message = log.text_error or "expected a log, got a file of no known format"
        raise log.wrong(message, not_a_log=True)
    if log.text_error:
        raise log.wrong(log.text_error, not_a_log=not prints_a_loss(log.text))
    raise _unknown_text(log, not_a_log=not prints_a_loss(log.text))


def _unknown_text(log: Source, *, not_a_log: bool) -> LogError:
    return log.wrong(
        f"plain text of no known format: pass {argument('pattern')}, a regular expression with a "
        r"named group for each metric, such as 'loss=(?P<loss>\S+)'; `earlystop metrics FILE "
        "--propose` and `es.logs.propose_patterns` propose one",
        not_a_log=not_a_log,
    )


def _begins_like_json(text: str, document: NoDocument) -> bool:
    """Is this JSON with an error, rather than text that happens to begin with a bracket?"""
    if document.error.startswith("Extra data") and document.position.startswith("line 1 "):
        return False  # [0] train-rmse:0.5
    return _JSON.match(text) is not None


_VALUE = (
    r"""(["\[{\]]|(-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|null|NaN|-?Infinity)\s*([,\]]|$)|$)"""
)
_JSON = re.compile(rf"""\ufeff?\s*(\{{\s*(["}}]|$)|\[\s*{_VALUE})""")
