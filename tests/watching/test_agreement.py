"""What is decided while a log grows, byte by byte, is what a replay of the finished log decides."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.support.event_files import event_file
from tests.watching.growing import Clock, finish, grown, watching

Values = list[float]


def csv(values: Values) -> bytes:
    rows = "".join(f"{e},{v / 2},{v}\n" for e, v in enumerate(values))
    return f"epoch,loss,val_loss\n{rows}".encode()


def crlf(values: Values) -> bytes:
    return csv(values).replace(b"\n", b"\r\n")


def json_lines(values: Values) -> bytes:
    """Two lines an epoch, of training and of validation."""
    rows: list[dict[str, Any]] = []
    for epoch, value in enumerate(values):
        rows += [{"epoch": epoch, "loss": value / 2}, {"epoch": epoch, "val_loss": value}]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def sparse(values: Values) -> bytes:
    """A row every ten steps, and a validation every thirty."""
    lines = ["step,loss,val_loss"]
    for epoch, value in enumerate(values):
        for part in (10, 20, 30):
            lines.append(f"{30 * epoch + part},{value / 2},{value if part == 30 else ''}")
    return "\n".join([*lines, ""]).encode()


def keras_output(values: Values) -> bytes:
    return "".join(
        f"Epoch {e + 1}/99\n9/9 - 1s - loss: {v / 2:.4f} - val_loss: {v:.4f}\n"
        for e, v in enumerate(values)
    ).encode()


def events(values: Values) -> bytes:
    rows: list[tuple[float, int, str, float]] = []
    for epoch, value in enumerate(values):
        rows += [(epoch, epoch, "loss", value / 2), (epoch + 0.5, epoch, "val_loss", value)]
    return event_file(rows)


FORMATS = (csv, crlf, json_lines, sparse, keras_output, events)
RULES = (
    es.Patience("val_loss", patience=2, mode="min"),
    es.Patience("val_loss", patience=3, min_delta=0.1) | es.Diverged("loss", 0.45),
    es.MaxEpochs(7) | es.Patience("val_loss", patience=4),
)
CURVES = st.lists(st.integers(1, 20).map(lambda value: value / 20), min_size=2, max_size=12)


@pytest.mark.parametrize("written", FORMATS, ids=lambda written: written.__name__)
@given(values=CURVES, rule=st.sampled_from(RULES), data=st.data())
def test_decisions_on_a_growing_log_are_those_on_the_finished_one(
    written: Callable[[Values], bytes], values: Values, rule: es.Rule, data: st.DataObject
) -> None:
    content = written(values)
    ends = data.draw(st.lists(st.integers(0, len(content)), max_size=8).map(sorted))
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        clock = Clock()
        watch = watching(log, rule, clock, timeout=5)
        decisions = grown(watch, log, content, [*ends, len(content)])
        if not watch.ended:
            decisions += finish(watch, clock)
        replay = es.replay(watch.stopper, es.read_history(log if log.exists() else content))
    assert decisions == replay.decisions(0)
    assert watch.stopper.stopped == replay.stopped[0]


@given(values=CURVES, cut=st.integers(0, 11), rule=st.sampled_from(RULES))
def test_what_is_decided_early_stands_in_what_is_decided_on_the_rest(
    values: Values, cut: int, rule: es.Rule
) -> None:
    """However the log goes on after the decisions: with rows after them, not with other ones."""
    content = csv(values)
    rows = content.split(b"\n")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        watch = watching(log, rule, Clock())
        early = grown(watch, log, b"\n".join([*rows[: cut + 1], b""]), [len(content)])
        log.write_bytes(content)
        whole = es.replay(watch.stopper, es.read_history(log)).decisions(0)
    assert whole[: len(early)] == early
