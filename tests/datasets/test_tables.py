"""Whatever form a table has, its parts hold its runs, and a sweep of them says the same."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import earlystop as es
from tests.datasets.tables import curves, history_of, rows_of, same, write, written

COLUMNS: dict[str, Any] = {"run": "run_id", "step": "step"}
PATIENCE = es.Patience("val_loss", mode="min")


def swept(data: Any, **options: Any) -> es.Sweep:
    return es.sweep(PATIENCE, data, patience=range(1, 9), **options)


def assert_holds(data: es.Dataset, runs: dict[Any, list[float]]) -> None:
    """The data set holds these runs, and a sweep of it says what one in memory says."""
    history, expected = data.read(), history_of(runs)
    assert history.names == expected.names
    assert history.lengths.tolist() == expected.lengths.tolist()
    for run in range(history.runs):
        np.testing.assert_equal(history.records(run), expected.records(run))
    assert same(swept(data), swept(expected))


@pytest.mark.parametrize("kind", ["parquet", "feather", "csv"])
def test_runs_that_straddle_files_and_pieces_come_whole(kind: str, tmp_path: Path) -> None:
    runs = curves()
    folder = written(rows_of(runs), tmp_path, kind=kind, cuts=[13, 14, 80, 140], group=17)
    data = es.scan_history(folder, **COLUMNS, rows=60)
    assert len(data) > 2
    assert_holds(data, runs)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    group=st.integers(1, 40),
    rows=st.integers(1, 200),
    text=st.booleans(),
)
def test_no_cut_of_a_table_changes_a_number(
    seed: int, cuts: list[int], group: int, rows: int, text: bool, tmp_path_factory: Any
) -> None:
    runs: Any = curves(20, 8, seed)
    if text:
        runs = dict(sorted((f"run {run}", values) for run, values in runs.items()))
    table = rows_of(runs)
    cuts = [cut for cut in cuts if cut <= table.num_rows]
    folder = written(table, tmp_path_factory.mktemp("table"), cuts=cuts, group=group)
    assert_holds(es.scan_history(folder, **COLUMNS, rows=rows), runs)


def test_shuffled_rows_are_put_in_order_within_a_part(tmp_path: Path) -> None:
    runs, random = curves(), np.random.default_rng(1)
    table = rows_of(runs)
    order = random.permutation(table.num_rows)
    folder = written(table.take(order), tmp_path, cuts=[50, 90], group=20)
    assert_holds(es.scan_history(folder, **COLUMNS), runs)


def shuffled(tmp_path: Path) -> tuple[Path, dict[Any, list[float]]]:
    """A table in no order, and its runs."""
    runs, random = curves(60), np.random.default_rng(1)
    table = rows_of(runs)
    order = random.permutation(table.num_rows)
    return written(table.take(order), tmp_path, cuts=[70], group=20), runs


def test_a_table_in_no_order_that_is_too_large_for_a_part_is_sorted_on_disk(
    tmp_path: Path,
) -> None:
    folder, runs = shuffled(tmp_path)
    data = es.scan_history(folder, **COLUMNS, rows=16)
    copy = data.copy.folder
    assert "sorted copy" in " ".join(data.notes)
    assert_holds(data, runs)
    assert copy.exists()
    del data
    assert not copy.exists()


def test_without_a_library_that_sorts_the_error_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = shuffled(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(es.DatasetError, match=r"duckdb -c .*COPY .*ORDER BY"):
        es.scan_history(folder, **COLUMNS, rows=16)


def test_one_giant_run_is_a_part_of_its_own(tmp_path: Path) -> None:
    runs = curves(20)
    giant = sorted(runs)[10]
    runs[giant] = np.random.default_rng(2).random(3000).round(3).tolist()
    data = es.scan_history(written(rows_of(runs), tmp_path, group=50), **COLUMNS, rows=60)
    assert max(part.range.rows for part in data.parts) >= 3000  # type: ignore[attr-defined]
    assert_holds(data, runs)


def long_table(runs: dict[Any, list[float]]) -> pa.Table:
    """One row per run, step and metric; `lr` is reported at every other step."""
    rows: list[tuple[Any, int, str, float]] = []
    for run, values in runs.items():
        for step, value in enumerate(values):
            rows.append((run, step, "val_loss", value))
            if step % 2:
                rows.append((run, step, "lr", 0.1))
    names = ("run_id", "step", "metric", "value")
    table = pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
    return table.set_column(2, "metric", table["metric"].dictionary_encode())


@pytest.mark.parametrize("kind", ["parquet", "feather", "csv"])
def test_a_table_with_a_row_for_each_metric_holds_what_one_with_columns_does(
    kind: str, tmp_path: Path
) -> None:
    runs = curves()
    table = long_table(runs)
    if kind == "csv":
        table = table.set_column(2, "metric", table["metric"].cast(pa.string()))
    folder = written(table, tmp_path, kind=kind, cuts=[31], group=29)
    options = {**COLUMNS, "metric": "metric", "value": "value", "rows": 90}
    assert_holds(es.scan_history(folder, metrics="val_loss", **options), runs)
    both = es.scan_history(folder, **options).read()
    assert set(both.metrics) == {"val_loss", "lr"}
    assert both.reported("lr").sum() == sum(len(values) // 2 for values in runs.values())


def test_a_null_is_a_gap_and_a_nan_a_value(tmp_path: Path) -> None:
    values = pa.array([1.0, None, float("nan"), 2.0], pa.float32())
    table = pa.table({"run_id": ["a", "a", "a", "b"], "step": [0, 1, 2, 0], "loss": values})
    history = es.scan_history(written(table, tmp_path), **COLUMNS).read()
    assert history.reported("loss").tolist() == [[True, False, True], [True, False, False]]
    assert np.isnan(history.metrics["loss"][0, 2])


def test_of_two_rows_at_one_step_the_later_value_counts(tmp_path: Path) -> None:
    table = pa.table(
        {
            "run_id": [1, 1, 1, 1],
            "step": [0, 1, 1, 2],
            "loss": [5.0, 4.0, 3.0, 2.0],
            "acc": [0.1, 0.2, None, 0.4],
        }
    )
    history = es.scan_history(written(table, tmp_path), **COLUMNS).read()
    assert history.metrics["loss"].tolist() == [[5.0, 3.0, 2.0]]
    assert history.metrics["acc"].tolist() == [[0.1, 0.2, 0.4]]


TYPES = [
    (pa.uint8(), pa.float64()),
    (pa.int32(), pa.float32()),
    (pa.dictionary(pa.int8(), pa.string()), pa.float16()),
    (pa.large_string(), pa.int64()),
    (pa.string(), pa.decimal128(25, 2)),
]


@pytest.mark.parametrize(("run", "value"), TYPES, ids=str)
def test_columns_may_have_any_type_of_numbers_or_text(run: Any, value: Any, tmp_path: Path) -> None:
    ids = ["3", "3", "5"] if "string" in str(run) else [3, 3, 5]
    columns = [pa.array(ids).cast(run), pa.array([1, 2, 1]), pa.array([4, 2, 3]).cast(value)]
    table = pa.table(columns, names=["run_id", "step", "val_loss"])
    history = es.scan_history(written(table, tmp_path), **COLUMNS).read()
    assert history.names == ("3", "5")
    assert np.asarray(history.metrics["val_loss"], float).tolist() == [[4, 2], [3, 0]]


def test_times_order_rows_and_count_in_seconds(tmp_path: Path) -> None:
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    times = [start + datetime.timedelta(minutes=minutes) for minutes in (2, 0, 1)]
    table = pa.table({"run_id": [1, 1, 1], "timestamp": times, "loss": [1.0, 3.0, 2.0]})
    data = es.scan_history(written(table, tmp_path), run="run_id", step="timestamp")
    history = data.read()
    assert history.metrics["loss"].tolist() == [[3.0, 2.0, 1.0]]
    result = es.replay(es.MaxEpochs(9), history, save=es.Best("loss"))
    assert result.stopped_at("elapsed_seconds").tolist() == [120.0]


def test_files_that_lack_a_metric_or_differ_in_types_are_told(tmp_path: Path) -> None:
    runs = curves(12)
    table = rows_of(runs)
    write(table.slice(0, 20), tmp_path / "0.parquet")
    other = table.slice(20)
    other = other.set_column(1, "step", other["step"].cast(pa.int32()))
    write(other.append_column("acc", pa.array([0.5] * other.num_rows)), tmp_path / "1.parquet")
    data = es.scan_history(tmp_path, **COLUMNS, metrics=["val_loss", "acc"])
    told = " ".join(data.notes)
    assert "1 file without the column 'acc'" in told
    assert "type of the column 'step' differs: int64" in told
    history = data.read()
    assert history.reported("acc").sum() == other.num_rows
    assert same(swept(data), swept(history))


def test_empty_files_and_files_without_rows_have_no_runs(tmp_path: Path) -> None:
    runs = curves(12)
    table = rows_of(runs)
    (tmp_path / "a.csv").touch()
    write(table.slice(0, 0), tmp_path / "b.parquet")
    write(table, tmp_path / "c.parquet")
    data = es.scan_history(tmp_path, **COLUMNS)
    assert data.notes == ("1 file empty",)
    assert_holds(data, runs)


def test_a_metric_that_one_part_never_reports_is_no_error_but_one_that_none_does_is(
    tmp_path: Path,
) -> None:
    table = pa.table({"run_id": [1, 1, 2], "step": [0, 1, 0], "loss": pa.array([None, None, 1.0])})
    data = es.scan_history(written(table, tmp_path, group=2), **COLUMNS, rows=2)
    assert len(data) == 2
    rule = es.Patience("loss")
    assert same(es.sweep(rule, data, patience=[1, 2]), es.sweep(rule, data.read(), patience=[1, 2]))
    with pytest.raises(es.MissingMetricError, match="accuracy"):
        es.sweep(es.Patience("accuracy"), data, patience=[1])


REFUSED = [
    ({"run": "run"}, "no column 'run'.*did you mean 'run_id'"),
    ({"run": "run_id", "step": "stop"}, "no column 'stop'"),
    ({"run": "run_id", "metrics": ["acc"]}, "no file has the column 'acc'"),
    ({"run": "val_loss"}, "expected text"),
    ({"run": "run_id", "metric": "val_loss"}, "give both"),
    ({"step": "step"}, "about tables"),
    ({"run": "run_id", "format": "csv"}, "read_history"),
    ({"run": "run_id", "rows": 0}, "rows"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_columns_that_make_no_sense_are_refused(options: Any, message: str, tmp_path: Path) -> None:
    folder = written(rows_of(curves(5)), tmp_path)
    with pytest.raises((es.LogError, es.RuleError), match=message):
        es.scan_history(folder, **options).read()


def test_rows_without_a_run_or_a_step_are_refused(tmp_path: Path) -> None:
    table = pa.table({"run_id": [1, None], "step": [0, 1], "loss": [1.0, 2.0]})
    write(table, tmp_path / "run.parquet")
    with pytest.raises(es.LogError, match="1 rows have no run"):
        es.scan_history(tmp_path / "run.parquet", **COLUMNS)
    table = pa.table({"run_id": [1, 1], "step": [0, None], "loss": [1.0, 2.0]})
    write(table, tmp_path / "step.parquet")
    with pytest.raises(es.LogError, match="1 rows have no step"):
        es.scan_history(tmp_path / "step.parquet", **COLUMNS).read()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    write(rows_of(curves(5)), tmp_path / "whole.parquet")
    content = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "whole.parquet").write_bytes(content[:-10])
    with pytest.raises(es.LogError, match=r"whole\.parquet"):
        es.scan_history(tmp_path, **COLUMNS)


def test_addresses_are_read_by_fsspec(tmp_path: Path) -> None:
    import fsspec

    runs = curves(10)
    write(rows_of(runs), tmp_path / "a.parquet", 20)
    store = fsspec.filesystem("memory")
    store.pipe("/runs/a.parquet", (tmp_path / "a.parquet").read_bytes())
    assert_holds(es.scan_history("memory://runs/*.parquet", **COLUMNS, rows=30), runs)
    assert_holds(es.scan_history("memory://runs", **COLUMNS), runs)


def test_folders_and_files_of_logs_are_read_by_their_formats(tmp_path: Path) -> None:
    for run in range(6):
        (tmp_path / f"run{run}").mkdir()
        lines = "".join(f"{step},{(run + step) % 5}\n" for step in range(4 + run))
        (tmp_path / f"run{run}" / "log.csv").write_text(f"step,val_loss\n{lines}")
    (tmp_path / "readme.md").write_text("These are runs.")
    data = es.scan_history(tmp_path, rows=4)
    assert len(data) > 2
    assert data.read().names == tuple(f"run{run}" for run in range(6))
    assert same(swept(data), swept(es.read_history(tmp_path)))
    files = es.scan_history(tmp_path / "*" / "log.csv", rows=1000)
    assert len(files) == 1
    assert same(swept(files), swept(es.read_history(tmp_path)))
