"""The errors this library raises, each also a built-in error that callers may already catch."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from types import FrameType

__all__ = [
    "CheckpointError",
    "CheckpointWarning",
    "DatasetError",
    "EarlystopError",
    "HistoryError",
    "LogError",
    "LogWarning",
    "MetricError",
    "MissingMetricError",
    "RuleError",
    "RuleTypeError",
    "StateError",
    "StoppedError",
]


class EarlystopError(Exception):
    """Base of every error that this library raises on purpose."""


class RuleError(EarlystopError, ValueError):
    """A rule was given an invalid setting, or breaks the contract of rules."""


class RuleTypeError(RuleError, TypeError):
    """A rule was given a setting of the wrong type."""


class MetricError(EarlystopError, TypeError):
    """A reported metric is not one real number."""


class MissingMetricError(EarlystopError, KeyError):
    """A rule needs a metric that was not reported."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would quote the message


class StoppedError(EarlystopError, RuntimeError):
    """A stopper that has stopped was given another epoch."""


class StateError(EarlystopError, ValueError):
    """A saved state cannot be loaded: it is damaged, of other rules, or of a newer version."""


class CheckpointError(EarlystopError, OSError):
    """A checkpoint cannot be written, read or found, or its folder is in use."""


class HistoryError(EarlystopError, ValueError):
    """Logged metrics do not form a history: wrong shapes, lengths or values."""


class DatasetError(EarlystopError, RuntimeError):
    """The work on a part of a data set failed; the message names the part."""


class LogError(HistoryError):
    """A training log cannot be read; the message names the log, the position and what was expected.

    source: the file, or a name for another source.
    place: the position in it, such as "line 12"; "" for all of it.
    not_a_log: whether the source is fine, but does not hold a history of metrics.
    """

    def __init__(
        self, message: str, source: str = "", place: str = "", *, not_a_log: bool = False
    ) -> None:
        # Either may quote names from the log, which may be of any length.
        message, place = _cut(message, 3000), _cut(place, 200)
        where = ", ".join(part for part in (source, place) if part)
        super().__init__(f"{where}: {message}" if where else message)
        self.message, self.source, self.place = message, source, place
        self.not_a_log = not_a_log

    def __reduce__(self) -> tuple[object, ...]:
        arguments = (self.message, self.source, self.place)
        return _log_error, (*arguments, self.not_a_log)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _log_error(message: str, source: str, place: str, not_a_log: bool) -> LogError:
    return LogError(message, source, place, not_a_log=not_a_log)


class LogWarning(UserWarning):
    """Part of a training log was left out, or may not be what it seems."""


class CheckpointWarning(UserWarning):
    """A checkpoint of a run that goes on is gone, or cannot be read."""


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn, and point at the line outside this library that led here."""
    level = 1
    frame: FrameType | None = sys._getframe(0)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == "earlystop":
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def name_advice(name: str, known: Iterable[str], what: str = "metrics") -> str:
    """List the known names, and say which is nearest to `name`.

    >>> name_advice("val_los", ["loss", "val_loss"])
    "available metrics: loss, val_loss; did you mean 'val_loss'?"
    """
    import difflib  # only where something has gone wrong

    names = sorted(map(str, known))
    if not names:
        return f"there are no {what} at all"
    advice = f"available {what}: {', '.join(name[:_NAME] for name in names[:_NAMES])}"
    if len(names) > _NAMES:
        advice += f", ... ({len(names):,} in all)"
    containing = _containing(name, names[:_COMPARED])
    if containing:
        return f"{advice}; did you mean {' or '.join(map(repr, containing[:3]))}?"
    by_lower_case = {known_name.lower(): known_name for known_name in names[:_COMPARED]}
    nearest = difflib.get_close_matches(name[:_NAME].lower(), by_lower_case, n=1)
    return f"{advice}; did you mean {by_lower_case[nearest[0]]!r}?" if nearest else advice


def _containing(name: str, names: Sequence[str]) -> list[str]:
    """The names that consist of this one and of what tools put before and behind it, if few do.

    That is whole words: "mAP50-95" is in "metrics/mAP50-95(B)", but "map50" is not.
    """
    wanted = re.escape(name[:_NAME].strip())
    if not wanted:
        return []
    within = re.compile(
        rf"(?i)(?:.*[^a-z0-9-])?{wanted}(?:\([^)]*\)|[/_.](?:dataloader_idx_)?\d+)?$"
    )
    found = [known for known in names if within.match(known[:_NAME])]
    return found if len(found) <= 3 else []


# Comparing names takes time that grows with their square.
_NAME, _NAMES, _COMPARED = 200, 50, 1000


def shortened(value: object, most: int = 100) -> str:
    """The repr of a value in at most `most` characters, for messages that quote it.

    Whatever the value is, there is such a text: where `repr` fails (lists within lists by the
    thousand, say), it says what the value is.

    >>> shortened(10**5000), shortened("a" * 200, 20)
    ('a whole number of about 5001 digits', "'aaaaaaaaaaaaaaaa...")
    """
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"a whole number of about {value.bit_length() * 30103 // 100_000 + 1} digits"
    if isinstance(value, (str, bytes)):
        value = value[:most]  # not the repr of gigabytes
    try:
        text = repr(value)
    except Exception as error:
        text = f"a {type(value).__name__} that cannot be shown ({type(error).__name__})"
    return _cut(text, most)


_MOST_BITS = 2000
