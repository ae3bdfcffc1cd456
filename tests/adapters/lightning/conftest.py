"""Lightning's fits say much that these tests do not ask for."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("lightning.pytorch.utilities.rank_zero", "pytorch_lightning.utilities.rank_zero")
    for name in names:
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
