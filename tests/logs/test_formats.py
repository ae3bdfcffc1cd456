"""Every format of logs: what the tools write is read as it is."""

from __future__ import annotations

import gzip
import io
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.support.event_files import event_file, write_events

nan = math.nan


def read(text: str | bytes, **options: Any) -> es.History:
    return es.read_history(io.BytesIO(text.encode() if isinstance(text, str) else text), **options)


def logged(history: es.History, name: str, run: int = 0) -> list[float]:
    """The values of a metric as they were logged, gaps left out."""
    return [record[name] for record in history.records(run) if name in record]


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


finite = st.floats(allow_nan=False, allow_infinity=True)
cell = st.none() | finite | st.just(nan)
tables = st.integers(1, 6).flatmap(
    lambda epochs: st.dictionaries(
        st.sampled_from(
            ["loss", "val_loss", "val/AP (M)", "a,b", "metrics/mAP_0.5:0.95", "lr-Adam"]
        ),
        st.lists(cell, min_size=epochs, max_size=epochs),
        min_size=1,
    )
)


def as_read(columns: dict[str, list[float | None]], history: es.History) -> bool:
    """Does the history hold these columns, those without any value left out?"""
    for name, values in columns.items():
        there = [value is not None for value in values]
        if not any(there):
            assert name not in history.metrics
            continue
        assert history.reported(name)[0].tolist() == there
        expected = [value for value in values if value is not None]
        np.testing.assert_array_equal(logged(history, name), expected)
    return True


def some_value(columns: dict[str, list[float | None]]) -> bool:
    return any(value is not None for values in columns.values() for value in values)


@given(
    tables.filter(some_value), st.sampled_from([",", ";", "\t", "|"]), st.sampled_from("\r\n|\n")
)
def test_what_is_written_as_a_table_is_read_from_it(
    columns: dict[str, list[float | None]], separator: str, end: str
) -> None:
    import csv

    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\r\n" if end == "\r" else "\n")
    writer.writerow(["epoch", *columns])
    for epoch, row in enumerate(zip(*columns.values(), strict=True)):
        writer.writerow([epoch, *("" if v is None else repr(v) for v in row)])
    assert as_read(columns, read(text.getvalue()))


@given(tables.filter(some_value))
def test_what_is_written_as_json_is_read_from_it(columns: dict[str, list[float | None]]) -> None:
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    texts = {
        v: ("nan" if v != v else "inf" if v > 0 else "-inf")
        for values in columns.values()
        for v in values
        if v is not None and not math.isfinite(v)
    }
    strict = {n: {"y": [texts.get(v, v) for v in values]} for n, values in columns.items()}
    for text in (
        json.dumps(columns),
        json.dumps(records),
        *([lines] if len(records) > 1 else []),
        json.dumps({"id": "a", "metrics": columns}),
        json.dumps({"id": "a", "metrics": strict}) + "\n" + json.dumps({"metrics": columns}),
    ):
        history = read(text)
        assert as_read(columns, history)
        assert history.lengths[0] == len(records)
    assert as_read(columns, es.read_history(records))
    assert as_read(columns, es.read_history(columns))


def test_keras_csv_logger_writes_a_table(tmp_path: Path) -> None:
    import keras

    class Model:
        stop_training = False

    path = tmp_path / "training.log"
    for separator in (",", ";"):
        logger = keras.callbacks.CSVLogger(str(path), separator=separator)
        logger.set_model(Model())
        logger.on_train_begin()
        logger.on_epoch_end(0, {"loss": np.float32(0.46087897), "val_loss": 1.5})
        logger.on_epoch_end(1, {"loss": np.float32(0.25), "val_loss": nan})
        logger.on_train_end()
        history = es.read_history(path)
        np.testing.assert_array_equal(logged(history, "loss"), [0.46087897, 0.25])
        np.testing.assert_array_equal(logged(history, "val_loss"), [1.5, nan])
        assert history.coordinates["epoch"].tolist() == [[0, 1]]


