"""The commands on logs: what they print, for people and machines."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

import earlystop as es
from tests.cli.running import CURVE, MONITOR, failed, good, log, run

# replay -------------------------------------------------------------------------------------------


def test_replay_prints_what_the_rule_does(one: Path) -> None:
    output = good("replay", one, *MONITOR, "--patience", 1)
    for text in ("Patience('val_loss', patience=1, mode='min')", "one", "rule", "regret"):
        assert text in output
    assert "one: stops after epoch 2: val_loss has not improved on 0.7 (epoch 1) by more" in output


@pytest.mark.parametrize("patience", [1, 2, 3, 9])
def test_replay_as_json_is_what_replay_gives(folder: Path, patience: int) -> None:
    data = json.loads(good("replay", folder, *MONITOR, "--patience", patience, "--json"))
    history = es.read_history(folder)
    result = es.replay(es.EarlyStopping("val_loss", patience=patience), history)
    assert [row["run"] for row in data["runs"]] == list(history.names)
    for name, values in result.to_dict().items():
        expected = [v if not isinstance(v, float) or math.isfinite(v) else str(v) for v in values]
        assert [row[name] for row in data["runs"]] == expected
    (rule,) = data["rules"]
    assert es.Rule.from_dict(rule["rule_data"]) == result.stop
    assert rule["rule"] == repr(result.stop)
    assert data["read"]["runs"] == 3
    assert [file["format"] for file in data["read"]["files"]] == ["table"] * 3


def test_json_writes_infinities_as_text_and_nothing_as_null(tmp_path: Path) -> None:
    path = log(tmp_path / "run.csv", ["nan", "nan", 1.0])
    text = good("replay", path, *MONITOR, "--patience", 1, "--json")
    (row,) = json.loads(text, parse_constant=pytest.fail)["runs"]
    assert row["saved_epoch"] is None
    assert row["best"] is None
    assert row["regret"] == "inf"
    assert row["best_of_log"] == 1.0


def test_csv_is_read_back_whatever_a_run_is_called(tmp_path: Path) -> None:
    names = ['a,b "c"', "=1+1", "x;y"]
    for name in names:
        log(tmp_path / "runs" / f"{name}.csv", CURVE)
    text = good("replay", tmp_path / "runs", *MONITOR, "--patience", "1,3", "--csv", "--reasons")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sorted(row["run"] for row in rows) == sorted(names * 2)
    assert {row["stopped"] for row in rows} == {"true"}
    assert {row["epochs"] for row in rows} == {"3", "7"}
    assert all(row["reason"].startswith("val_loss has not improved") for row in rows)


def test_several_rules_and_settings_are_compared(folder: Path) -> None:
    output = good("replay", folder, *MONITOR, "--patience", "1:4", "--min-delta", "0,0.1")
    assert output.count("Patience('val_loss'") >= 6
    output = good("replay", folder, "--rule", "Patience('val_loss', 1)", "--rule", "MaxEpochs(2)")
    assert "MaxEpochs(2)" in output


def test_any_rule_and_what_is_kept_may_be_written_out(one: Path) -> None:
    rule = 'Patience("val_loss", 2) | NonFinite("val_loss")'
    data = json.loads(good("replay", one, "--rule", rule, "--save", "Every(2)", "--json"))
    assert data["rules"][0]["save"] == "Every(2)"
    assert data["runs"][0]["saved_epoch"] == 5
    assert "best" not in data["runs"][0]
    data = json.loads(good("replay", one, "--rule", "MaxEpochs(3)", *MONITOR, "--json"))
    assert data["runs"][0]["best"] == 0.7


def test_settings_go_into_a_rule_that_is_written_out(one: Path) -> None:
    rule = 'Patience("val_loss") | Plateau("val_loss", 2, 0.0)'
    arguments = ("--patience", 3, "--grid", "window=4", "--grid", "1.std=0.5", "--json")
    data = json.loads(good("replay", one, "--rule", rule, *arguments))
    assert data["rules"][0]["rule"] == (
        "Patience('val_loss', patience=3, mode='min') | Plateau('val_loss', window=4, std=0.5)"
    )


def test_a_metric_may_be_made_of_others(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("epoch,a,b\n0,1,2\n1,3,4\n2,0,0\n")
    arguments = ("--derive", "fit=0.5*a + 0.5*b", "--monitor", "fit", "--mode", "max", "--json")
    (row,) = json.loads(good("replay", tmp_path / "log.csv", *arguments))["runs"]
    assert (row["epochs"], row["saved_epoch"], row["best"]) == (3, 1, 3.5)


def test_plain_text_is_read_by_patterns(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(
        "".join(f"epoch {e}: loss {x}\n" for e, x in enumerate(CURVE))
    )
    arguments = ("--pattern", r"epoch (?P<epoch>\d+): loss (?P<loss>\S+)", "--monitor", "loss")
    (row,) = json.loads(
        good("replay", tmp_path / "log.txt", *arguments, "--patience", 1, "--json")
    )["runs"]
    assert (row["epochs"], row["best"]) == (3, 0.7)


def test_a_relative_gain_is_a_flag(one: Path) -> None:
    arguments = ("--patience", 2, "--min-delta", 0.2, "--relative", "--json")
    data = json.loads(good("replay", *arguments, *MONITOR, one))
    assert data["rules"][0]["rule"].endswith(
        "patience=2, min_delta=0.2, mode='min', relative=True)"
    )


def test_runs_that_do_not_report_the_metric_are_left_out_and_counted(folder: Path) -> None:
    log(folder / "other.csv", CURVE, metric="accuracy")
    done = run("replay", folder, *MONITOR, "--patience", 1, "--json")
    assert "1 of 4 runs left out: they do not report 'val_loss'" in done.stderr
    data = json.loads(done.stdout)
    assert (data["read"]["runs"], data["read"]["runs_left_out"]) == (3, 1)


def test_a_thousand_runs_are_summed_up_in_eighty_columns(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((1000, 20))
    np.save(tmp_path / "values.npy", values)
    arguments = ("replay", tmp_path / "values.npy", "--monitor", "value", "--mode", "min")
    output = good(*arguments, "--patience", 3)
    assert len(output.splitlines()) < 40
    table = [line for line in output.splitlines() if line.startswith(("checks used", "regret"))]
    assert len(table) == 2
    assert max(map(len, output.splitlines()[1:])) <= 80
    assert len(good(*arguments, "--patience", 3, "--all").splitlines()) > 1000
    result = es.replay(
        es.Patience("v", 3, mode="min"), es.History({"v": values}), save=es.Best("v", mode="min")
    )
    assert f"{int(result.stopped.sum()):,} of 1,000 runs stopped" in output


# sweep --------------------------------------------------------------------------------------------


def test_sweep_as_json_and_csv_is_what_sweep_gives(folder: Path) -> None:
    arguments = ("sweep", folder, *MONITOR, "--patience", "1:5", "--min-delta", "0,0.1")
    data = json.loads(good(*arguments, "--json"))
    table = es.sweep(
        es.Patience("val_loss"),
        es.read_history(folder),
        patience=range(1, 5),
        min_delta=[0.0, 0.1],
    )
    assert data["monitors"] == ["val_loss"]
    rows = list(csv.DictReader(io.StringIO(good(*arguments, "--csv"))))
    for index, setting in enumerate(table.settings):
        for row in (data["settings"][index], rows[index]):
            assert (int(row["patience"]), float(row["min_delta"])) == tuple(setting.values())
            assert float(row["mean_epochs"]) == table.mean_epochs[index]
            assert float(row["mean_regret"]) == table.mean_regret[index]
            assert float(row["share_saved"]) == table.share_saved[index]
    assert [row["knee"] for row in rows].count("true") == (table.knee is not None)


def test_any_field_of_any_part_may_be_an_axis(one: Path) -> None:
    rule = 'Patience("val_loss") | Warmup(Patience("val_loss", 2), 1)'
    arguments = ("--grid", "0.patience=1:4", "--grid", "1.epochs=0,2", "--csv")
    rows = list(csv.DictReader(io.StringIO(good("sweep", one, "--rule", rule, *arguments))))
    assert [(row["0.patience"], row["1.epochs"]) for row in rows] == [
        (patience, epochs) for patience in "123" for epochs in "02"
    ]


def test_many_settings_are_thinned_out_and_the_knee_is_marked(one: Path) -> None:
    output = good("sweep", one, *MONITOR, "--patience", "1:101")
    assert len(output.splitlines()) < 40
    assert "of 100 settings are shown" in output
    assert max(map(len, output.splitlines())) <= 80
    assert len(good("sweep", one, *MONITOR, "--patience", "1:101", "--all").splitlines()) > 100


# metrics ------------------------------------------------------------------------------------------


def test_metrics_lists_what_was_logged(folder: Path) -> None:
    (folder / "b.csv").write_text(
        "epoch,val_loss,lr\n0,0.9,1\n1,0.8,1\n2,,1\n3,0.85,\n4,nan,1\n5,0.9,1\n6,0.4,1\n"
    )
    data = json.loads(good("metrics", folder, "--json"))
    metric, rate = data["metrics"]
    assert (rate["metric"], rate["mode"], rate["best"], rate["runs"]) == ("lr", None, None, 1)
    assert {name: metric[name] for name in ("metric", "mode", "runs", "values", "gaps")} == {
        "metric": "val_loss",
        "mode": "min",
        "runs": 3,
        "values": 17,
        "gaps": 1,
    }
    assert (metric["nan"], metric["infinite"]) == (1, 1)
    assert data["coordinates"] == ["epoch"]
    runs = {row["run"]: row["metrics"][0] for row in data["runs"]}
    assert runs["b"]["best"] == 0.4
    assert runs["b"]["best_epoch"] == 6
    assert (runs["c"]["first"], runs["c"]["last"]) == (0.5, 0.6)
    rows = list(csv.DictReader(io.StringIO(good("metrics", folder, "--csv"))))
    assert [(row["run"], row["metric"], row["values"]) for row in rows] == [
        ("a", "val_loss", "8"),
        ("b", "val_loss", "6"),
        ("b", "lr", "6"),
        ("c", "val_loss", "3"),
    ]
    output = good("metrics", folder)
    for text in ("table, 1 run", "3 runs, 18 epochs", "val_loss", "coordinates: epoch"):
        assert text in output


def test_an_unknown_direction_is_a_question_mark(tmp_path: Path) -> None:
    output = good("metrics", log(tmp_path / "log.csv", CURVE, metric="gap"))
    assert " ? " in output


# plot and report ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.png", b"\x89PNG"),
        ("a.SVG", b"<?xml"),
        ("a.html", b"<!DOCTYPE html>"),
        ("a.pdf", b"%PDF"),
        ("a.jpg", b"\xff\xd8"),
        ("a.tiff", b"II*"),
        ("a.webp", b"RIFF"),
        ("a.eps", b"%!PS"),
    ],
)
def test_plot_writes_the_kind_of_file_that_its_name_says(
    one: Path, name: str, start: bytes
) -> None:
    out = one.parent / name
    assert good("plot", one, *MONITOR, "--patience", "1,3", "-o", out) == f"wrote {out}\n"
    assert out.read_bytes().startswith(start)


def test_plot_writes_to_a_pipe(one: Path) -> None:
    output = good("plot", one, *MONITOR, "--patience", "1:30", "-o", "-")
    assert output.startswith("<?xml")
    assert output.rstrip().endswith("</svg>")


@pytest.mark.parametrize("command", ["plot", "report", "advise"])
@pytest.mark.parametrize("name", ["a.doc", "a.pdf.gz", "a.csv", "a", ".html"])
def test_a_file_of_another_kind_is_refused_with_the_kinds_there_are_before_anything_is_read(
    tmp_path: Path, command: str, name: str
) -> None:
    regret = ["--max-regret", "1%"] if command == "advise" else []
    line = failed(2, command, "not there", *MONITOR, *regret, "-o", tmp_path / name)
    assert ".html" in line
    assert (".svg" in line) == (command != "report")
    assert not list(tmp_path.iterdir())


def test_a_report_is_no_picture_whatever_its_name(one: Path) -> None:
    for name in ("report.doc", "report.png", "report.json"):
        line = failed(2, "report", one, *MONITOR, "-o", one.parent / name)
        assert "should end in .html, .htm or .pdf" in line
        assert not (one.parent / name).exists()


def test_a_pdf_that_no_browser_can_print_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    line = failed(2, "report", "not there", *MONITOR, "-o", tmp_path / "report.pdf")
    assert "write the report as .html" in line
    assert not list(tmp_path.iterdir())


def test_the_report_says_how_it_was_made_and_what_is_advised(folder: Path) -> None:
    arguments = ["report", folder, *MONITOR, "--patience", "1,3", "--max-regret", "40%", "-o", "-"]
    text = good(*arguments)
    assert f"Made by: earlystop {' '.join(map(str, arguments))}" in text
    assert "The advice" in text
    assert "at most 40 % of the improvement" in text
    assert "The advice" not in good(*arguments, "--no-advice")
    line = failed(2, "report", "not there", *MONITOR, "--max-regret", "150%", "-o", "-")
    assert "must be below 1" in line


def test_a_report_without_a_rule_is_about_the_usual_patiences(folder: Path) -> None:
    page = good("report", folder, *MONITOR, "--no-advice", "-o", "-")
    assert all(f"patience={number}, mode=" in page for number in (5, 10, 20))
    assert "patience 0" not in page


def test_report_writes_to_a_pipe(one: Path) -> None:
    output = good("report", one, *MONITOR, "--patience", "1", "-o", "-")
    assert output.startswith("<!DOCTYPE html>")
    assert output.rstrip().endswith("</html>")


def test_report_writes_one_file(folder: Path) -> None:
    out = folder.parent / "report.html"
    assert good("report", folder, *MONITOR, "--patience", "1", "-o", out, "--title", "A & B")
    text = out.read_text(encoding="utf-8")
    for words in ("<title>A &amp; B</title>", "Settings", "What was read", "Every run"):
        assert words in text


# Reading ------------------------------------------------------------------------------------------


def test_logs_come_by_pipe_too(one: Path) -> None:
    piped = json.loads(
        good("replay", "-", *MONITOR, "--patience", 1, "--json", input=one.read_text())
    )
    read = json.loads(good("replay", one, *MONITOR, "--patience", 1, "--json"))
    assert piped["runs"][0]["epochs"] == read["runs"][0]["epochs"] == 3


def test_several_logs_folders_and_globs_are_one_history(folder: Path, one: Path) -> None:
    data = json.loads(good("metrics", one, folder / "[ab].csv", folder / "c.csv", "--json"))
    assert len(data["runs"]) == 4


def test_unreadable_logs_are_left_out_on_request(folder: Path) -> None:
    (folder / "broken.csv").write_text("epoch,val_loss\n0,1\n1,one\n")
    (folder / "cut.json").write_text('{"val_loss": [1, 2')
    arguments = ("replay", folder, *MONITOR, "--patience", 1, "--json")
    assert "broken.csv" in failed(1, *arguments)
    done = run(*arguments, "--on-error", "skip")
    assert done.exit_code == 0
    assert "broken.csv" in done.stderr
    (folder / "broken.csv").unlink()
    done = run(*arguments)  # what has not proved to be a log is listed
    assert done.exit_code == 0
    assert "cut.json" in done.stderr
    assert len(json.loads(done.stdout)["runs"]) == 3


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            "epoch,step,val_loss\n0,10,\n0,20,0.5\n1,30,\n1,40,0.4\n",
            "1 run, 2 epochs, 40 steps in 4 rows",
        ),
        ("epoch,val_loss\n0.5,0.9\n1.0,0.5\n1.5,0.4\n", "1 run, 1.5 epochs in 3 rows"),
        ("epoch,val_loss\n1,0.9\n2,0.5\n", "1 run, 2 epochs"),
        ("step,val_loss\n100,0.9\n200,0.5\n", "1 run, 200 steps in 2 rows"),
        ("loss,val_loss\n1,0.9\n2,0.5\n", "1 run, 2 rows"),
        ("epoch,_runtime,val_loss\n1,0,0.9\n3,7200,0.5\n", "1 run, 4 epochs in 2 rows, 2 h"),
    ],
)
def test_metrics_counts_epochs_steps_and_time_as_the_log_tells_them(
    rows: str, says: str, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    log.write_text(rows)
    assert good("metrics", log).splitlines()[1].strip() == says


# notes --------------------------------------------------------------------------------------------


COMMANDS = {
    "replay": [*MONITOR, "--patience", 1],
    "sweep": [*MONITOR, "--patience", "1,2"],
    "advise": [*MONITOR, "--max-regret", 0.5],
    "report": [*MONITOR, "--patience", 1, "--out", "r.html"],
    "plot": [*MONITOR, "--patience", 1, "--out", "p.png"],
    "metrics": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_what_reading_did(command: str, tmp_path: Path) -> None:
    epochs = (0, 1, 2, 3, 4, 3, 4, 5)
    for name in "abcd":
        rows = "".join(f"{e},{1 / (row + 1)},x\n" for row, e in enumerate(epochs))
        (tmp_path / f"{name}.csv").write_text(f"epoch,val_loss,remark\n{rows}")
    options = [tmp_path / o if str(o).startswith(("r.", "p.")) else o for o in COMMANDS[command]]
    done = run(command, tmp_path / "[a-d].csv", *options)
    said = done.stdout + done.stderr
    assert "resumed 1 time, at 3: 2 rows replaced by later ones" in said
    assert "left out: remark" in said
