"""The formats there are: those of `formats/`, found by listing the folder, and a user's own."""

from __future__ import annotations

import importlib

from ..errors import LogError, name_advice
from .log_format import LogFormat
from .source import Log

__all__ = ["find_format", "formats", "recognised", "register"]


# One module a format, each with its FORMAT; the first that recognises a log reads it.
_MODULES = (
    "formats.refused",
    "formats.npy",
    "formats.arrow",
    "text",
    "formats.tensorboard",
    "formats.trainer_state",
    "formats.skorch",
    "formats.autogluon",
    "formats.catboost",
    "formats.allennlp",
    "formats.run_lines",
    "formats.mmengine",
    "formats.json_lines",
    "formats.keras_history",
    "formats.evals_result",
    "records",
    "formats.mlflow",
    "formats.wandb_export",
    "formats.table",
)


_own: list[LogFormat] = []


_known: list[LogFormat] = []


def formats() -> list[LogFormat]:
    """The formats there are, in the order in which they are tried.

    >>> "keras_history" in [format.name for format in formats()]
    True
    """
    if not _known:
        for name in _MODULES:
            _known.append(importlib.import_module(f".{name}", __package__).FORMAT)
    return [*_own, *_known]


def register(format: LogFormat) -> LogFormat:
    """Add a format of your own: it is tried before the others. Returns it.

    Raises LogError if there is one of this name.

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
        raise LogError(f"there is a format {format.name!r} already")
    _own.append(format)
    return format


def find_format(name: str) -> LogFormat:
    """The format of this name. Raises LogError, with the names there are."""
    for known in formats():
        if known.name == name:
            return known
    names = [known.name for known in formats() if known.name != "refused"]
    raise LogError(f"no format {name!r}: {name_advice(name, names, 'formats')}")


def recognised(log: Log) -> LogFormat:
    """The format of a log, by its content. Raises LogError where it is of none."""
    for known in formats():
        if known.recognise(log):
            return known
    message, place = log.json_error
    if message:
        raise log.wrong(f"expected JSON: {message}", place)
    if log.document is not Log:
        raise log.wrong(
            "JSON of no known format: expected lists of numbers by metric, or one record an epoch",
            not_a_log=True,
        )
    if not log.text:
        message = log.text_error or "expected a log, got a file of no known format"
        raise log.wrong(message, not_a_log=True)
    raise log.wrong(
        "plain text of no known format: pass pattern=..., a regular expression with a named group "
        r"for each metric, such as r'loss=(?P<loss>\S+)'",
        not_a_log=True,
    )
