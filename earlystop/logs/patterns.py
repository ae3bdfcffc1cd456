"""Regular expressions with which users describe plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..errors import LogError

__all__ = ["compile_patterns"]


def compile_patterns(pattern: Any) -> tuple[re.Pattern[str], ...]:
    """Compile a pattern, or several.

    Raises LogError for an invalid regular expression, and for one without a named group.
    """
    single = isinstance(pattern, (str, re.Pattern)) or not isinstance(pattern, Iterable)
    compiled = []
    for source in [pattern] if single else pattern:
        try:
            expression = re.compile(source)
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            raise LogError(f"`pattern` must be a regular expression: {error}") from None
        if not isinstance(expression.pattern, str) or not expression.groupindex:
            raise LogError(
                "`pattern` needs a named group for each metric, such as (?P<loss>...), or two "
                f"called name and value, got {expression.pattern!r}"
            )
        compiled.append(expression)
    return tuple(compiled)
