"""The commands on logs: what they print, for people and machines, and how they end."""

from __future__ import annotations

import csv
import functools
import io
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

import earlystop as es
from earlystop.cli import main
from earlystop.cli.values import values_of

ROOT = Path(__file__).parents[2]
NAN, INF = math.nan, math.inf
CURVE = [0.9, 0.7, 0.8, 0.6, 0.7, 0.75, 0.8, 0.5]
MONITOR = ["--monitor", "val_loss"]


def run(*arguments: object, **options: Any) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), prog_name="earlystop", **options)


def good(*arguments: object, **options: Any) -> str:
    done = run(*arguments, **options)
    assert done.exit_code == 0, done.output
    return done.stdout


def failed(code: int, *arguments: object, **options: Any) -> str:
    """The one line that is said about it."""
    done = run(*arguments, **options)
    assert done.exit_code == code, done.output
    assert not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


def log(path: Path, values: list[Any], metric: str = "val_loss") -> Path:
    rows = [f"{epoch},{'' if value is None else value}" for epoch, value in enumerate(values)]
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("\n".join([f"epoch,{metric}", *rows, ""]))
    return path


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return log(tmp_path / "one.csv", CURVE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log(tmp_path / "runs" / "a.csv", CURVE)
    log(tmp_path / "runs" / "b.csv", [0.9, 0.8, None, 0.85, "nan", 0.9, 0.4])
    log(tmp_path / "runs" / "c.csv", [0.5, "inf", 0.6])
    return tmp_path / "runs"


# replay -------------------------------------------------------------------------------------------


def test_replay_prints_what_the_rule_does(one: Path) -> None:
    output = good("replay", one, *MONITOR, "--patience", 1)
    for text in ("Patience('val_loss', patience=1, mode='min')", "one", "rule", "regret"):
        assert text in output
    assert "one: epoch 2: stop: val_loss has not improved on 0.7 (epoch 1) by more than 0" in output


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
    table = [line for line in output.splitlines() if line.startswith(("epochs used", "regret"))]
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
    for place, setting in enumerate(table.settings):
        for row in (data["settings"][place], rows[place]):
            assert (int(row["patience"]), float(row["min_delta"])) == tuple(setting.values())
            assert float(row["mean_epochs"]) == table.mean_epochs[place]
            assert float(row["mean_regret"]) == table.mean_regret[place]
            assert float(row["share_saved"]) == table.share_saved[place]
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


def test_metrics_tells_what_is_there(folder: Path) -> None:
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


def test_a_direction_that_no_name_tells_is_a_question_mark(tmp_path: Path) -> None:
    output = good("metrics", log(tmp_path / "log.csv", CURVE, metric="gap"))
    assert " ? " in output


# plot and report ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "start"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.html", b"<!DOCTYPE html>")]
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


def test_what_cannot_be_read_is_left_out_if_one_says_so(folder: Path) -> None:
    (folder / "broken.json").write_text('{"val_loss": [1, 2')
    arguments = ("replay", folder, *MONITOR, "--patience", 1, "--json")
    assert "broken.json" in failed(1, *arguments)
    done = run(*arguments, "--on-error", "skip")
    assert done.exit_code == 0
    assert "broken.json" in done.stderr
    assert len(json.loads(done.stdout)["runs"]) == 3


# How it ends --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "arguments", "words"),
    [
        (2, ["replay", "LOG"], "--monitor val_loss"),
        (2, ["replay"], "Missing argument 'LOGS...'"),
        (2, ["replay", "LOG", "--patience"], "requires an argument"),
        (2, ["replay", "LOG", "--monitor", "val_loss", "--patiense", "3"], "--patience"),
        (2, ["replay", "LOG", "--monitor", "val_loss", "--patience", "-1"], "at least 0, got -1"),
        (2, ["replay", "LOG", "--monitor", "val_loss", "--patience", "x"], "at least 0, got 'x'"),
        (2, ["replay", "LOG", "--monitor", "val_loss", "--patience", "5:1"], "holds nothing"),
        (2, ["replay", "LOG", "--monitor", "val_loss", "--patience", ","], "expected a value"),
        (2, ["replay", "LOG", "--monitor", "val_loss", "--patience", "1:99"], "earlystop sweep"),
        (2, ["replay", "LOG", "--monitor", "val_loss", "--patience", f"1:{10**9}"], "more than"),
        (2, ["replay", "LOG", "--monitor", "val_loss", "--mode", "up"], "'up'"),
        (2, ["replay", "LOG", "--rule", "Patients('a')"], "did you mean 'Patience'"),
        (2, ["replay", "LOG", "--rule", "Patience('val_loss', patients=1)"], "'patience'"),
        (2, ["replay", "LOG", "--rule", "Never(", "--json"], "is no rule"),
        (2, ["replay", "LOG", "--rule", "Never()", "--patience", "3"], "no field 'patience'"),
        (2, ["replay", "LOG", "--monitor", "val_loss", "--grid", "x=1"], "no field 'x'"),
        (2, ["replay", "LOG", "--monitor", "val_loss", "--grid", "patience"], "FIELD=VALUES"),
        (2, ["replay", "LOG", "--monitor", "val_loss", "--derive", "x"], "NAME=EXPR"),
        (1, ["replay", "LOG", "--monitor", "val_los"], "did you mean 'val_loss'"),
        (1, ["replay", "LOG", "--monitor", "accuracy"], "val_loss"),
        (1, ["replay", "missing.csv", "--monitor", "val_loss"], "missing.csv"),
        (1, ["replay", "LOG", "--monitor", "val_loss", "--format", "tabel"], "table"),
        (2, ["sweep", "LOG", "--monitor", "val_loss"], "--patience 1:201"),
        (
            2,
            ["sweep", "LOG", "--monitor", "val_loss", "--patience", "1,2", "--save", "Never()"],
            "Best",
        ),
        (2, ["plot", "LOG", "--monitor", "val_loss", "-o", "out.bmp"], ".png"),
        (2, ["plot", "LOG", "--monitor", "val_loss"], "'-o' / '--out'"),
        (2, ["plot", "LOG", "--monitor", "val_loss", "-o", "no/such/folder/out.png"], "no/such"),
        (1, ["plot", "LOG", "--monitor", "val_loss", "-o", "out.png", "--run", "x"], "no run 'x'"),
        (2, ["report", "LOG", "--monitor", "val_loss", "-o", "no/such/out.html"], "no/such"),
        (2, ["replai", "LOG"], "replai"),
        (2, ["--verbose"], "--verbose"),
        (2, ["completion", "tcsh"], "tcsh"),
    ],
)
def test_every_trouble_is_one_line_and_has_its_exit_code(
    code: int, arguments: list[str], words: str, one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(one.parent)
    line = failed(code, *(str(one) if argument == "LOG" else argument for argument in arguments))
    assert words in line
    assert "Traceback" not in line


def test_a_direction_is_asked_for_where_neither_name_nor_log_tells_it(tmp_path: Path) -> None:
    path = log(tmp_path / "log.csv", CURVE, metric="gap")
    assert "--mode min" in failed(2, "replay", path, "--monitor", "gap")
    assert good("replay", path, "--monitor", "gap", "--mode", "min", "--patience", 1)


def test_errors_stay_on_their_line_whatever_is_in_them(tmp_path: Path) -> None:
    line = failed(1, "replay", tmp_path / "a\n\x1b[31mb.csv", *MONITOR)
    assert r"a\n\x1b[31mb.csv" in line


def test_names_of_runs_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    path = log(tmp_path / "runs" / "a\x1b[31m[bold]x.csv", CURVE)
    log(tmp_path / "runs" / "b.csv", CURVE)
    for command in (("replay", *MONITOR, "--patience", "1"), ("metrics",)):
        output = good(command[0], path.parent, *command[1:])
        assert "\x1b" not in output
        assert "[bold]x" in output


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("matplotlib", "plot", ["plot", "-o", "out.png"]),
        ("jinja2", "report", ["report", "-o", "out.html"]),
        ("tqdm.auto", "progress", ["replay", "--progress"]),
    ],
)
def test_the_extra_that_is_missing_is_named(
    module: str, extra: str, arguments: list[str], one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from earlystop import report

    report._template.cache_clear()
    monkeypatch.chdir(one.parent)
    monkeypatch.setitem(sys.modules, module, None)
    done = run(*arguments, one, *MONITOR, "--patience", "1")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].endswith(f'pip install "earlystop[{extra}]"')


