"""Ledgers that no run has written: refused with the file and the place, and nothing is deleted."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop import Checkpoints
from earlystop.checkpoints import read_ledger
from earlystop.checkpoints.names import LEDGER
from earlystop.checkpoints.saved_json import LARGEST

from ..support.damage import VALUES, changed, places
from .runs import names, save_all, writer

NAME = "{epoch}.txt"


def entry(**changes: Any) -> dict[str, Any]:
    return {"epoch": 0, "file": None, "best": True, "metrics": {}, "state": None, **changes}


def text_of(*entries: dict[str, Any], **changes: Any) -> str:
    body = {"format": "earlystop.Checkpoints", "version": 2, "unwanted": [], "replaced": []}
    return json.dumps({**body, "checkpoints": entries, **changes})


def entry_text(field: str, value: str) -> str:
    """A ledger of one entry with this JSON text for a field."""
    return text_of(entry(**{field: "HERE"})).replace('"HERE"', value)


DAMAGED: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is damaged: Expecting value"),
    "cut off": (text_of(entry())[:-9], r"is damaged: .* \(char \d+\)"),
    "not UTF-8": (b'{"format": "\xff\xfe"}', "is damaged: byte 12 is not UTF-8"),
    "UTF-16": (text_of().encode("utf-16"), "is damaged: byte 0 is not UTF-8"),
    "brackets": (b"[" * 100_000, "nested more than 400 levels deep"),
    "objects": (b'{"a":' * 100_000, "nested more than 400 levels deep"),
    "deep state": (entry_text("state", "[" * 500 + "]" * 500), "nested more than 400 levels"),
    "a long number": (
        entry_text("epoch", "9" * 4000),
        r"s\[0\].epoch: 9{20}... is a number of 4000",
    ),
    "a longer one": (entry_text("state", "9" * 5000), r"\[0\].state: 9{20}... is a number of 5000"),
    "NaN": (
        entry_text("metrics", '{"loss": NaN}'),
        r"\[0\].metrics.loss: NaN is no number of JSON",
    ),
    "infinity": (entry_text("state", "[0, -Infinity]"), r"state\[1\]: -Infinity is no number"),
    "1e400": (entry_text("metrics", '{"a": 1e400}'), r"\[0\].metrics.a: 1e400 is too large for a"),
    "400 digits": (entry_text("metrics", '{"a": 1%s}' % ("0" * 400)), r"'a'\] is too large for a"),
    "a key twice": (
        entry_text("metrics", '{"loss": 1, "acc": 2, "loss": 3}'),
        r"checkpoints\[0\].metrics: the key 'loss' stands twice in one object",
    ),
    "the entries twice": (text_of()[:-1] + ', "checkpoints": []}', "'checkpoints' stands twice"),
    "epoch below 0": (text_of(entry(epoch=-5)), "entry 0.epoch should be at least 0, got -5"),
    "epoch beyond 64 bits": (
        text_of(entry(epoch=2**63)),
        "entry 0.epoch .* fits in 64 bits, got 9",
    ),
    "epoch as float": (
        text_of(entry(epoch=1.0)),
        "entry 0.epoch should be a whole number, got 1.0",
    ),
    "epoch as bool": (text_of(entry(epoch=True)), "entry 0.epoch should be a whole number, got Tr"),
    "best as number": (text_of(entry(best=1)), "entry 0.best should be true or false, got 1"),
    "metric as bool": (text_of(entry(metrics={"a": True})), r"metrics\['a'\] should be a number"),
    "metric as text": (text_of(entry(metrics={"a": "low"})), r"metrics\['a'\] should be a number"),
    "one epoch twice": (text_of(entry(), entry()), "entry 1.epoch: .* not in order: 0 follows 0"),
    "out of order": (text_of(entry(epoch=2), entry(epoch=1)), "in order: 1 follows 2"),
    "one file twice": (
        text_of(entry(file="a"), entry(epoch=1), entry(epoch=2, file="a")),
        "entry 2.file: 'a' is the file of entry 0, too",
    ),
    "another entry": (
        text_of(entry(more=1)),
        "entry 0 is damaged: it should be an object of epoch",
    ),
    "no entry": (text_of(3), "entry 0 is damaged: .* got 3"),
    "replaced": (
        text_of(replaced=[entry(epoch=-1)]),
        "replaced entry 0.epoch should be at least 0",
    ),
    "version as bool": (text_of(version=True), "has version True, this library reads"),
    "version as text": (text_of(version="2"), "has version '2', this library reads"),
    "a long version": (text_of(version=10**600), "has version a?.*10+"),
    "a version of version 1": (
        text_of(version=1, checkpoints=None),
        'lacks its list "checkpoints"',
    ),
    **{
        f"the file {name!r}": (text_of(entry(file=name)), "entry 0.file.*is not the name of a file")
        for name in (
            *("../x", "/etc/passwd", "a/b", "a\\b", "a\0b", "", ".", "..", ".new-a", LEDGER),
            *("\ud800", "a\udcff", "x" * 300, "a\nb"),
        )
    },
    "a file that is a number": (
        text_of(entry(file=3)),
        "entry 0.file should be the name of a file",
    ),
    "an unwanted number": (text_of(unwanted=["a", 3]), "unwanted file 1 should be the name of a f"),
    "an unwanted path": (text_of(unwanted=["../x"]), "unwanted file 0: '../x' is not the name of"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_ledger_that_no_run_can_have_written_is_refused_with_the_place(
    what: str, tmp_path: Path
) -> None:
    content, text = DAMAGED[what]
    content = content.encode() if isinstance(content, str) else content
    (tmp_path / LEDGER).write_bytes(content)
    (tmp_path / "a").write_text("mine")
    for opened in (lambda: Checkpoints(tmp_path, resume=True), lambda: read_ledger(tmp_path)):
        with pytest.raises(es.StateError, match=text) as caught:
            opened()
        assert str(caught.value).startswith(f"the ledger {str(tmp_path / LEDGER)!r}")
        assert len(str(caught.value)) < 1000
    assert (tmp_path / LEDGER).read_bytes() == content
    assert names(tmp_path) == {"a"}


def test_a_ledger_that_is_no_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "folder" / LEDGER).mkdir(parents=True)
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / LEDGER).symlink_to(LEDGER)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / LEDGER)
    for folder, text in (("folder", "no.*regular"), ("loop", "cannot be"), ("pipe", "no.*regular")):
        with pytest.raises(es.CheckpointError, match=f"the ledger .*{LEDGER}.*{text}"):
            Checkpoints(tmp_path / folder, resume=True)


def test_a_ledger_of_gigabytes_is_refused_at_once(tmp_path: Path) -> None:
    with open(tmp_path / LEDGER, "wb") as file:
        file.truncate(8 << 30)  # sparse: it takes no space
    start = time.perf_counter()
    with pytest.raises(es.StateError, match="has 8,589,934,592 bytes, and none is larger than"):
        Checkpoints(tmp_path, resume=True)
    assert time.perf_counter() - start < 1


def test_a_ledger_that_would_be_too_large_to_read_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LARGEST >= 1 << 26
    monkeypatch.setattr("earlystop.checkpoints.ledger.LARGEST", 1000)
    with Checkpoints(tmp_path, NAME) as checkpoints:
        save_all(checkpoints, [1.0])
        with pytest.raises(es.CheckpointError, match="at most 1,000 are read: keep fewer"):
            checkpoints.save(writer(1), epoch=1, state="x" * 1000)
        assert checkpoints.entries == read_ledger(tmp_path)
    assert names(tmp_path) == {"0.txt"}


STATES: dict[str, tuple[Any, str | None]] = {
    "keys that are one in JSON": ({1: 2, "1": 3}, "the key '1' stands twice"),
    "701 digits": (10**700, "is a number of 701 digits"),
    "5001 digits": (10**5000, ""),
    "not a number": ([float("nan")], ""),
    "a NumPy generator's number": ({"state": 2**128 - 1}, None),
    "what JSON has": ({"text": "\ud800", "list": (1, 2.5, None, True)}, None),
}


@pytest.mark.parametrize("what", STATES)
def test_a_state_is_saved_if_and_only_if_it_can_be_read_again(what: str, tmp_path: Path) -> None:
    state, text = STATES[what]
    with Checkpoints(tmp_path, NAME) as checkpoints:
        if text is None:
            checkpoints.save(writer(0), epoch=0, state=state)
            assert read_ledger(tmp_path)[0].state == json.loads(json.dumps(state))
            return
        with pytest.raises(es.StateError, match=rf"save\(state=...\)` must be plain JSON.*{text}"):
            checkpoints.save(writer(0), epoch=0, state=state)
    assert names(tmp_path) == set()


@pytest.mark.parametrize("depth", [300, 399, 401, 900, 5000, 100_000])
def test_a_state_of_any_depth_is_saved_or_refused_for_what_it_is(
    depth: int, tmp_path: Path
) -> None:
    state: Any = []
    for _ in range(depth - 1):
        state = [state]
    with Checkpoints(tmp_path, NAME) as checkpoints:
        if depth < 400:
            checkpoints.save(writer(0), epoch=0, state=state)
            return  # compared with nothing: to compare it is recursive, too
        with pytest.raises(es.StateError, match="nested more than 400 levels deep"):
            checkpoints.save(writer(0), epoch=0, state=state)


# Any damage at all ------------------------------------------------------------------------------


def saved_folder(folder: Path) -> None:
    stopper = es.Stopper(es.Patience("loss", 4, growth=1.5), save=es.Best("loss"))
    with Checkpoints(folder, NAME, monitor="loss", keep_best=2, keep_last=2) as checkpoints:
        for epoch, loss in enumerate((0.9, 0.5, float("nan"), 0.4, 0.6)):
            decision = stopper.step({"loss": loss})
            state = stopper.state_dict()
            checkpoints.save(
                writer(epoch), epoch=epoch, metrics={"loss": loss}, best=decision.save, state=state
            )


def go_on(folder: Path) -> None:
    """What a program does with a folder it resumes from; only documented errors end it."""
    with contextlib.suppress(es.EarlystopError):
        with Checkpoints(
            folder, NAME, monitor="loss", keep_best=2, keep_last=2, resume=True
        ) as checkpoints:
            stopper = es.Stopper(es.Patience("loss", 4, growth=1.5), save=es.Best("loss"))
            start = 0
            if checkpoints.last is not None:
                start = checkpoints.last.epoch + 1
                stopper.load_state_dict(checkpoints.last.state)
            for epoch in range(start, start + 3):
                decision = stopper.step({"loss": 0.45})
                str(decision)
                checkpoints.save(
                    writer(epoch),
                    epoch=epoch,
                    metrics={"loss": 0.45},
                    best=decision.save,
                    state=stopper.state_dict(),
                )
                if decision.stop:
                    break
            checkpoints.prune()
        read_ledger(folder)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "run"
    saved_folder(folder)
    return folder


@given(data=st.data())
def test_a_ledger_with_any_node_changed_gives_documented_errors_or_goes_on(
    original: Path, data: st.DataObject
) -> None:
    tree = json.loads((original / LEDGER).read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(list(places(tree))))
        how = data.draw(st.sampled_from(["delete", "repeat", "replace"]))
        tree = changed(tree, place, how, data.draw(VALUES))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(original, folder, dirs_exist_ok=True)
        (Path(folder) / LEDGER).write_text(json.dumps(tree))
        go_on(Path(folder))


@given(data=st.data())
def test_a_ledger_with_any_bytes_changed_gives_documented_errors_or_goes_on(
    original: Path, data: st.DataObject
) -> None:
    content = bytearray((original / LEDGER).read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    start, end = (data.draw(st.integers(0, len(content))) for _ in range(2))
    what = data.draw(st.sampled_from(["whole", "cut off", "without a part", "a part twice"]))
    if what == "cut off":
        del content[start:]
    elif what == "without a part":
        del content[start:end]
    elif what == "a part twice":
        content[end:end] = content[start:end]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(original, folder, dirs_exist_ok=True)
        (Path(folder) / LEDGER).write_bytes(content)
        go_on(Path(folder))
