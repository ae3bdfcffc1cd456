"""Regular expressions that a user gives for plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..errors import LogError

__all__ = ["compile_patterns"]


def compile_patterns(pattern: Any) -> tuple[re.Pattern[str], ...]:
    """The regular expressions of a pattern, or of several.

    Raises LogError for one that is none, or that names no group.
    """
    single = isinstance(pattern, (str, re.Pattern)) or not isinstance(pattern, Iterable)
    made = []
    for one in [pattern] if single else pattern:
        try:
            expression = re.compile(one)
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            raise LogError(f"`pattern` must be a regular expression: {error}") from None
        if not isinstance(expression.pattern, str) or not expression.groupindex:
            raise LogError(
                "`pattern` needs a named group for each metric, such as (?P<loss>...), or two "
                f"called name and value, got {expression.pattern!r}"
            )
        made.append(expression)
    return tuple(made)