def test_keras_csv_logger_appends_a_second_run(tmp_path: Path) -> None:
    import keras

    class Model:
        stop_training = False

    path = tmp_path / "log.csv"
    for run in range(2):
        logger = keras.callbacks.CSVLogger(str(path), append=True)
        logger.set_model(Model())
        logger.on_train_begin()
        for epoch in range(3 - run):
            logger.on_epoch_end(epoch, {"loss": 10 * run + epoch})
        logger.on_train_end()
    history = es.read_history(path)
    assert history.names == ("log #1", "log #2")
    assert [logged(history, "loss", run) for run in range(2)] == [[0, 1, 2], [10, 11]]


def test_lightning_s_csv_logger_has_sparse_rows(tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(tmp_path, name="mine")
    for epoch in range(3):
        step = 10 * epoch + 9
        logger.log_metrics({"val_loss": 3.0 - epoch, "epoch": epoch}, step)
        if epoch % 2 == 0:
            logger.log_metrics({"train_loss_epoch": 1.0, "epoch": epoch}, step)
    logger.log_metrics({"test_loss": 7.0, "epoch": 3}, 30)
    logger.save()
    history = es.read_history(tmp_path)
    assert history.names == ("metrics",)
    assert logged(history, "val_loss") == [3, 2, 1]
    # The rows of one step are one epoch.
    assert history.coordinates["step"].tolist() == [[9, 19, 29, 30]]
    assert history.reported("train_loss_epoch").tolist() == [[True, False, True, False]]


def test_trainer_state_of_transformers(tmp_path: Path) -> None:
    from transformers import TrainerState

    state = TrainerState(best_metric=0.5)
    for step in (10, 20, 30):
        state.log_history.append({"epoch": step / 1000, "loss": 1 / step, "step": step})
        if step > 10:
            state.log_history.append({"epoch": step / 1000, "eval_f1": step / 100, "step": step})
        state.save_to_json(str(tmp_path / "trainer_state.json"))
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        state.save_to_json(str(folder / "trainer_state.json"))
    state.log_history.append({"train_loss": 0.3, "train_runtime": 9.0, "step": 30, "epoch": 0.03})
    state.save_to_json(str(tmp_path / "trainer_state.json"))
    history = es.read_history(tmp_path / "trainer_state.json")
    assert history.coordinates["step"].tolist() == [[10, 20, 30]]
    assert history.reported("eval_f1").tolist() == [[False, True, True]]
    assert logged(history, "train_loss") == [0.3]
    together = es.read_history(tmp_path)
    assert together.runs == 1
    assert "3 earlier checkpoints" in str(together.report)
    assert logged(together, "loss") == logged(history, "loss")


def test_ultralytics_pads_names_and_values() -> None:
    text = (
        "               epoch,     metrics/mAP_0.5,metrics/mAP_0.5:0.95\n"
        "                   0,             0.41000,             0.20000\n"
        "                   1,             0.52000,             0.31000\n"
    )
    derived = {"fitness": "0.1*metrics/mAP_0.5 + 0.9*metrics/mAP_0.5:0.95"}
    history = read(text, derived=derived)
    assert list(history.metrics) == ["metrics/mAP_0.5", "metrics/mAP_0.5:0.95", "fitness"]
    np.testing.assert_allclose(logged(history, "fitness"), [0.221, 0.331])


@pytest.mark.parametrize("as_tensor", [False, True])
def test_tensorboard_scalars(as_tensor: bool) -> None:
    scalars = [(float(i), i, tag, 1 / (i + 1)) for i in range(3) for tag in ("loss", "val/loss")]
    scalars += [(9.0, 2, "epoch", 7.0), (9.0, 0, "hp_metric", -1.0)]
    history = read(event_file(scalars, as_tensor))
    assert list(history.metrics) == ["loss", "val/loss"]
    expected = np.array([1, 1 / 2, 1 / 3], dtype=np.float32).tolist()
    assert logged(history, "loss") == logged(history, "val/loss") == expected
    assert history.coordinates["step"].tolist() == [[0, 1, 2]]
    np.testing.assert_array_equal(history.coordinates["epoch"], [[nan, nan, 7]])


@given(st.lists(st.floats(width=32), min_size=1, max_size=5), st.integers(0, 2**40))
def test_tensorboard_keeps_every_value_and_step(values: list[float], first: int) -> None:
    scalars = [(0.0, first + i, "loss", value) for i, value in enumerate(values)]
    history = read(event_file(scalars))
    np.testing.assert_array_equal(logged(history, "loss"), values)
    assert history.coordinates["step"][0, -1] == first + len(values) - 1


def test_tensorboard_brings_tags_together_that_were_written_one_after_the_other() -> None:
    scalars = [(0.0, i, tag, float(i)) for tag in ("a", "b") for i in range(4)]
    history = read(event_file(scalars))
    assert history.epochs == 4
    assert history.metrics["a"].tolist() == history.metrics["b"].tolist() == [[0, 1, 2, 3]]


def test_tensorboard_files_of_a_folder_are_one_run_and_a_restart_replaces(tmp_path: Path) -> None:
    later = [(50.0 + i, i, "loss", 10.0 + i) for i in range(2, 5)]
    write_events(tmp_path / "exp" / "events.out.tfevents.9.a", later)
    first = [(float(i), i, "loss", float(i)) for i in range(4)]
    write_events(tmp_path / "exp" / "events.out.tfevents.9.b", first)
    (tmp_path / "exp" / "events.out.tfevents.9.c").write_bytes(event_file([]))
    history = es.read_history(tmp_path)
    assert history.names == ("exp",)
    assert logged(history, "loss") == [0, 1, 12, 13, 14]
    assert "resumed" in str(history.report)
    assert "2 rows replaced" in str(history.report)


def test_tensorflow_s_train_and_validation_folders_are_one_run(tmp_path: Path) -> None:
    for part, scale in (("train", 1.0), ("validation", 2.0)):
        scalars = [(float(i), i, "epoch_loss", scale * i) for i in range(3)]
        write_events(tmp_path / "logs" / part / "events.out.tfevents.1.v2", scalars, as_tensor=True)
    history = es.read_history(tmp_path / "logs")
    assert history.runs == 1
    assert logged(history, "validation/epoch_loss") == [0, 2, 4]
    assert es.replay(es.Patience("validation/epoch_loss", 1), history).epochs.tolist() == [2]


def test_a_run_of_tensorboard_is_named_by_its_folder(tmp_path: Path) -> None:
    for name in ("big", "small"):
        write_events(tmp_path / name / "events.out.tfevents.1.machine", [(0.0, 1, "loss", 0.5)])
    assert es.read_history(tmp_path).names == ("big", "small")
    assert es.read_history(tmp_path / "*" / "events*").names == ("big", "small")


def mlflow_run(folder: Path, metrics: dict[str, list[str]], name: str = "brave-fox") -> Path:
    write(folder / "meta.yaml", f"artifact_uri: x\nrun_id: a\nrun_name: {name}\n")
    write(folder / "params" / "lr", "0.1")
    write(folder / "tags" / "mlflow.user", "me")
    for metric, lines in metrics.items():
        write(folder / "metrics" / metric, "".join(f"{line}\n" for line in lines))
    return folder


def test_mlflow_with_steps(tmp_path: Path) -> None:
    loss = [f"{1600000000000 + i} {v} {i}" for i, v in enumerate(["0.5", "nan", "0.25"])]
    val = [f"{1600000000005 + i} {i} {i}" for i in (0, 2)]
    run = mlflow_run(
        tmp_path / "7" / "abc", {"train/loss": loss, "val": val, "end": ["1600000000009 42 0"]}
    )
    history = es.read_history(run)
    assert history.names == ("brave-fox",)
    np.testing.assert_array_equal(logged(history, "train/loss"), [0.5, nan, 0.25])
    assert history.reported("val").tolist()[0][:3] == [True, False, True]
    assert logged(history, "end") == [42]
    single = es.read_history(run / "metrics" / "train" / "loss")
    assert list(single.metrics) == ["train/loss"]


def test_mlflow_without_steps_goes_by_lines_and_times(tmp_path: Path) -> None:
    loss = [f"{1600000000000 + 10 * i} {i} 0" for i in range(6)]
    val = [f"{1600000000005 + 20 * i} {10 * i} 0" for i in range(3)]
    mlflow_run(tmp_path / "7" / "abc", {"loss": loss, "val": val}, "a")
    mlflow_run(tmp_path / "7" / "def", {"loss": loss[:2]}, "a")
    history = es.read_history(tmp_path)
    assert history.runs == 2
    assert len(set(history.names)) == 2
    assert history.lengths.tolist() == [6, 2]
    expected = [True, False, True, False, True, False]
    assert history.reported("val")[0].tolist() == expected


def test_wandb_history_and_what_stands_beside_it(tmp_path: Path) -> None:
    text = (
        "val/loss,train/loss,iter,_step,_timestamp,Sample\n"
        "4.2,,0.0,0,1779553121.7,\n"
        ",4.3,0.0,1,1779553121.9,\n"
        ",,,2,1779553122.0,\"{'_type': 'html-file', 'size': 3}\"\n"
    )
    history = read(text)
    assert list(history.metrics) == ["val/loss", "train/loss"]
    assert history.reported("val/loss")[0].tolist()[:2] == [True, False]
    rows = [
        {
            "_step": 0,
            "_runtime": 1,
            "_timestamp": 5,
            "loss": 0.5,
            "plot": {"_type": "html", "n": 3},
        },
        {"_step": 1, "_runtime": 2, "_timestamp": 6, "loss": 0.25},
    ]
    history = read("".join(json.dumps(row) + "\n" for row in rows))
    assert list(history.metrics) == ["loss"]
    assert set(history.coordinates) == {"_step", "_runtime", "_timestamp"}


def test_wandb_chart_has_its_runs_as_columns() -> None:
    names = ["river-34 - data.gap_mean", "a - b-2 - data.gap_mean"]
    header = ["Step", *(f"{name}{end}" for name in names for end in ("", "__MIN", "__MAX"))]
    rows = [["0", *["0.5"] * 3, *["0.7"] * 3], ["1", *["0.4"] * 3, *[""] * 3]]
    text = "".join(",".join(f'"{c}"' for c in row) + "\n" for row in [header, *rows])
    history = read(text)
    assert history.names == ("river-34", "a - b-2")
    assert list(history.metrics) == ["data.gap_mean"]
    assert history.lengths.tolist() == [2, 1]


def test_mmengine_counts_validation_in_epochs() -> None:
    rows: list[dict[str, Any]] = []
    for epoch in (1, 2, 3):
        for i in (1, 2):
            step = 2 * (epoch - 1) + i
            rows.append({"loss": 1 / step, "epoch": epoch, "iter": step, "step": step, "time": 1.0})
        rows.append({"coco/AP": epoch / 10, "coco/AP (M)": -1.0, "time": 9.0, "step": epoch})
    history = read("\n".join(map(json.dumps, rows)))
    assert logged(history, "coco/AP") == [0.1, 0.2, 0.3]
    assert logged(history, "loss") == [1 / step for step in range(1, 7)]
    assert history.lengths.tolist() == [9]
    assert "coco/AP (M)" not in history.metrics
    assert "coco/AP (M)" in str(history.report)


def test_mmcv_iterations_begin_anew_with_each_epoch() -> None:
    rows: list[dict[str, Any]] = [{"env_info": "x", "seed": None}, {}]
    for epoch in (1, 2):
        for i in (50, 100):
            rows.append({"mode": "train", "epoch": epoch, "iter": i, "loss": 1.0, "lr": 0.1})
        rows.append({"mode": "val", "epoch": epoch, "iter": 7, "bbox_mAP": 0.5, "lr": 0.1})
    history = read("\n".join(map(json.dumps, rows)))
    assert history.runs == 1
    assert (len(logged(history, "loss")), len(logged(history, "bbox_mAP"))) == (4, 2)


def test_catboost(tmp_path: Path) -> None:
    document = {
        "meta": {
            "learn_metrics": [{"best_value": "Min", "name": "RMSE"}],
            "test_metrics": [
                {"best_value": "Min", "name": "RMSE"},
                {"best_value": "Max", "name": "R2"},
            ],
            "learn_sets": ["learn"],
            "test_sets": ["test"],
        },
        "iterations": [
            {"learn": [3.0 - i], "test": [4.0, 0.1 * i], "iteration": i, "passed_time": 0.5}
            for i in range(3)
        ],
    }
    path = write(tmp_path / "catboost_training.json", json.dumps(document))
    history = es.read_history(path)
    assert logged(history, "learn/RMSE") == [3, 2, 1]
    assert history.report is not None
    assert history.report.modes["test/R2"] == "max"
    for part, values in (("learn", [3, 2, 1]), ("test", [4, 4, 4])):
        rows = "".join(f"{i}\t{v}\n" for i, v in enumerate(values))
        write(tmp_path / f"{part}_error.tsv", f"iter\tRMSE\n{rows}")
    write(tmp_path / "time_left.tsv", "iter\tPassed\tRemaining\n0\t10\t20\n")
    assert es.read_history(tmp_path).runs == 1
    path.unlink()
    history = es.read_history(tmp_path)
    assert (logged(history, "learn/RMSE"), logged(history, "test/RMSE")) == ([3, 2, 1], [4, 4, 4])


def test_evals_result_and_runs_by_name() -> None:
    sets = {"validation_0": {"logloss": [0.5, 0.4]}, "validation_1": {"logloss": [0.6, 0.7]}}
    history = read(json.dumps(sets))
    assert list(history.metrics) == ["validation_0/logloss", "validation_1/logloss"]
    runs = {"big": {"loss": [3, 2, 1]}, "small": {"loss": [5, 4]}}
    history = read(json.dumps(runs))
    assert history.names == ("big", "small")
    assert history.lengths.tolist() == [3, 2]


def test_data_frames_written_as_json() -> None:
    frame = pandas.DataFrame({"loss": [0.5] * 11, "val_loss": [*range(11)]})
    history = read(frame.to_json())
    assert logged(history, "val_loss") == list(range(11))


def test_skorch_has_batches_and_an_interrupted_epoch() -> None:
    epochs: list[dict[str, Any]] = [
        {"batches": [{"train_loss": 9.0}], "epoch": 1, "valid_loss": 0.5, "valid_loss_best": True},
        {"batches": [], "epoch": 2, "valid_loss": 0.4, "event_cp": True},
        {"batches": [{"train_loss": 9.0}], "epoch": 3},
    ]
    history = read(json.dumps(epochs))
    assert list(history.metrics) == ["valid_loss"]
    assert logged(history, "valid_loss") == [0.5, 0.4]


def test_allennlp_has_a_file_an_epoch(tmp_path: Path) -> None:
    for epoch in range(12):
        metrics = {"epoch": epoch, "training_loss": 1.0, "validation_loss": epoch, "best_epoch": 3}
        write(tmp_path / f"metrics_epoch_{epoch}.json", json.dumps(metrics))
    write(tmp_path / "metrics.json", json.dumps({"epoch": 3, "training_loss": 1.0}))
    history = es.read_history(tmp_path)
    assert logged(history, "validation_loss") == list(range(12))
    assert list(history.metrics) == ["training_loss", "validation_loss"]


def test_autogluon_s_models_are_runs_and_errors_are_named_so() -> None:
    curves = [[[0.5, 0.4, 0.3], [0.6, 0.5, 0.55]], [[0.5, 0.6, 0.7], [0.4, 0.5, 0.6]]]
    splits = ["train", "val"]
    about = {"problem_type": "binary"}
    old = [about, {"GBM": [["accuracy", "f1"], curves], "NN": [["accuracy", "f1"], curves]}]
    new = [about, [{"GBM": [splits, ["accuracy", "f1"], curves]}]]
    for document, names in ((old, ("GBM", "NN")), (new, ("GBM",))):
        history = read(json.dumps(document))
        assert history.names == names
        assert logged(history, "val/accuracy_error") == [0.6, 0.5, 0.55]
        assert logged(history, "val/f1") == [0.4, 0.5, 0.6]


def test_numpy_files(tmp_path: Path) -> None:
    for array in (np.arange(5.0), np.arange(6, dtype=np.int32).reshape(2, 3)):
        np.save(tmp_path / "a.npy", np.asfortranarray(array))
        history = es.read_history(tmp_path / "a.npy", value_name="return")
        np.testing.assert_array_equal(history.metrics["return"], np.atleast_2d(array))
    table = np.array([(0, 0.5), (1, 0.25)], dtype=[("epoch", "i4"), ("loss", "f4")])
    np.save(tmp_path / "a.npy", table)
    history = es.read_history(tmp_path / "a.npy")
    assert logged(history, "loss") == [0.5, 0.25]
    assert history.coordinates["epoch"].tolist() == [[0, 1]]


def test_parquet_and_arrow_files(tmp_path: Path) -> None:
    table = pyarrow.table({"epoch": [0, 1, 2], "loss": [0.5, None, nan], "who": ["a", "b", "c"]})
    pyarrow.parquet.write_table(table, tmp_path / "a.bin")
    pyarrow.feather.write_feather(table, str(tmp_path / "b.bin"), compression="uncompressed")
    for name in ("a.bin", "b.bin"):
        history = es.read_history(tmp_path / name)
        assert history.reported("loss").tolist() == [[True, False, True]]
        np.testing.assert_array_equal(logged(history, "loss"), [0.5, nan])


COLUMNS = {"epoch": [0, 1, 2], "loss": [0.5, None, 0.25]}


@pytest.mark.parametrize(
    "frame",
    [
        pandas.DataFrame(COLUMNS),
        pandas.DataFrame(COLUMNS).set_index("epoch"),
        pandas.DataFrame(COLUMNS).convert_dtypes(),
        polars.DataFrame(COLUMNS),
        polars.LazyFrame(COLUMNS),
        pyarrow.table(COLUMNS),
    ],
    ids=["pandas", "pandas index", "pandas nullable", "polars", "polars lazy", "pyarrow"],
)
def test_frames_in_memory(frame: Any) -> None:
    history = es.read_history(frame)
    assert history.reported("loss").tolist() == [[True, False, True]]
    assert history.coordinates["epoch"].tolist() == [[0, 1, 2]]


def test_a_nan_of_a_frame_is_a_value_where_the_frame_has_other_gaps() -> None:
    frame = {"loss": [0.5, nan, 0.25]}
    assert es.read_history(polars.DataFrame(frame)).reported("loss").all()
    assert es.read_history(pandas.DataFrame(frame), nan_is_gap=False).reported("loss").all()
    assert not es.read_history(pandas.DataFrame(frame)).reported("loss").all()


def test_text_through_patterns() -> None:
    text = "Batch 2\nTraining Loss: 0.5\nModel test error: 0.6\n\nTraining Loss: 0.4\n"
    history = read(text, pattern=r"(?P<name>Training Loss|Model test error): (?P<value>\S+)")
    assert logged(history, "Training Loss") == [0.5, 0.4]
    assert history.reported("Model test error").tolist() == [[True, False]]
    text = "Epoch 1: x=3\r\nEpoch 1: y=5\r\nEpoch 2: x=nan\r10%\rEpoch 2: y=1e-3\r\n"
    history = read(text, pattern=[r"Epoch (?P<epoch>\d+)", r"x=(?P<x>\S+)", r"y=(?P<y>\S+)"])
    np.testing.assert_array_equal(history.metrics["x"], [[3, nan]])
    assert history.metrics["y"].tolist() == [[5, 1e-3]]
    assert history.coordinates["epoch"].tolist() == [[1, 2]]


def test_long_tables_by_phase_and_by_run() -> None:
    text = "run,epoch,phase,loss\na,0,train,3\na,0,val,4\nb,0,train,5\na,1,train,2\nb,0,val,6\n"
    history = read(text)
    assert history.names == ("a", "b")
    assert logged(history, "train/loss") == [3, 2]
    assert logged(history, "val/loss", 1) == [6]
    assert history.lengths.tolist() == [2, 1]


def test_decimal_commas_where_another_separator_stands() -> None:
    assert logged(read("epoch;loss\n0;0,5\n1;1,25e-1\n"), "loss") == [0.5, 0.125]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(encoding: str) -> None:
    text = "epoch,größe\n0,1.5\n1,2.5\n"
    assert logged(read(text.encode(encoding)), "größe") == [1.5, 2.5]
    lines = '{"epoch": 0, "größe": 1.5}\n{"epoch": 1, "größe": 2.5}\n'
    assert logged(read(lines.encode(encoding)), "größe") == [1.5, 2.5]


def test_text_in_an_old_encoding_needs_to_be_told() -> None:
    data = "epoch,größe\n0,1.5\n".encode("latin-1")
    with pytest.raises(es.LogError, match="encoding"):
        read(data)
    assert logged(read(data, encoding="latin-1"), "größe") == [1.5]


def test_packed_files_and_text_files(tmp_path: Path) -> None:
    text = "epoch,loss\n0,1.5\n"
    path = write(tmp_path / "log.csv.gz", gzip.compress(text.encode()))
    assert es.read_history(path).names == ("log",)
    assert logged(es.read_history(io.StringIO(text)), "loss") == [1.5]
    with open(write(tmp_path / "log.csv", text)) as file:
        assert logged(es.read_history(file), "loss") == [1.5]


def test_the_name_of_a_file_says_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "weights.json", "epoch,loss\n0,1.5\n")
    assert logged(es.read_history(path), "loss") == [1.5]


