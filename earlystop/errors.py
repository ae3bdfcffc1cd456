"""The errors this library raises, each also a built-in error that callers may already catch."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "CheckpointError",
    "EarlystopError",
    "HistoryError",
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
    """A rule was given a setting that it cannot have, or breaks the contract of rules."""


class RuleTypeError(RuleError, TypeError):
    """A rule was given a setting of the wrong type."""


class MetricError(EarlystopError, TypeError):
    """A reported metric is not one real number."""


class MissingMetricError(EarlystopError, KeyError):
    """A rule asks for a metric that was not reported."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message quoted


class StoppedError(EarlystopError, RuntimeError):
    """A stopper that has stopped was asked for another epoch."""


class StateError(EarlystopError, ValueError):
    """A saved state cannot be loaded: damaged, of other rules, or of a newer version."""


class CheckpointError(EarlystopError, OSError):
    """A checkpoint cannot be written, read or found, or its folder is in use."""


class HistoryError(EarlystopError, ValueError):
    """Logged metrics do not form a history: wrong shapes, lengths or values."""


def name_advice(name: str, known: Iterable[str], what: str = "metrics") -> str:
    """Say which names there are, and which one is nearest to `name`.

    >>> name_advice("val_los", ["loss", "val_loss"])
    "the metrics there are: loss, val_loss; did you mean 'val_loss'?"
    """
    import difflib  # only where something has gone wrong

    names = sorted(map(str, known))
    if not names:
        return f"there are no {what} at all"
    advice = f"the {what} there are: {', '.join(names)}"
    by_lower_case = {known_name.lower(): known_name for known_name in names}
    nearest = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return f"{advice}; did you mean {by_lower_case[nearest[0]]!r}?" if nearest else advice
