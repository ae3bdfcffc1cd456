"""A Dask cluster works on parts as processes of this machine do, also where it loses a worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
import pytest

import earlystop as es
from tests.cli.running import good
from tests.datasets.tables import curves, rows_of, same, written
from tests.datasets.test_workers import COLUMNS, Kills, swept

DASK: Any = distributed  # has no types


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with DASK.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made:
        yield made


@pytest.fixture
def executor(cluster: Any) -> Iterator[Any]:
    with DASK.Client(cluster) as client:
        yield client.get_executor()


def test_a_cluster_gives_the_same_numbers(executor: Any, tmp_path: Path) -> None:
    data = es.scan_history(written(rows_of(curves()), tmp_path, group=17), **COLUMNS, rows=40)
    assert len(data) > 3
    assert same(swept(data, executor), swept(data))


def test_parts_of_a_worker_that_is_killed_are_done_by_another(
    executor: Any, tmp_path: Path
) -> None:
    data = es.scan_history(
        written(rows_of(curves()), tmp_path, group=17), **COLUMNS, rows=40, retries=0
    )
    killed = tmp_path / "killed"
    assert data.total(Kills(killed), "test", workers=executor).count == 30
    assert killed.exists()


def test_a_command_takes_the_address_of_a_cluster(cluster: Any, tmp_path: Path) -> None:
    table = written(rows_of(curves()), tmp_path, group=17)
    columns = ("--run", "run_id", "--step", "step", "--monitor", "val_loss", "--json")
    for command, more in (("sweep", ["--patience", "1,2"]), ("replay", ["--patience", "2"])):
        here = good(command, table, *columns, *more)
        there = good(command, table, *columns, *more, "--dask", cluster.scheduler_address)
        assert json.loads(there) == json.loads(here)