def test_names_are_what_tells_the_runs_apart(tmp_path: Path) -> None:
    for version in (0, 1, 10, 2):
        folder = tmp_path / "logs" / f"version_{version}"
        write(folder / "metrics.csv", f"epoch,loss\n0,{version}\n")
        write(folder / "hparams.yaml", "lr: 0.1\n")
    history = es.read_history(tmp_path)
    assert history.names == ("version_0", "version_1", "version_2", "version_10")
    assert history.metrics["loss"].ravel().tolist() == [0, 1, 2, 10]
    by_pattern = es.read_history(tmp_path / "logs" / "*" / "metrics.csv")
    assert by_pattern.names == history.names
    listed = es.read_history([tmp_path / "logs" / "version_1", tmp_path / "logs" / "version_2"])
    assert listed.names == ("version_1", "version_2")


def test_the_same_file_twice_still_makes_different_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "epoch,loss\n0,1\n0,2\n1,1\n0,5\n1,6\n")
    history = es.read_history([path, path])
    assert history.runs == 4
    assert len(set(history.names)) == 4


def test_runs_of_different_metrics_are_one_history(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "epoch,loss\n0,1\n1,2\n")
    write(tmp_path / "b.json", json.dumps({"val_acc": [0.5, 0.6, 0.7]}))
    history = es.read_history([tmp_path / "a.csv", tmp_path / "b.json"])
    assert history.names == ("a", "b")
    assert history.reported("loss").tolist() == [[True, True, False], [False] * 3]
    assert history.lengths.tolist() == [2, 3]


