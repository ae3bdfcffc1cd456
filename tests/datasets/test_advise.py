"""Advice on a data set is that on the same runs in memory."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earlystop as es
from tests.advising.runs import late
from tests.datasets.tables import rows_of, written

COLUMNS: dict[str, Any] = {"run": "run_id", "step": "step", "rows": 300}


def scanned(tmp_path: Path) -> es.Dataset:
    curves = late(np.random.default_rng(0), 120, 30)
    runs = {run: curve.tolist() for run, curve in enumerate(curves)}
    return es.scan_history(written(rows_of(runs), tmp_path, group=200), **COLUMNS)


@pytest.mark.parametrize("family", ["adaptive", "patience", "all"])
def test_advice_on_a_data_set_is_that_on_all_runs_in_memory(family: Any, tmp_path: Path) -> None:
    data = scanned(tmp_path)
    assert len(data) > 4
    options: dict[str, Any] = {"max_regret": 0.1, "family": family}
    expected = es.advise(data.read(), "val_loss", **options)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for workers in (1, pool):
            advice = es.advise(data, "val_loss", workers=workers, **options)
            assert advice.to_dict() == expected.to_dict()
            assert str(advice) == str(expected)


def test_a_metric_that_no_file_has_is_refused_before_any_is_read(tmp_path: Path) -> None:
    with pytest.raises(es.MissingMetricError, match="did you mean 'val_loss'"):
        es.advise(scanned(tmp_path), "val_los", mode="min", max_regret=0.1)
