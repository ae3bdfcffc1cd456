"""Logs, states and rules that were damaged at random: read, or refused with a documented error."""

from __future__ import annotations

import pytest

from tests.support.hostile import attempt


@pytest.mark.parametrize("seed", range(20))
def test_what_is_damaged_is_read_or_refused_with_a_documented_error(seed: int) -> None:
    came = {attempt(f"{seed}:{number}").split(":")[0] for number in range(60)}
    assert came == {"log", "ledger", "state", "rule"}
