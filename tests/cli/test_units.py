"""What commands print counts in the unit of the logs, or in the one that is asked for."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earlystop as es
from tests.cli.running import CURVE, MONITOR, failed, good, log, run, sparse_log

PATIENCE = [*MONITOR, "--patience", 3]  # on CURVE: best in epoch 3, stop after epoch 6 of 0 to 7


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    return sparse_log(tmp_path / "sparse.csv", CURVE)


@pytest.fixture
def timed(tmp_path: Path) -> Path:
    sparse_log(tmp_path / "timed" / "a.csv", CURVE, time=True)
    sparse_log(tmp_path / "timed" / "b.csv", [*CURVE[:4], 0.9, 0.9], time=True)
    return tmp_path / "timed"


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# In the log's own unit ----------------------------------------------------------------------------


def test_a_log_with_steps_is_told_in_steps_and_a_stop_in_epochs_and_steps(sparse: Path) -> None:
    output = good("replay", sparse, *PATIENCE)
    row = ["sparse", "400", "350", "rule", "epoch", "3,", "step", "200", "0.6", "0.1"]
    assert row in words(output)
    assert "steps   steps" in output
    assert "sparse: stops after epoch 6, step 350: val_loss has not improved on 0.6" in output
    assert "40 " not in output  # rows of the log


@pytest.mark.parametrize(
    ("header", "rows", "unit", "used", "kept"),
    [
        ("epoch,val_loss", "{e},{x}", "epoch", "7", ["3"]),
        ("step,val_loss", "{s},{x}", "step", "1,750", ["1,000"]),
        ("lr,val_loss", "0.1,{x}", "checks", "7", ["3"]),
    ],
)
def test_the_unit_is_the_step_else_the_epoch_else_the_check(
    tmp_path: Path, header: str, rows: str, unit: str, used: str, kept: list[str]
) -> None:
    lines = [rows.format(e=e, s=250 * (e + 1), x=x) for e, x in enumerate(CURVE)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join([header, *lines, ""]))
    output = good("replay", path, *PATIENCE)
    (row,) = (row for row in words(output) if row[:1] == ["log"] and "rule" in row)
    assert row[2:5] == [used, "rule", *kept]
    assert json.loads(good("replay", path, *PATIENCE, "--json"))["rules"][0]["unit"] == unit
    for text in ("epoch", "step", "check"):
        names_unit = text in output.split("stops")[0]
        assert names_unit == unit.startswith(text)


@pytest.mark.parametrize("unit", [None, "checks", "epoch", "step", "elapsed_seconds", "_runtime"])
def test_the_command_line_and_python_give_the_same_numbers(timed: Path, unit: str | None) -> None:
    asked = [] if unit is None else ["--unit", unit]
    data = json.loads(good("replay", timed, *PATIENCE, "--json", *asked))
    history = es.read_history(timed)
    result = es.replay(es.EarlyStopping("val_loss", patience=3), history, unit=unit)
    for name, value in result.summary().items():
        assert data["rules"][0][name] == value
    for name, values in result.to_dict().items():
        assert [row[name] for row in data["runs"]] == values
    rows = csv.DictReader(io.StringIO(good("replay", timed, *PATIENCE, "--csv", *asked)))
    assert [float(row["used"]) for row in rows] == result.used.tolist()
    grid = [*MONITOR, "--patience", "1:4", *asked]
    swept = json.loads(good("sweep", timed, *grid, "--json"))
    table = es.sweep(es.Patience("val_loss"), history, unit=unit, patience=[1, 2, 3])
    assert swept["unit"] == table.unit == (unit or "step")
    assert [row["share_saved"] for row in swept["settings"]] == table.share_saved.tolist()


def test_a_sweep_names_its_unit_and_is_along_it(sparse: Path) -> None:
    output = good("sweep", sparse, *MONITOR, "--patience", "1:4")
    assert ["patience", "steps", "saved", "regret", "median", "90%"] in words(output)
    assert ["3", "350.0", "12.5%", "0.1", "0.1", "0.1"] in words(output)
    output = good("sweep", sparse, *MONITOR, "--patience", "1:4", "--unit", "epoch")
    assert ["3", "7.0", "12.5%", "0.1", "0.1", "0.1"] in words(output)


def test_many_runs_are_summed_up_in_their_unit(tmp_path: Path) -> None:
    for number in range(45):
        sparse_log(tmp_path / "runs" / f"{number}.csv", CURVE)
    output = good("replay", tmp_path / "runs", *PATIENCE)
    assert "45 of 45 runs stopped, 15,750 of 18,000 steps used, 12.5% saved" in output
    assert ["steps", "used", "350", "350", "350", "350", "350"] in words(output)


# Runs that report different things ---------------------------------------------------------------


def test_runs_that_mix_units_are_said_to_in_one_line_and_compared_by_shares(tmp_path: Path) -> None:
    sparse_log(tmp_path / "runs" / "a.csv", CURVE)
    (tmp_path / "runs" / "b.csv").write_text(
        "\n".join(["step,val_loss", *(f"{9 * e},{x}" for e, x in enumerate(CURVE)), ""])
    )
    log(tmp_path / "runs" / "c.csv", CURVE)
    done = run("replay", tmp_path / "runs", *PATIENCE)
    line = "1 of 3 runs reports no steps: amounts are in checks, compare shares instead"
    assert done.stderr.splitlines() == [line]
    assert ["a", "8", "7", "87.5%", "rule", "epoch", "3,", "step", "200"] in [
        row[:9] for row in words(done.stdout)
    ]
    done = run("sweep", tmp_path / "runs", *MONITOR, "--patience", "1:4")
    assert done.stderr.splitlines() == [line]
    done = run("replay", tmp_path / "runs", *PATIENCE, "--unit", "step")
    (line,) = done.stderr.splitlines()
    assert line == "1 of 3 runs reports no steps: totals and shares are of the other runs"


def test_runs_of_one_kind_say_nothing_about_units(timed: Path) -> None:
    assert run("replay", timed, *PATIENCE).stderr == ""


# Hours and what they cost -------------------------------------------------------------------------


def test_hours_are_told_where_the_log_has_time_and_priced_on_request(timed: Path) -> None:
    output = good("replay", timed, *PATIENCE)
    assert "Time: 6 h 30 min of 7 h used, 30 min saved\n" in output
    assert "cost" not in output
    output = good("replay", timed, *PATIENCE, "--cost", "$2/h")
    assert "Time: 6 h 30 min of 7 h used, 30 min saved ($1.00 of $14.00)\n" in output
    assert ["30", "min", "$1.00"] in [row[-3:] for row in words(output)]
    data = json.loads(good("replay", timed, *PATIENCE, "--cost", "2 EUR/h", "--json"))
    assert data["price"] == {"per_hour": 2.0, "currency": "EUR"}
    (rule,) = data["rules"]
    assert (rule["hours"], rule["hours_logged"]) == (6.5, 7.0)
    assert (rule["cost"], rule["cost_logged"], rule["cost_saved"]) == (13.0, 14.0, 1.0)
    assert [row["hours"] for row in data["runs"]] == [3.5, 3.0]
    assert [row["cost_saved"] for row in data["runs"]] == [1.0, 0.0]


def test_hours_are_a_unit_with_hours_and_minutes(timed: Path) -> None:
    output = good("replay", timed, *PATIENCE, "--unit", "elapsed_seconds")
    row = ["a", "4", "h", "3", "h", "30", "min", "rule", "epoch", "3,", "step", "200"]
    assert row in [row[:12] for row in words(output)]


def test_several_rules_are_compared_by_the_time_they_save(timed: Path) -> None:
    output = good("replay", timed, *MONITOR, "--patience", "1,3", "--cost", "2/h")
    rows = [row for row in words(output) if row[:1] == ["Patience('val_loss',"]]
    assert rows[1][-3:] == ["30", "min", "1.00"]


def test_a_report_tells_hours_and_cost(timed: Path) -> None:
    out = timed.parent / "report.html"
    good("report", timed, *PATIENCE, "--cost", "$2/h", "-o", out)
    text = out.read_text(encoding="utf-8")
    assert "650 of 700 steps" in text
    assert "30 min ($1.00)" in text
    assert "2 runs of 300 to 400 steps, 700 in all" in text


# Bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--unit", "stepp"], "did you mean 'step'?"),
        (["--unit", "elapsed_seconds"], "no epoch reports the unit 'elapsed_seconds'"),
        (["--unit", "val_loss"], "'val_loss' falls from 0.9 to 0.7 at check 1"),
    ],
)
@pytest.mark.parametrize("command", ["replay", "sweep", "plot", "report"])
def test_a_unit_that_no_run_tells_or_that_falls_is_a_usage_error(
    sparse: Path, command: str, options: list[str], text: str
) -> None:
    out = ["-o", sparse.parent / "out.html"] if command in ("plot", "report") else []
    line = failed(2, command, sparse, *MONITOR, "--patience", "1,3", *options, *out)
    assert text in line
    assert "'--unit'" in line


def test_epochs_are_no_unit_of_a_log_without_them(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", np.array([CURVE]))
    arguments = ("--monitor", "value", "--mode", "min", "--unit", "epoch")
    assert "no run reports its epochs" in failed(2, "replay", tmp_path / "values.npy", *arguments)


@pytest.mark.parametrize("cost", ["2", "h", "-2/h", "two/h", "$2 EUR/h", "2/day", "1e999/h", ""])
@pytest.mark.parametrize("command", ["replay", "report"])
def test_a_cost_that_cannot_be_read_is_a_usage_error_before_anything_is_read(
    tmp_path: Path, command: str, cost: str
) -> None:
    out = ["-o", tmp_path / "out.html"] if command == "report" else []
    line = failed(2, command, "not there", *MONITOR, "--cost", cost, *out)
    assert "such as 2.5/h, $2.5/h or '2.5 EUR/h'" in line


def test_a_cost_needs_a_log_that_tells_its_time(sparse: Path) -> None:
    assert "no run reports its time" in failed(2, "replay", sparse, *PATIENCE, "--cost", "2/h")


# How often metrics are reported -------------------------------------------------------------------


def _rows(columns: str, *rows: tuple[Any, ...]) -> str:
    return "\n".join([columns, *(",".join(map(str, row)) for row in rows), ""])


@pytest.mark.parametrize(
    ("text", "reports"),
    [
        (_rows("epoch,a", *((e, 1) for e in range(5))), "every epoch"),
        (_rows("epoch,a,b", *((e, 1, e % 2 or "") for e in range(8))), "every 2 epochs"),
        (_rows("step,a", *((50 * k, 1) for k in range(1, 9))), "every 50 steps"),
        (_rows("step,a", *((s, 1) for s in (0, 49, 99, 149, 199, 220))), "every 50 steps"),
        (_rows("step,a", *((s, 1) for s in (10, 30, 90, 95, 200))), "irregularly"),
        (_rows("epoch,step,a", *((k // 3, 7 * k * k, 1) for k in range(9))), "3 times an epoch"),
        (_rows("epoch,a", *((k / 4, 1) for k in range(1, 9))), "every 0.25 epochs"),
        (_rows("lr,a", *((0.1, 1) for _ in range(4))), "every row"),
        (_rows("epoch,b,a", (0, 1, ""), (1, 1, 5), (2, 1, "")), "once"),
    ],
)
def test_metrics_tells_how_often_each_is_reported(tmp_path: Path, text: str, reports: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    data = json.loads(good("metrics", path, "--json"))
    name = text.splitlines()[0].rpartition(",")[2]
    (last,) = (row["reports"] for row in data["metrics"] if row["metric"] == name)
    assert last == reports
    assert reports in good("metrics", path)


def test_metrics_tells_epochs_steps_and_time_of_runs_and_where_their_best_stands(
    timed: Path,
) -> None:
    output = good("metrics", timed)
    assert "2 runs, 14 epochs, 700 steps in 70 rows, 7 h" in output
    assert ["a", "8", "400", "40", "4", "h"] in words(output)
    assert "every 10 steps" in output
    data = json.loads(good("metrics", timed, "--json"))
    run_b = data["runs"][1]
    assert (run_b["epochs"], run_b["steps"], run_b["elapsed_seconds"]) == (6, 300, 10800)
    (metric,) = (row for row in run_b["metrics"] if row["metric"] == "val_loss")
    assert (metric["best_epoch"], metric["best_step"], metric["best_row"]) == (3, 200, 19)


def test_runs_that_report_at_other_intervals_are_counted(tmp_path: Path) -> None:
    for number, every in enumerate((1, 1, 2)):
        rows = ((e, 1 if e % every == 0 else "", 1) for e in range(9))
        (tmp_path / f"{number}.csv").write_text(_rows("epoch,a,b", *rows))
    data = json.loads(good("metrics", tmp_path, "--json"))
    assert data["metrics"][0]["reports"] == "every epoch (2 of 3 runs)"


# Rules about positions ----------------------------------------------------------------------------


def test_rules_about_steps_are_asked_of_logs_that_number_them(sparse: Path) -> None:
    output = good("replay", sparse, "--rule", "MaxSteps(120)")
    assert "stops after epoch 2, step 120" in output
