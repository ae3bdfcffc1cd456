"""A replay of a data set sums up to what one in memory does, and writes each run on request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import earlystop as es
from tests.datasets.tables import curves, rows_of, written

COLUMNS: dict[str, Any] = {"run": "run_id", "step": "step", "rows": 40}
RULES = [
    es.EarlyStopping("val_loss", patience=2),
    es.Stopper(es.MaxEpochs(3) | es.NonFinite("val_loss"), es.Best("val_loss")),
    es.Stopper(es.MaxEpochs(3)),
    es.Stopper(es.Never(), es.Best("val_loss", mode="max")),
]


@pytest.mark.parametrize("stopper", RULES, ids=repr)
@pytest.mark.parametrize("unit", [None, "checks", "epoch", "step"])
def test_the_summary_is_that_of_a_replay_in_memory(
    stopper: es.Stopper, unit: str | None, tmp_path: Path
) -> None:
    data = es.scan_history(written(rows_of(curves()), tmp_path, group=17), **COLUMNS)
    assert len(data) > 2
    totals = es.replay(stopper, data, unit=unit)
    assert totals.summary() == es.replay(stopper, data.read(), unit=unit).summary()


def test_columns_of_every_run_are_written_as_parts_are_done(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    data = es.scan_history(written(rows_of(curves()), tmp_path / "runs", group=17), **COLUMNS)
    es.replay(RULES[0], data, write=tmp_path / "out", workers=2)
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) == len(data)
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    expected = es.replay(RULES[0], data.read()).to_dict()
    assert rows == [
        dict(zip(expected, row, strict=True)) for row in zip(*expected.values(), strict=True)
    ]
    with pytest.raises(es.RuleError, match="not empty"):
        es.replay(RULES[0], data, write=tmp_path / "out")


def test_a_metric_or_unit_that_no_part_reports_is_refused(tmp_path: Path) -> None:
    data = es.scan_history(written(rows_of(curves()), tmp_path), **COLUMNS)
    with pytest.raises(es.MissingMetricError, match="did you mean 'val_loss'"):
        es.replay(es.EarlyStopping("val_los", mode="min"), data)
    with pytest.raises(es.MissingMetricError, match="unit 'tokens'"):
        es.replay(RULES[0], data, unit="tokens")
    with pytest.raises(es.RuleError, match="data sets"):
        es.replay(RULES[0], data.read(), write=tmp_path / "out")  # type: ignore[call-overload]