def test_only_the_metrics_that_are_wanted_are_kept() -> None:
    text = "epoch,a,b,c\n0,1,2,3\n"
    assert list(read(text, metrics="b").metrics) == ["b"]
    assert list(read(text, metrics=["c"], derived={"d": "a + b"}).metrics) == ["c", "d"]
    assert list(read(text, metrics=[], derived={"d": lambda m: m["a"]}).metrics) == ["d"]
    with pytest.raises(es.MissingMetricError, match="did you mean"):
        read("epoch,loss\n0,1\n", metrics="los")


def test_a_format_can_be_named_and_one_s_own_added() -> None:
    with pytest.raises(es.LogError, match="did you mean 'keras_history'"):
        read("x", format="keras_histroy")
    with pytest.raises(es.LogError, match="expected a record"):
        read("epoch,loss\n0,1\n", format="tensorboard")
    with pytest.raises(es.LogError, match="already"):
        es.logs.register(es.logs.LogFormat("table", lambda log: True, lambda log: []))


def test_one_s_own_format_is_tried_before_those_of_the_library() -> None:
    def only_row(log: es.logs.Source) -> Iterator[es.logs.Run]:
        rows = log.rows()
        rows.add({"mine": 1.0})
        yield rows.run()

    text = "epoch,loss\n0,1\n"
    assert list(read(text).metrics) == ["loss"]
    es.logs.register(es.logs.LogFormat("all_mine", lambda log: True, only_row))
    assert list(read(text).metrics) == ["mine"]


