"""`sweep`, `advise` and `replay` of a table with --run say what they say of the same logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import MONITOR, failed, good
from tests.datasets.tables import curves, rows_of, write

COLUMNS = ["--run", "run_id", "--step", "step"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    write(rows_of(curves(40, 12)), tmp_path / "runs.parquet")
    return tmp_path / "runs.parquet"


COMMANDS: dict[str, list[Any]] = {
    "sweep": ["--patience", "1:6"],
    "replay": ["--patience", "2,3"],
    "advise": ["--max-regret", "20%"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_table_gives_what_its_logs_give(command: str, table: Path) -> None:
    options = [command, table, *MONITOR, *COMMANDS[command], "--json"]
    in_parts, whole = json.loads(good(*options, *COLUMNS)), json.loads(good(*options))
    assert in_parts.pop("read")["parts"] == 1
    whole.pop("read")
    whole.pop("runs") if command == "replay" else None
    assert in_parts == whole


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("machine", [[], ["--csv"]])
def test_tables_print_for_people_and_as_csv(command: str, machine: Any, table: Path) -> None:
    if command == "advise" and machine:
        return
    assert good(command, table, *COLUMNS, *MONITOR, *COMMANDS[command], *machine)


def test_every_run_is_written_on_request(table: Path, tmp_path: Path) -> None:
    options = [*COLUMNS, *MONITOR, "--patience", 2, "--write", tmp_path / "out"]
    assert "40 runs, in 1 part." in good("replay", table, *options)
    assert (tmp_path / "out" / "part-000000.parquet").exists()


REFUSED: list[tuple[list[Any], str]] = [
    (["sweep", *MONITOR, "--patience", 1, "--step", "step"], "--run"),
    (["replay", *MONITOR, *COLUMNS, "--all"], "--write"),
    (["replay", *MONITOR, "--write", "out"], "--run"),
    (["sweep", *MONITOR, *COLUMNS, "--patience", 1, "--format", "csv"], "--format"),
    (["sweep", *MONITOR, *COLUMNS], "which settings"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_options_that_make_no_sense_are_refused(
    arguments: list[Any], message: str, table: Path
) -> None:
    assert message in failed(2, arguments[0], table, *arguments[1:])
