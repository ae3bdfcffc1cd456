"""The files in `tests/data/`, found by listing: one folder for each version that wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data"


def saved_files(pattern: str) -> list[object]:
    """Parameters for a test: every file or folder that matches in the folder of any version."""
    found = sorted(DATA.glob(f"*/{pattern}"))
    assert found, f"tests/data holds nothing like {pattern}"
    return [pytest.param(path, id=str(path.relative_to(DATA))) for path in found]
