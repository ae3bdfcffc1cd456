"""A run is watched from its log: when a check is decided on, and what becomes of odd logs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

import earlystop as es
from tests.watching.growing import Clock, finish, grown, watching

RULE = es.Patience("val_loss", patience=2)
HEADER = "epoch,val_loss\n"
LOSSES = [0.9, 0.5, 0.6, 0.7]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.csv"


def checks(watch: es.Watch) -> list[int]:
    return [decision.check for decision in watch.poll()]


def test_a_check_is_decided_on_when_the_next_has_begun(log: Path) -> None:
    watch = watching(log, RULE)
    log.write_text(f"{HEADER}0,0.5\n1,0.4\n")
    assert checks(watch) == [0]
    log.write_text(f"{HEADER}0,0.5\n1,0.4\n2,0.6\n")
    assert checks(watch) == [1]


def test_the_last_check_is_decided_on_when_it_has_not_changed_for_a_while(log: Path) -> None:
    clock = Clock()
    watch = watching(log, RULE, clock, settle=10)
    log.write_text(f"{HEADER}0,0.5\n")
    assert checks(watch) == []
    clock.now = 9.9
    assert checks(watch) == []
    clock.now = 10
    assert checks(watch) == [0]
    assert checks(watch) == []


def test_with_no_time_to_settle_each_check_is_decided_on_as_it_comes(log: Path) -> None:
    watch = watching(log, RULE, settle=0)
    log.write_text(f"{HEADER}0,0.5\n")
    assert checks(watch) == [0]


def test_at_each_check_of_a_look_it_explains_where_the_run_stood_then(log: Path) -> None:
    log.write_text(HEADER + "".join(f"{at},{value}\n" for at, value in enumerate(LOSSES)))
    live, watch = es.Stopper(RULE), watching(log, RULE, settle=0)
    told = [(decision.check, watch.explain()) for decision in watch.look()]
    explained = []
    for value in LOSSES:
        live.step({"val_loss": value})
        explained.append(live.explain({"val_loss": value}))
    assert told == list(enumerate(explained))
    assert len(set(explained)) == len(explained)


def test_a_look_that_is_left_goes_on_with_the_next(log: Path) -> None:
    log.write_text(HEADER + "".join(f"{at},{value}\n" for at, value in enumerate(LOSSES)))
    watch = watching(log, RULE, settle=0)
    first = next(watch.look())
    assert [first.check, *checks(watch)] == [0, 1, 2, 3]
    assert watch.ended == "stopped"


def test_half_of_a_line_is_waited_for(log: Path) -> None:
    watch = watching(log, RULE, settle=0)
    log.write_text(f"{HEADER}0,0.5\n1,0.4")
    assert checks(watch) == [0]
    log.write_text(f"{HEADER}0,0.5\n1,0.45\n")
    (decision,) = watch.poll()
    assert (decision.check, watch.values_at(1)) == (1, 0.45)


def test_half_of_a_line_that_a_run_left_behind_counts_as_in_a_replay(log: Path) -> None:
    clock = Clock()
    watch = watching(log, RULE, clock, timeout=5)
    log.write_text(f"{HEADER}0,0.5\n1,0.4")
    assert checks(watch) == [0] or not watch.ended
    finish(watch, clock)
    assert watch.values == es.read_history(log).metrics["val_loss"][0].tolist()


def test_an_epoch_that_is_logged_in_parts_is_decided_on_as_a_whole(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    rule = es.Patience("val_loss", patience=9) | es.Diverged("loss", 10)
    watch = watching(log, rule, settle=0)
    first = '{"epoch": 1, "val_loss": 0.5}\n'
    log.write_text(first)
    assert checks(watch) == []  # another part of epoch 1 may have the loss
    log.write_text(f'{first}{{"epoch": 1, "loss": 20}}\n')
    (decision,) = watch.poll()
    assert decision.stop
    assert decision.reason == "loss is 20, worse than 10"


def test_a_value_that_is_reported_again_is_the_last_one(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    watch = watching(log, RULE)
    rows = [{"epoch": 1, "val_loss": 0.5}, {"epoch": 1, "val_loss": 0.4}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    ends = [len(text) // 2, len(text)]
    assert grown(watch, log, text.encode(), ends) == []
    log.write_text(text + '{"epoch": 2, "val_loss": 0.45}\n')
    assert checks(watch) == [0]
    assert watch.values == [0.4]


def test_a_log_need_not_be_there_yet(log: Path) -> None:
    watch = watching(log, RULE, settle=0)
    assert checks(watch) == []
    assert isinstance(watch.trouble, FileNotFoundError)
    assert watch.explain().startswith("waits: there is no file")
    log.write_text(HEADER)
    assert checks(watch) == []
    log.write_text(f"{HEADER}0,0.5\n")
    assert checks(watch) == [0]
    assert watch.trouble is None


def test_a_metric_need_not_be_there_yet(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    watch = watching(log, RULE, settle=0)
    log.write_text('{"epoch": 1, "loss": 3}\n')
    assert checks(watch) == []
    assert isinstance(watch.trouble, es.MissingMetricError)
    log.write_text('{"epoch": 1, "loss": 3}\n{"epoch": 2, "loss": 3, "val_loss": 1}\n')
    assert checks(watch) == [0]


def test_a_log_that_is_begun_anew_is_decided_on_anew(log: Path) -> None:
    watch = watching(log, RULE, settle=0)
    log.write_text(f"{HEADER}0,0.5\n1,0.6\n")
    assert checks(watch) == [0, 1]
    log.write_text(HEADER)  # truncated
    assert checks(watch) == []
    log.write_text(f"{HEADER}0,0.9\n1,0.95\n")
    assert checks(watch) == [0, 1]
    assert "begins anew" in watch.notes[-1]
    assert watch.stopper.checks == 2


def test_a_log_that_is_replaced_by_another_file_is_followed(log: Path) -> None:
    watch = watching(log, RULE, settle=0)
    log.write_text(f"{HEADER}0,0.5\n")
    assert checks(watch) == [0]
    other = log.with_name("other")
    other.write_text(f"{HEADER}0,0.5\n1,0.4\n")
    os.replace(other, log)
    assert checks(watch) == [1]
    assert not watch.notes


def test_a_log_that_is_being_rewritten_is_not_taken_for_a_new_one(log: Path) -> None:
    watch = watching(log, RULE, settle=0)
    text = f"{HEADER}0,0.5\n1,0.6\n"
    for shown in (text, "", HEADER, f"{HEADER}0,0.5\n", f"{text}2,0.7\n"):
        log.write_text(shown)
        decisions = watch.poll()
    assert [decision.check for decision in decisions] == [2]
    assert decisions[-1].stop
    assert not [note for note in watch.notes if "anew" in note]


def test_a_run_that_is_resumed_from_an_earlier_epoch_is_decided_on_from_there(log: Path) -> None:
    watch = watching(log, RULE, settle=0)
    log.write_text(f"{HEADER}0,0.5\n1,0.4\n2,0.6\n")
    assert checks(watch) == [0, 1, 2]
    log.write_text(f"{HEADER}0,0.5\n1,0.4\n2,0.6\n1,0.3\n2,0.35\n")
    assert checks(watch) == [1, 2]
    assert "taken back to check 1" in watch.notes[-1]
    assert watch.values == [0.5, 0.3, 0.35]


def test_a_run_that_is_appended_to_the_log_is_the_one_that_is_followed(log: Path) -> None:
    watch = watching(log, RULE, settle=0)
    log.write_text(f"{HEADER}0,0.5\n1,0.4\n")
    assert checks(watch) == [0, 1]
    log.write_text(f"{HEADER}0,0.5\n1,0.4\n0,0.9\n1,0.8\n2,0.7\n")
    assert checks(watch) == [0, 1, 2]
    assert watch.values == [0.9, 0.8, 0.7]


def test_of_a_folder_the_run_is_followed_whose_log_changed_last(tmp_path: Path) -> None:
    for number, name in enumerate(("b", "a")):
        (tmp_path / name).mkdir()
        log = tmp_path / name / "log.csv"
        log.write_text(f"{HEADER}0,0.{number + 1}\n")
        os.utime(log, (number, number))
    watch = watching(tmp_path, RULE, settle=0)
    watch.poll()
    assert watch.values == [0.2]
    assert "follows" in watch.notes[-1]
    named = watching(tmp_path, RULE, settle=0, run="b")
    named.poll()
    assert named.values == [0.1]


def test_a_log_that_is_quiet_for_long_ends_the_watch(log: Path) -> None:
    clock = Clock()
    watch = watching(log, RULE, clock, timeout=60)
    log.write_text(f"{HEADER}0,0.5\n")
    assert checks(watch) == []
    assert [decision.check for decision in finish(watch, clock)] == [0]
    assert watch.ended == "quiet"
    assert watch.poll() == []


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, FileNotFoundError),
        ("", es.LogError),
        ("epoch,loss\n0,0.5\n", es.MissingMetricError),
    ],
)
def test_a_log_that_never_said_anything_is_an_error_in_the_end(
    log: Path, content: str | None, error: type[Exception]
) -> None:
    clock = Clock()
    watch = watching(log, RULE, clock, timeout=60)
    if content is not None:
        log.write_text(content)
    assert checks(watch) == []
    with pytest.raises(error):
        finish(watch, clock)


def test_when_the_process_has_ended_the_log_is_complete(log: Path) -> None:
    log.write_text(f"{HEADER}0,0.5\n")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        watch = watching(log, RULE, pid=process.pid)
        assert checks(watch) == []
        process.communicate(b"\n")
        assert checks(watch) == [0]
    assert watch.ended == "complete"


def test_an_open_file_is_read_as_it_comes_and_its_end_is_the_end_of_the_run() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as log, os.fdopen(writer, "wb", buffering=0) as file:
        decisions: list[es.Decision] = []
        rule = es.Patience("val_loss", patience=9)
        found = es.watch(rule, log, interval=0.01, settle=600)
        thread = threading.Thread(target=lambda: decisions.extend(found), daemon=True)
        thread.start()
        file.write(f"{HEADER}0,0.5\n1,0.6\n2,0.".encode())
        until = time.monotonic() + 60
        while not decisions and time.monotonic() < until:
            time.sleep(0.01)
        assert len(decisions) == 1
        file.write(b"6\n")
        file.close()
        thread.join(60)
    assert [decision.check for decision in decisions] == [0, 1, 2]
    assert found.ended == "complete"


def test_iterating_warns_of_what_happens_to_the_log(log: Path) -> None:
    log.write_text(f"{HEADER}0,0.5\n")
    watch = watching(log, RULE, settle=0, interval=0, timeout=0.05)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for decision in watch:
            if decision.check == 0 and watch.values == [0.5]:
                log.write_text(f"{HEADER}0,0.9\n1,0.95\n2,0.99\n")
                watch._clock = Clock()  # nothing times out before that is seen
            if decision.stop:
                break
    assert any("begins anew" in str(warning.message) for warning in caught)


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        (3, {}, "expected a file, a folder"),
        ("log.csv", {"format": "nonsense"}, "no format 'nonsense'"),
        ("log.csv", {"interval": -1}, "interval"),
        ("log.csv", {"timeout": "soon"}, "timeout"),
        ("log.csv", {"pid": 2**22 + 1}, "there is no process"),
        ("log.csv", {"encoding": "nonsense"}, "no encoding"),
    ],
)
def test_what_cannot_be_watched_is_refused_at_once(
    source: object, options: dict[str, object], said: str
) -> None:
    with pytest.raises(es.EarlystopError, match=said):
        es.watch(RULE, source, **options)


def test_a_stopper_has_its_own_save_rule_and_is_not_touched(log: Path) -> None:
    stopper = es.EarlyStopping("val_loss", patience=3)
    with pytest.raises(es.RuleTypeError, match=r"watch\(stop, save"):
        es.watch(stopper, log, save=es.Best("val_loss"))
    log.write_text(f"{HEADER}0,0.5\n")
    assert [decision.save for decision in es.watch(stopper, log, timeout=0)] == [True]
    assert stopper.checks == 0


def test_reading_that_takes_long_is_done_less_often(log: Path) -> None:
    watch = watching(log, RULE, interval=0.5)
    assert watch.pause == 0.5
    watch._cost = 1.0
    assert watch.pause == 20


def test_a_document_that_is_half_written_is_waited_for(tmp_path: Path) -> None:
    log = tmp_path / "trainer_state.json"
    rows = [{"epoch": e, "step": 10 * e, "eval_loss": 1 / e} for e in range(1, 4)]
    whole = json.dumps({"log_history": rows}, indent=2)
    watch = watching(log, es.Patience("eval_loss", 2), settle=0)
    log.write_text(whole)
    assert checks(watch) == [0, 1, 2]
    log.write_text(whole[: len(whole) // 2])
    assert checks(watch) == []
    assert watch.trouble is not None
    more = [*rows, {"epoch": 4, "step": 40, "eval_loss": 1.0}]
    log.write_text(json.dumps({"log_history": more}, indent=2))
    assert checks(watch) == [3]


def test_a_stream_of_text_may_be_watched() -> None:
    stream = io.StringIO(f"{HEADER}0,0.5\n1,0.6\n2,0.7\n")
    decisions = list(es.watch(RULE, stream, interval=0.01))
    assert [decision.stop for decision in decisions] == [False, False, True]


def test_an_argument_that_reading_does_not_take_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(es.RuleTypeError, match=r"takes no argument 'formt'.*did you mean 'format'"):
        es.watch(es.EarlyStopping("loss"), tmp_path / "log.csv", formt="csv")
