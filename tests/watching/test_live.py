"""Runs of every format, by processes that write their logs, are ended where a replay says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.live_logs import FORMATS
from tests.support.live_watch import watched_live


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("format", FORMATS)
def test_a_live_run_is_ended_at_the_check_that_a_replay_names(
    format: str, seed: int, tmp_path: Path
) -> None:
    live, replayed = watched_live(format, tmp_path, seed)
    assert live == replayed
    assert live[-1].stop
