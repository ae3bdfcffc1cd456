"""Columns as Arrow data, for polars, pandas, pyarrow and other libraries that read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["arrow_stream"]


def arrow_stream(columns: Mapping[str, Sequence[Any]], requested_schema: object | None) -> object:
    """Columns as an Arrow stream; values without an Arrow type, such as rules, become text.

    Raises ImportError if pyarrow is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError("a sweep as Arrow data needs pyarrow: pip install pyarrow") from error
    plain = (int, float, str, type(None))
    table = pyarrow.table(
        {
            name: [value if isinstance(value, plain) else repr(value) for value in values]
            for name, values in columns.items()
        }
    )
    stream: object = table.__arrow_c_stream__(requested_schema)
    return stream