def test_every_format_has_a_module_and_a_name_of_its_own() -> None:
    names = [format.name for format in es.logs.formats()]
    assert len(set(names)) == len(names)
    folder = Path(es.logs.__file__).parent / "formats"
    modules = {path.stem for path in folder.glob("*.py") if "FORMAT = " in path.read_text()}
    assert set(names) - {"mine"} == modules


def test_a_folder_holds_other_files_too(tmp_path: Path) -> None:
    write(tmp_path / "run" / "log.csv", "epoch,loss\n0,1\n")
    write(tmp_path / "run" / "weights.pt", b"PK\x03\x04" + bytes(100))
    write(tmp_path / "run" / "labels.csv", "name,width\na,3\nb,4\n")
    write(tmp_path / "run" / "config.json", '{"lr": 0.1, "layers": 3}')
    write(tmp_path / "run" / ".git" / "log.csv", "epoch,loss\n0,1\n")
    history = es.read_history(tmp_path)
    assert history.runs == 1
    assert history.report is not None
    assert len(history.report.skipped) == 3
    assert es.read_history(tmp_path / "run" / "labels.csv").runs == 1


def test_links_do_not_lead_out_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "outside" / "log.csv", "epoch,loss\n0,1\n")
    write(tmp_path / "inside" / "own.csv", "epoch,loss\n0,2\n")
    os.symlink(tmp_path / "outside" / "log.csv", tmp_path / "inside" / "link.csv")
    os.symlink(tmp_path / "outside", tmp_path / "inside" / "folder")
    os.symlink(tmp_path / "inside", tmp_path / "inside" / "loop")
    assert logged(es.read_history(tmp_path / "inside"), "loss") == [2]
    assert es.read_history(tmp_path / "inside").runs == 1


def test_progress_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "log.csv", "epoch,loss\n0,1\n")
    es.read_history(tmp_path, progress=True)
    assert "read_history" in capsys.readouterr().err