def test_a_fault_of_ours_is_not_hidden(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(es, "replay", broken)
    assert isinstance(run("replay", one, *MONITOR).exception, ZeroDivisionError)


def test_every_command_has_help_with_examples() -> None:
    for name, command in main.commands.items():
        text = good(name, "--help")
        assert text.startswith(f"Usage: earlystop {name}")
        if name in ("metrics", "replay", "sweep", "plot", "report", "completion"):
            assert f"earlystop {name} " in text.split("\n", 2)[2]
        assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_rules_are_listed_with_their_arguments() -> None:
    data = json.loads(good("rules", "--json"))
    names = {row["rule"].split("(")[0] for row in data["rules"]}
    assert {"Patience", "AnyOf", "Smoothed", "Never"} <= names
    ours = [row for row in data["rules"] if hasattr(es, row["rule"].split("(")[0])]
    assert all(row["fires"].endswith(".") for row in ours)
    assert "Patience(monitor, patience=0, " in good("rules", "--csv")
    assert "Patience(monitor," in good("rules")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell: str) -> None:
    assert f"_EARLYSTOP_COMPLETE={shell}_complete" in good("completion", shell)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5", [5]),
        ("5,20,5", [5, 20]),
        ("1:4", [1, 2, 3]),
        ("0:50:20,7", [0, 20, 40, 7]),
        ("3:0:-1", [3, 2, 1]),
        ("0,1e-3,.5", [0, 1e-3, 0.5]),
        ("none,true,False", [None, True, False]),
        ("val_loss, 'a,b'", ["val_loss", "a,b"]),
        ("metrics/mAP_0.5:0.95", ["metrics/mAP_0.5:0.95"]),
        ("Never(),Patience('a b_loss', 2)", [es.Never(), es.Patience("a b_loss", 2)]),
    ],
)
def test_values_are_read_as_they_are_meant(text: str, values: list[Any]) -> None:
    assert values_of(text, "--x") == values
    assert list(map(type, values_of(text, "--x"))) == list(map(type, values))


