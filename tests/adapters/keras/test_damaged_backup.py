"""What a Keras callback saved, damaged: refused by name, or taken."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from earlystop.adapters.keras.backup import Backup
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es

from ...support.damage import VALUES, changed, places

STATE = {
    "offset": 0,
    "elapsed_seconds": 3.0,
    "stopper": es.EarlyStopping("val_loss", patience=3).state_dict(),
}


@pytest.mark.parametrize(
    "content", ["", "[" * 100_000, b"\xff\xfe", "{}", '{"process": 3}', '{"process": NaN}', "3"]
)
def test_a_damaged_note_that_a_fit_has_ended_is_refused_by_name(
    content: str | bytes, tmp_path: Path
) -> None:
    (tmp_path / "ended.json").write_bytes(content.encode() if isinstance(content, str) else content)
    backup = Backup(tmp_path, "{epoch}")
    with contextlib.closing(backup), pytest.raises(es.StateError, match=r"ended\.json"):
        backup.resume(1)


@given(data=st.data())
def test_a_changed_state_of_a_callback_is_refused_or_resumes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("backup")
    with contextlib.closing(Backup(folder, "{epoch}")) as backup:
        backup.save(None, 0, STATE)
    ledger = json.loads((folder / "checkpoints.json").read_text())
    entry = ledger["checkpoints"][0]
    state: Any = copy.deepcopy(entry["state"])
    state["version"] = data.draw(st.sampled_from([1, 2]))
    state = changed(
        state,
        data.draw(st.sampled_from(list(places(state)))),
        data.draw(st.sampled_from(["delete", "repeat", "replace"])),
        data.draw(VALUES),
    )
    entry["state"] = state
    (folder / "checkpoints.json").write_text(json.dumps(ledger))
    with contextlib.suppress(es.StateError), contextlib.closing(Backup(folder, "{epoch}")) as again:
        assert again.was_stopped(1) in (True, False)
        saved = again.resume(1)
        assert saved is not None
        es.Session(es.EarlyStopping("val_loss", patience=3)).load_state_dict(saved.session)
