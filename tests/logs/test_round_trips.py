"""Whatever values are written as a table or as JSON are read back."""

from __future__ import annotations

import io
import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.logs.reading import logged, read

nan = math.nan

finite = st.floats(allow_nan=False, allow_infinity=True)

cell = st.none() | finite | st.just(nan)

tables = st.integers(1, 6).flatmap(
    lambda epochs: st.dictionaries(
        st.sampled_from(
            ["loss", "val_loss", "val/AP (M)", "a,b", "metrics/mAP_0.5:0.95", "lr-Adam"]
        ),
        st.lists(cell, min_size=epochs, max_size=epochs),
        min_size=1,
    )
)


def as_read(columns: dict[str, list[float | None]], history: es.History) -> bool:
    """Does the history hold these columns, those without any value left out?"""
    for name, values in columns.items():
        there = [value is not None for value in values]
        if not any(there):
            assert name not in history.metrics
            continue
        assert history.reported(name)[0].tolist() == there
        expected = [value for value in values if value is not None]
        np.testing.assert_array_equal(logged(history, name), expected)
    return True


def some_value(columns: dict[str, list[float | None]]) -> bool:
    return any(value is not None for values in columns.values() for value in values)


@given(
    tables.filter(some_value), st.sampled_from([",", ";", "\t", "|"]), st.sampled_from("\r\n|\n")
)
def test_values_written_as_a_table_are_read_back(
    columns: dict[str, list[float | None]], separator: str, end: str
) -> None:
    import csv

    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\r\n" if end == "\r" else "\n")
    writer.writerow(["epoch", *columns])
    for epoch, row in enumerate(zip(*columns.values(), strict=True)):
        writer.writerow([epoch, *("" if v is None else repr(v) for v in row)])
    assert as_read(columns, read(text.getvalue()))


@given(tables.filter(some_value))
def test_values_written_as_json_are_read_back(columns: dict[str, list[float | None]]) -> None:
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    texts = {
        v: ("nan" if v != v else "inf" if v > 0 else "-inf")
        for values in columns.values()
        for v in values
        if v is not None and not math.isfinite(v)
    }
    strict = {n: {"y": [texts.get(v, v) for v in values]} for n, values in columns.items()}
    for text in (
        json.dumps(columns),
        json.dumps(records),
        *([lines] if len(records) > 1 else []),
        json.dumps({"id": "a", "metrics": columns}),
        json.dumps({"id": "a", "metrics": strict}) + "\n" + json.dumps({"metrics": columns}),
    ):
        history = read(text)
        assert as_read(columns, history)
        assert history.lengths[0] == len(records)
    assert as_read(columns, es.read_history(records))
    assert as_read(columns, es.read_history(columns))