# Real processes -----------------------------------------------------------------------------------


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "earlystop", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen(command, env=environment, **pipes)


def test_a_pipe_that_is_closed_ends_it_quietly(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", np.random.default_rng(1).random((20_000, 5)))
    process = start(
        *("replay", tmp_path / "values.npy", "--monitor", "value", "--mode", "min", "--csv")
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("rule,run,")
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait() == 141


# The tests may have been started with SIGINT ignored, which child processes inherit.
INTERRUPTIBLE: dict[str, Any] = {
    "preexec_fn": functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
}


def test_ctrl_c_ends_it_in_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", np.random.default_rng(1).random((500, 2000)))
    rule = ("--rule", "Plateau('value', 2, 0.0)", "--grid", "window=2:400", "--monitor", "value")
    process = start(
        "sweep", tmp_path / "values.npy", *rule, "--mode", "min", "--progress", **INTERRUPTIBLE
    )
    assert process.stderr is not None
    assert process.stderr.read(1)  # it shows a bar, so it is at work
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "Interrupted"
    assert "Traceback" not in errors
    assert output == ""


def test_bars_are_on_the_error_output_and_only_when_asked_for(one: Path) -> None:
    arguments = ("replay", one, *MONITOR, "--patience", "1", "--csv")
    output, errors = start(*arguments).communicate(timeout=60)
    assert errors == ""
    again, bars = start(*arguments, "--progress").communicate(timeout=60)
    assert again == output
    assert "100%" in bars
