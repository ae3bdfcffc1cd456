"""Tables and JSON lines are read by columns where that is faster: what comes out is the same."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import earlystop as es
from earlystop.logs import arrow_cells, table_reading, text_lines
from earlystop.logs.formats import json_lines
from tests.logs.reading import read

pyarrow_csv = importlib.import_module("pyarrow.csv")

odd = st.sampled_from(
    [
        *("", " ", "nan", "NaN", "-nan", "inf", "-Infinity", "None", "NA", "#N/A", "-", "null"),
        *(
            "1e400",
            "-1e400",
            "1e-400",
            "4.9e-324",
            "1_0",
            " 1.5 ",
            "1.5\x1d",
            "+1",
            "1.",
            ".5",
            "-0.0",
            "0x1p3",
        ),
        *(
            "1.#INF",
            "nan(ind)",
            "12.5%",
            "1e5",
            "1E5",
            "1d5",
            "abc",
            "true",
            "tensor(0.5)",
            "\u0663",
        ),
        *(
            "9007199254740993",
            "0.1e1",
            "1e",
            "--1",
            "1.5.2",
            "1 2",
            "infinity",
            "nan(1)",
            "i",
            "inf2",
        ),
    ]
)

number = st.floats().map(repr) | st.integers(-(2**70), 2**70).map(str)

tables = st.tuples(
    st.sampled_from([",", ";", "\t", "|", " "]),
    st.lists(
        st.tuples(*(number | odd if place else number for place in range(3))),
        min_size=1,
        max_size=8,
    )
    | st.lists(st.tuples(number, number | st.just(""), number), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
    st.sampled_from(["", "\n", "# a comment\n", "epoch,loss,acc\n", '"', "0,1\n", "0,1"]),
)


@contextmanager
def as_it_is(module: Any, **replaced: Any) -> Iterator[None]:
    """Nothing but the careful way, or one of the faster ones."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in replaced.items():
            patch.setattr(module, name, value)
        yield


def outcome(text: str) -> Any:
    """All there is to know about a history, or the error."""
    try:
        history = read(text)
    except es.EarlystopError as error:
        return str(error)
    found: list[Any] = [history.names, history.lengths.tolist(), str(history.report)]
    for name in history.metrics:
        reported = history.reported(name)
        found.append((name, reported.tolist(), history.metrics[name][reported].tobytes()))
    return [*found, {name: values.tobytes() for name, values in history.coordinates.items()}]


@given(tables, st.sampled_from(["acc", "précision"]), st.booleans(), st.integers(1, 40))
@example((",", [("0", "1", "2"), ("1", "", "nan")], "\n", ""), "acc", True, 1)
@example((",", [("0", "0.1", "2"), ("1", "1_0", "3")], "\n", ""), "acc", True, 1)
@example((",", [("0", "1.5\x1d", "2"), ("1", "1", "3")], "\n", ""), "acc", True, 1)
@example((",", [("0", "0.1", ""), ("1", "", ""), ("2", "", "3")], "\n", ""), "acc", False, 20)
def test_a_table_is_the_same_row_by_row_in_blocks_and_by_pyarrow(
    table: tuple[str, list[tuple[str, ...]], str, str], name: str, long: bool, block: int
) -> None:
    separator, rows, end, tail = table
    lines = [separator.join(("epoch", "loss", name)), *(separator.join(row) for row in rows)]
    text = end.join(lines) + "\n" + tail.replace(",", separator)
    row_by_row = {
        "_numbers": lambda self, block: None,
        "_split": lambda self, block: not block.text,
    }
    with as_it_is(table_reading._Reader, **row_by_row):
        expected = outcome(text)
    with as_it_is(arrow_cells, _library=lambda size: None):
        assert outcome(text) == expected
    assert outcome(text) == expected
    with as_it_is(arrow_cells, _LONG=0 if long else len(text)):
        assert outcome(text) == expected
        with as_it_is(text_lines, _FIRST=block, _CHUNK=block, _IN_CACHE=block):
            assert outcome(text) == expected
    with as_it_is(text_lines, _SHORT=block):
        assert outcome(text) == expected


value = (
    st.none()
    | st.floats()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([10**400, True, "0.5", "nan", "text", [1.5], [], {"a": 1}, {}])
)

records = st.lists(
    st.dictionaries(
        st.sampled_from(["epoch", "loss", "val/loss", "acc", " loss", "", "run", "mode"]), value
    )
    | st.fixed_dictionaries({"epoch": st.integers(0, 9), "loss": st.floats()}),
    min_size=2,
    max_size=8,
)


@given(records, st.sampled_from(["\n", "\r\n", "\n\n", " \n"]), st.sampled_from(["", '{"ep', "x"]))
def test_json_lines_are_the_same_record_by_record_and_by_columns(
    rows: list[dict[str, Any]], end: str, tail: str
) -> None:
    text = "".join(json.dumps(row) + end for row in rows) + tail
    with as_it_is(json_lines, run_of_lines=lambda log: None):
        expected = outcome(text)
    assert outcome(text) == expected


@pytest.mark.parametrize("arrow", [True, False])
def test_long_tables_and_lines_are_read_over_the_ends_of_blocks(arrow: bool) -> None:
    values = np.random.default_rng(1).standard_normal(60_000)
    table = "epoch,loss,acc\n" + "".join(f"{n},{v!r},\n" for n, v in enumerate(values.tolist()))
    lines = "".join(f'{{"epoch": {n}, "loss": {v!r}}}\n' for n, v in enumerate(values.tolist()))
    with as_it_is(arrow_cells, _library=arrow_cells._library if arrow else lambda size: None):
        for text in (table, table.replace("\n", "\r\n"), table.replace("\n", "\r"), lines):
            history = read(text)
            assert history.metrics["loss"].tobytes() == values.tobytes()
            assert history.coordinates["epoch"].tolist() == [[*range(60_000)]]
            assert "acc" not in history.metrics


def test_what_is_wrong_far_down_is_told_with_its_line() -> None:
    rows = "".join(f"{n},0.5\n" for n in range(100_000))
    for bad, words in (("7,oops\n", "column 'loss'"), ("7\n", "expected 2 cells")):
        with pytest.raises(es.LogError, match=words) as caught:
            read(f"epoch,loss\n{rows}{bad}8,0.5\n")
        assert caught.value.place == "line 100002"
        with pytest.warns(es.LogWarning):
            assert read(f"epoch,loss\n{rows}{bad}8,0.5\n", on_error="skip").lengths == [100_000]
