"""How commands fail, what they are called with, and what their help says."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import earlystop as es
from earlystop.cli import main
from earlystop.cli.values import values_of
from tests.cli.running import CURVE, MONITOR, failed, good, log, run

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
        (2, ["replay", "LOG", "--rule", "Never(", "--json"], "is not a rule"),
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
def test_every_error_is_one_line_with_its_exit_code(
    code: int, arguments: list[str], words: str, one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(one.parent)
    line = failed(code, *(str(one) if argument == "LOG" else argument for argument in arguments))
    assert words in line
    assert "Traceback" not in line


@pytest.mark.parametrize(
    ("command", "option", "meant"),
    [
        ("replay", "--metric", "--monitor"),
        ("replay", "-m", "--monitor"),
        ("sweep", "--metric_name", "--monitor"),
        ("advise", "--early-stopping-rounds", "--patience"),
        ("replay", "--mindelta", "--min-delta"),
        ("replay", "--min_delta", "--min-delta"),
        ("replay", "--tolerance", "--min-delta"),
        ("replay", "--minDelta", "--min-delta"),
        ("replay", "--direction", "--mode"),
        ("replay", "--warmup", "--start-from-epoch"),
        ("replay", "--sep", "--separator"),
        ("replay", "--moniter", "--monitor"),
        ("replay", "--mon", "--monitor"),
        ("replay", "--max-epochs", "--rule"),
        ("replay", "--n-jobs", "--workers"),
        ("plot", "--output", "--out"),
        ("report", "--output", "--out"),
        ("replay", "--output", "--csv"),
        ("metrics", "--verbose", "--progress"),
        ("advise", "--regret", "--max-regret"),
    ],
)
def test_the_suggestion_for_an_unknown_option_is_of_the_same_meaning(
    command: str, option: str, meant: str
) -> None:
    line = failed(2, command, "log.csv", option, "1")
    assert f"No such option '{option}'. Did you mean '{meant}'?" in line


@pytest.mark.parametrize("option", ["--colour", "--zip", "--x", "--metadata-path"])
def test_an_option_that_resembles_none_has_no_suggestion(option: str) -> None:
    assert "Did you mean" not in failed(2, "replay", "log.csv", option, "1")


def test_logs_need_no_option() -> None:
    assert "Logs are named without an option" in failed(2, "replay", "--file", "log.csv")


@pytest.mark.parametrize(
    ("code", "arguments", "words"),
    [
        (2, ["replay", "LOG", *MONITOR, "--patience", "-1"], "--patience must be"),
        (2, ["replay", "LOG", *MONITOR, "--grid", "patience=-1"], "`Patience(patience=...)` must"),
        (2, ["replay", "LOG", "--rule", "Patience('a', -1)"], "`Patience(patience=...)` must be"),
        (1, ["replay", "GAPS", *MONITOR, "--on-missing", "raise"], "with --on-missing skip"),
        (1, ["replay", "LOG", *MONITOR, "--encoding", "what"], "--encoding: no encoding"),
        (1, ["replay", "LOG", *MONITOR, "--separator", "xx"], "--separator must be one"),
        (1, ["replay", "TEXT", *MONITOR], "pass --pattern, a regular"),
        (1, ["replay", "TEXT", *MONITOR, "--format", "text"], "needs --pattern"),
        (2, ["sweep", "LOG", "--rule", "Never() | MaxEpochs(3)", "--grid", "n=1,2"], "pass --save"),
        (2, ["advise", "LOG", *MONITOR, "--max-regret", "2"], "--max-regret must be below 1"),
        (2, ["advise", "LOG", *MONITOR, "--max-regret", "0"], "with --at-most 0.1"),
        (2, ["advise", "LOG", *MONITOR, "--max-regret", "1%", "--at-most", "2"], "--at-most must"),
        (2, ["advise", "LOG", *MONITOR, "--max-regret", "1", "--unit", "best"], "pass --bound"),
    ],
)
def test_messages_name_the_options_of_the_command(
    code: int, arguments: list[str], words: str, one: Path
) -> None:
    (one.parent / "text.txt").write_text("hello world\n")
    log(one.parent / "gaps.csv", [0.9, None, 0.8])
    files = {"LOG": one, "TEXT": one.parent / "text.txt", "GAPS": one.parent / "gaps.csv"}
    line = failed(code, *(files.get(argument, argument) for argument in arguments))
    assert words in line
    assert not re.search(r"\b(advise|replay|read_history|sweep)\(|_missing=|at_most=", line)


def test_mode_is_required_if_neither_name_nor_log_states_the_direction(tmp_path: Path) -> None:
    path = log(tmp_path / "log.csv", CURVE, metric="gap")
    assert "--mode min" in failed(2, "replay", path, "--monitor", "gap")
    assert good("replay", path, "--monitor", "gap", "--mode", "min", "--patience", 1)


def test_errors_stay_on_their_line_whatever_is_in_them(tmp_path: Path) -> None:
    line = failed(1, "replay", tmp_path / "a\n\x1b[31mb.csv", *MONITOR)
    assert r"a\n\x1b[31mb.csv" in line


def test_a_warning_that_lists_files_is_one_line(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("began\nloss 0.5\n")
    log(tmp_path / "log.csv", CURVE)
    told = run("replay", tmp_path, *MONITOR, "--patience", "3").stderr
    (warning,) = (line for line in told.splitlines() if line.startswith("Warning"))
    assert "\\n" not in warning
    assert warning.index("left out: ") < warning.index("a.txt") < warning.index("; ")


def test_names_of_runs_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    path = log(tmp_path / "runs" / "a\x1b[31m[bold]x.csv", CURVE)
    log(tmp_path / "runs" / "b.csv", CURVE)
    for command in (("replay", *MONITOR, "--patience", "1"), ("metrics",)):
        output = good(command[0], path.parent, *command[1:])
        assert "\x1b" not in output
        assert "[bold]x" in output


@pytest.mark.parametrize(
    ("module", "package", "arguments"),
    [
        ("matplotlib", "matplotlib", ["plot", "-o", "out.png"]),
        ("jinja2", "jinja2", ["report", "-o", "out.html"]),
        ("tqdm.auto", "tqdm", ["replay", "--progress"]),
    ],
)
def test_the_package_that_is_missing_is_named(
    module: str, package: str, arguments: list[str], one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(one.parent)
    monkeypatch.setitem(sys.modules, module, None)
    done = run(*arguments, one, *MONITOR, "--patience", "1")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].endswith(f": pip install {package}")


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
