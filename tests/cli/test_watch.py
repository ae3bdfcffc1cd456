"""`earlystop watch`: what it prints, how it ends a run, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import earlystop as es
from earlystop.cli.watch_view import picture_of
from earlystop.watching.curve import text_curve
from tests.cli.running import CURVE, MONITOR, ROOT, failed, good, log, run

STOPS = [*MONITOR, "--patience", "2", "--settle", "0"]

# Writes an epoch every few milliseconds, a line in two parts, until it is told to end.
TRAINS = """
import sys, time
with open(sys.argv[1], "w", buffering=1) as file:
    file.write("epoch,val_loss\\n")
    for epoch in range(100_000):
        value = 1 / (1 + min(epoch, 6))
        file.write(f"{epoch},")
        file.flush()
        time.sleep(0.005)
        file.write(f"{value}\\n")
        time.sleep(0.005)
"""


def training(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", TRAINS, path])


def test_a_run_is_ended_by_a_signal_where_a_replay_says(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    with training(path) as process:
        printed = good(
            *("watch", path, *MONITOR, "--patience", 5, "--pid", process.pid, "--interval", 0.02)
        )
        assert process.wait(60) == -15
    assert f"sent SIGTERM to process {process.pid}" in printed
    assert printed.endswith("has ended\n")
    decisions = es.replay(
        es.EarlyStopping("val_loss", patience=5), es.read_history(path)
    ).decisions(0)
    assert decisions[-1].epoch == 11
    assert f"{decisions[-1]}" in printed


def test_a_stop_file_is_written_with_the_reason(one: Path, tmp_path: Path) -> None:
    stop = tmp_path / "STOP"
    printed = good("watch", one, *STOPS, "--stop-file", stop)
    assert f"wrote {stop}" in printed
    assert stop.read_text().startswith("stopped at epoch 5: val_loss has not improved")


def test_a_command_is_run_and_told_why(one: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(os.environ[sys.argv[2]])"
    command = f"'{sys.executable}' -c '{code}' '{told}' EARLYSTOP_REASON"
    good("watch", one, *STOPS, "--command", command)
    assert told.read_text().startswith("val_loss has not improved on 0.6")


def test_a_command_that_fails_is_trouble(one: Path) -> None:
    done = run("watch", one, *STOPS, "--command", f"'{sys.executable}' -c 'raise SystemExit(9)'")
    assert done.exit_code == 1
    assert "exit code 9" in done.stderr


def test_without_a_way_to_end_the_run_the_exit_code_says_that_the_rule_did(one: Path) -> None:
    printed = good("watch", one, *STOPS)
    assert "epoch 5: stop: val_loss has not improved on 0.6 (epoch 3)" in printed


def test_a_quiet_log_and_a_run_that_ends_by_itself_have_exit_codes_of_their_own(one: Path) -> None:
    quiet = run("watch", one, *MONITOR, "--patience", 20, "--timeout", 0)
    assert quiet.exit_code == 3
    assert "the log has been quiet" in quiet.stdout
    ended = run("watch", "-", *MONITOR, "--patience", 20, input=one.read_bytes())
    assert ended.exit_code == 4
    assert "the run ended by itself" in ended.stdout
    assert "0 of 20 epochs without improvement, needs < 0.5" in ended.stdout


def test_what_was_logged_before_is_counted_not_listed(one: Path) -> None:
    printed = run("watch", one, *MONITOR, "--patience", 20, "--timeout", 0).stdout
    assert printed.splitlines()[0] == "7 checks before"


def test_json_has_a_line_for_each_check(one: Path) -> None:
    rows = [json.loads(line) for line in good("watch", one, *STOPS, "--json").splitlines()]
    assert [row["value"] for row in rows] == CURVE[:6]
    assert [row["stop"] for row in rows] == [False] * 5 + [True]
    assert rows[-1]["reason"].startswith("val_loss has not improved")


def test_a_log_without_the_metric_is_waited_for_and_trouble_in_the_end(one: Path) -> None:
    done = run("watch", one, "--monitor", "val_acc", "--patience", 2, "--timeout", 0)
    assert done.exit_code == 1
    assert "Error: " in done.stderr
    assert "'val_acc'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pid", 2**22 + 1], "there is no process"),
        (["--pid", os.getpid(), "--signal", "XYZ"], "there is no signal"),
        (["--stop-file", "/no/such/folder/STOP"], "there is no folder"),
        (["--command", "'"], "--command"),
        (["--command", ""], "--command is empty"),
        (["--run", "x", "another.csv"], "watches one log"),
        (["--patience", "2,3"], "one rule"),
    ],
)
def test_what_could_not_be_carried_out_is_refused_before_the_wait(
    one: Path, arguments: list[object], said: str
) -> None:
    assert said in failed(2, "watch", one, *MONITOR, *arguments)


def test_a_stop_file_that_is_there_already_is_refused(one: Path) -> None:
    assert "is there already" in failed(2, "watch", one, *MONITOR, "--stop-file", one)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells it")
def test_a_signal_that_the_process_ignores_is_refused(one: Path) -> None:
    ignores = "import signal; signal.signal(2, signal.SIG_IGN); print(flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", ignores], **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        pid = ["--pid", process.pid, "--signal", "INT"]
        assert "ignores SIGINT" in failed(2, "watch", one, *MONITOR, *pid)
        process.communicate(b"\n")


def test_a_process_that_does_not_end_in_time_is_trouble(one: Path) -> None:
    stays = "import signal; signal.signal(15, lambda *_: None); print(flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", stays], **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        done = run("watch", one, *STOPS, "--pid", process.pid, "--grace", 0.1)
        process.kill()
    assert done.exit_code == 1
    assert "has not ended" in done.stderr


def test_a_pipe_is_closed_when_the_rule_stops_the_run() -> None:
    train = [sys.executable, "-c", TRAINS, "/dev/stdout"]
    watch = [sys.executable, "-m", "earlystop", "watch", "-", *MONITOR, "--patience", "2"]
    with (
        subprocess.Popen(train, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer,
        subprocess.Popen(
            [*watch, "--interval", "0.05"], stdin=writer.stdout, stdout=subprocess.PIPE, cwd=ROOT
        ) as reader,
    ):
        assert writer.stdout is not None
        writer.stdout.close()
        printed, _ = reader.communicate(timeout=120)
        assert writer.wait(120)
    assert reader.returncode == 0
    assert b"epoch 8: stop" in printed


def test_on_a_terminal_the_run_is_a_small_picture(tmp_path: Path) -> None:
    path = log(tmp_path / "log.csv", CURVE)
    watch = es.watch(es.EarlyStopping("val_loss", patience=20), path, settle=0)
    last = watch.poll()[-1]
    assert picture_of(watch, last, 80) == [
        f"val_loss in {path}",
        *text_curve(CURVE, 66),
        "epoch 7: val_loss 0.5, best 0.5 (epoch 7)",
        "val_loss: 0 of 20 epochs without improvement, needs < 0.5",
        "next: stops after 20 more checks if nothing gets better",
    ]
    narrow = picture_of(watch, last, 30, unicode=False)
    assert all(line.isascii() for line in narrow)


def test_the_time_between_checks_tells_when_the_next_is_due(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    watch = es.watch(es.EarlyStopping("val_loss", patience=4), path, settle=0)
    now = [0.0]
    watch._clock = lambda: now[0]
    rows = ["epoch,val_loss"]
    for epoch, value in enumerate(CURVE[:4]):
        rows.append(f"{epoch},{value}")
        path.write_text("\n".join([*rows, ""]))
        watch.poll()
        now[0] += 60
    assert watch.outlook() == (
        "a check any moment; stops after 4 more (4 min) if nothing gets better"
    )


def test_a_replay_of_what_comes_by_a_pipe_tells_a_stop_before_the_end() -> None:
    command = [sys.executable, "-m", "earlystop", "replay", "-", *MONITOR, "--patience", "2"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        rows = [f"{epoch},{value}" for epoch, value in enumerate([0.5, 0.6, 0.7, 0.8])]
        process.stdin.write("\n".join(["epoch,val_loss", *rows, ""]))
        process.stdin.flush()
        said = process.stderr.readline()  # while the log goes on
        assert "epoch 2: stop: val_loss has not improved on 0.5" in said
        answer, _ = process.communicate("4,0.1\n", timeout=120)
    assert process.returncode == 0
    assert "0.4" in answer  # the regret, which the rest of the log tells
