"""Tables show every number in full at any width, and stay within the width if that is possible."""

from __future__ import annotations

import contextlib
import io
import math
import re
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlystop.cli.tables import print_table
from tests.cli.running import MONITOR, good, log

NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9).map("{:,}".format),
    st.floats(allow_nan=False).map("{:.6g}".format),
    st.sampled_from(["-", "nan", "99.5%", "0.0001536"]),
)
WORDS = st.text("ab/_損", min_size=1, max_size=60)


def printed(width: int | None, *arguments: object, **options: object) -> list[str]:
    environment = {"COLUMNS": "" if width is None else str(width)}
    out = io.StringIO()
    with mock.patch.dict("os.environ", environment), contextlib.redirect_stdout(out):
        print_table(*arguments, **options)
    return out.getvalue().splitlines()


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    columns = draw(st.integers(1, 7))
    rows = draw(st.integers(1, 3))
    names = draw(st.lists(WORDS, min_size=rows, max_size=rows))
    cells = [draw(st.lists(NUMBERS, min_size=columns, max_size=columns)) for _ in range(rows)]
    headings = draw(st.lists(WORDS.map(lambda word: word[:8]), min_size=columns, max_size=columns))
    return ["<name", *headings], [[name, *row] for name, row in zip(names, cells, strict=True)]


@given(tables(), st.integers(1, 200))
def test_every_number_is_there_in_full_at_any_width(
    table: tuple[list[str], list[list[str]]], width: int
) -> None:
    headings, rows = table
    words = re.split(r"[\s|]+", "\n".join(printed(width, headings, rows)))
    for cell in {cell for row in rows for cell in row[1:]}:
        assert words.count(cell) >= sum(row[1:].count(cell) for row in rows), (cell, words)


@given(tables(), st.integers(1, 200))
def test_no_line_is_wider_than_it_must_be(
    table: tuple[list[str], list[list[str]]], width: int
) -> None:
    headings, rows = table
    lines = printed(width, headings, rows)
    widest = max(len(cell) for column in (headings[1:], *(r[1:] for r in rows)) for cell in column)
    assert max(map(len, lines)) <= max(width, 16 + 2 + 2 * widest)


@pytest.mark.parametrize("width", [20, 80, None])
def test_a_title_and_a_caption_are_printed_once_and_in_full(width: int | None) -> None:
    title, caption = "Patience('loss', min_delta=0.00012345) on 3 runs", "*: the knee, of 1,234,567"
    row = ["a", *["1234567"] * 12]
    lines = printed(width, ["<run", *"abcdefghijkl"], [row], title=title, caption=caption)
    assert lines[0] == title
    assert lines.count(caption) == 1


def test_a_file_or_a_pipe_has_no_width() -> None:
    rows = [["a" * 300, *[f"{math.pi * 10**n:.12g}" for n in range(40)]]]
    lines = printed(None, ["<run", *map(str, range(40))], rows)
    assert re.split(r"[\s|]+", lines[2]) == rows[0]


def test_a_table_that_does_not_fit_goes_on_below_with_the_columns_that_name_the_rows() -> None:
    headings = ["<", "patience", *(f"column {n}" for n in range(6))]
    rows = [["*", "5", *["0.123456"] * 6], ["", "17", *["-1e-100"] * 6]]
    lines = printed(40, headings, rows, names=2)
    assert sum("patience" in line for line in lines) == 3
    assert sum(line.startswith("*") for line in lines) == 3
    assert sum(re.match(r"[\s|]+17\b", line) is not None for line in lines) == 3


@pytest.mark.parametrize(
    "command",
    [
        ["metrics"],
        ["replay", "--patience", "1,2,5"],
        ["replay", "--patience", "2"],
        ["sweep", "--patience", "1:9", "--min-delta", "0,0.00012345"],
    ],
)
def test_commands_print_the_same_numbers_at_any_width(tmp_path: Path, command: list[str]) -> None:
    for run in range(3):
        values = [-9.87654e-05 * (1 + (epoch * 7 % 11) / 7 + run / 9) for epoch in range(30)]
        log(tmp_path / "runs" / f"{run}.csv", values)
    monitor = [] if command == ["metrics"] else MONITOR
    name, *options = command

    def numbers(width: int) -> list[str]:
        output = good(name, tmp_path / "runs", *monitor, *options, env={"COLUMNS": str(width)})
        return sorted(re.findall(r"-?\d+\.\d+(?:e-\d+)?%?", output))

    wide = numbers(300)
    assert wide
    for width in (10, 20, 40, 60, 80):
        narrow = numbers(width)
        assert all(narrow.count(each) >= wide.count(each) for each in wide)
