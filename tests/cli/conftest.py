"""Logs that several tests read."""

from pathlib import Path

import pytest

from tests.cli.running import CURVE, log


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return log(tmp_path / "one.csv", CURVE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log(tmp_path / "runs" / "a.csv", CURVE)
    log(tmp_path / "runs" / "b.csv", [0.9, 0.8, None, 0.85, "nan", 0.9, 0.4])
    log(tmp_path / "runs" / "c.csv", [0.5, "inf", 0.6])
    return tmp_path / "runs"
