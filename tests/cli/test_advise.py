"""`earlystop advise`: from logs to an answer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import earlystop as es
from earlystop.cli import main


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 logs of 30 epochs."""
    folder = tmp_path_factory.mktemp("logs")
    rng = np.random.default_rng(0)
    for run in range(40):
        values = 0.3 + 1 / np.arange(1, 31) + 0.02 * rng.standard_normal(30)
        rows = [f"{epoch},{value!r}" for epoch, value in enumerate(values.tolist())]
        (folder / f"run-{run:02}.csv").write_text("\n".join(["epoch,val_loss", *rows, ""]))
    return folder


def ask(logs: Path, *options: str) -> tuple[int, str]:
    command = ["advise", str(logs), "--monitor", "val_loss", "--quiet", *options]
    done = CliRunner().invoke(main, command)
    return done.exit_code, done.output


def test_it_prints_what_the_library_says(logs: Path) -> None:
    code, output = ask(logs, "--max-regret", "5%")
    assert code == 0
    advice = es.advise(es.read_history(logs), "val_loss", max_regret=0.05)
    assert advice.promised == 0.05
    told = f"{advice}\n".replace("at_most=0.1", "--at-most 0.1")
    assert output == told.replace("`advise(family='patience')`", "--family patience")


def test_options_are_the_arguments_of_the_library(logs: Path) -> None:
    code, output = ask(
        logs,
        *("--max-regret", "0.1", "--at-most", "20%", "--confidence", "80%", "--json"),
        *("--patience", "2,5,9", "--min-delta", "0,0.01", "--complete"),
    )
    assert code == 0
    data = json.loads(output)
    advice = es.advise(
        es.read_history(logs),
        "val_loss",
        max_regret=0.1,
        at_most=0.2,
        confidence=0.8,
        candidates={"patience": [2, 5, 9], "min_delta": [0, 0.01]},
        complete=True,
    )
    assert data["read"]["runs"] == 40
    assert {name: data[name] for name in ("rule", "warnings", "needed", "families")} == {
        "rule": repr(advice.rule),
        "warnings": list(advice.warnings),
        "needed": advice.needed,
        "families": 2,
    }


def test_the_family_is_an_option(logs: Path) -> None:
    code, output = ask(logs, "--max-regret", "5%", "--family", "patience")
    assert code == 0
    assert output.startswith("Use Patience('val_loss', patience=")
    code, output = ask(logs, "--max-regret", "5%", "--family", "patience", "--patience", "1:9")
    assert code == 2
    assert "both say what to select from" in output


def test_candidates_may_be_any_rules_and_the_trade_off_is_drawn(logs: Path, tmp_path: Path) -> None:
    picture = tmp_path / "trade-off.svg"
    rule = "Smoothed(Patience('val_loss'), 'val_loss', window=3)"
    code, output = ask(
        logs, "--max-regret", "20%", "--rule", rule, "--patience", "1:20", "-o", str(picture)
    )
    assert code == 0, output
    assert output.startswith("Use Smoothed(Patience('val_loss', patience=")
    assert output.endswith(f"wrote {picture}\n")
    assert b"</svg>" in picture.read_bytes()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "Missing option '--max-regret'"),
        (["--max-regret", "little"], "expected a number or a percentage"),
        (["--max-regret", "100%"], "must be below 1"),
        (["--max-regret", "1%", "--unit", "metric"], "only if it is bounded"),
        (["--max-regret", "1%", "--save", "Never()"], "--save says nothing here"),
        (["--max-regret", "1%", "-o", "picture.doc"], "should end in"),
    ],
)
def test_invalid_options_are_refused_in_one_line(logs: Path, options: list[str], text: str) -> None:
    code, output = ask(logs, *options)
    assert code == 2
    assert text in output
    assert output.count("\n") == 1


def test_it_asks_for_the_metric(logs: Path) -> None:
    done = CliRunner().invoke(main, ["advise", str(logs), "--max-regret", "1%", "--quiet"])
    assert done.exit_code == 2
    assert "--monitor val_loss" in done.output


def test_with_json_the_standard_output_is_json_also_where_a_picture_is_written(
    logs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "trade-off.png"
    command = ["advise", str(logs), "--monitor", "val_loss", "--max-regret", "5%", "--quiet"]
    done = CliRunner().invoke(main, [*command, "--json", "-o", str(out)])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["promised"] == 0.05
    assert done.stderr == f"wrote {out}\n"
    assert out.stat().st_size > 0


@pytest.mark.parametrize(
    ("out", "text"), [("nowhere/a.png", "there is no folder"), ("-", "takes a file here")]
)
def test_an_unwritable_picture_is_refused_before_anything_is_read(
    out: str, text: str, tmp_path: Path
) -> None:
    name = out if out == "-" else str(tmp_path / out)
    code, output = ask(tmp_path / "not there", "--max-regret", "5%", "-o", name)
    assert code == 2
    assert text in output
    assert output.count("\n") == 1
