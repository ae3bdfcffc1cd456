"""Logs of training tools, read as the tools write them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

import earlystop as es
from tests.logs.reading import logged, read, write

nan = math.nan


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


def test_sparse_rows_of_lightning_s_csv_logger_are_merged_by_step(tmp_path: Path) -> None:
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


def test_the_trainer_states_of_a_transformers_run_are_one_run(tmp_path: Path) -> None:
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


def test_names_and_values_that_ultralytics_pads_are_stripped() -> None:
    text = (
        "               epoch,     metrics/mAP_0.5,metrics/mAP_0.5:0.95\n"
        "                   0,             0.41000,             0.20000\n"
        "                   1,             0.52000,             0.31000\n"
    )
    derived = {"fitness": "0.1*metrics/mAP_0.5 + 0.9*metrics/mAP_0.5:0.95"}
    history = read(text, derived=derived)
    assert list(history.metrics) == ["metrics/mAP_0.5", "metrics/mAP_0.5:0.95", "fitness"]
    np.testing.assert_allclose(logged(history, "fitness"), [0.221, 0.331])


def mlflow_run(folder: Path, metrics: dict[str, list[str]], name: str = "brave-fox") -> Path:
    write(folder / "meta.yaml", f"artifact_uri: x\nrun_id: a\nrun_name: {name}\n")
    write(folder / "params" / "lr", "0.1")
    write(folder / "tags" / "mlflow.user", "me")
    for metric, lines in metrics.items():
        write(folder / "metrics" / metric, "".join(f"{line}\n" for line in lines))
    return folder


def test_mlflow_metrics_are_aligned_by_step(tmp_path: Path) -> None:
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


def test_mlflow_metrics_without_steps_are_aligned_by_time(tmp_path: Path) -> None:
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


def test_wandb_history_is_read_without_its_media_columns(tmp_path: Path) -> None:
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


def test_the_columns_of_a_wandb_chart_are_runs() -> None:
    names = ["river-34 - data.gap_mean", "a - b-2 - data.gap_mean"]
    header = ["Step", *(f"{name}{end}" for name in names for end in ("", "__MIN", "__MAX"))]
    rows = [["0", *["0.5"] * 3, *["0.7"] * 3], ["1", *["0.4"] * 3, *[""] * 3]]
    text = "".join(",".join(f'"{c}"' for c in row) + "\n" for row in [header, *rows])
    history = read(text)
    assert history.names == ("river-34", "a - b-2")
    assert list(history.metrics) == ["data.gap_mean"]
    assert history.lengths.tolist() == [2, 1]


def test_validation_rows_of_mmengine_count_epochs_instead_of_steps() -> None:
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


def test_mmcv_iterations_that_restart_with_each_epoch_are_one_run() -> None:
    rows: list[dict[str, Any]] = [{"env_info": "x", "seed": None}, {}]
    for epoch in (1, 2):
        for i in (50, 100):
            rows.append({"mode": "train", "epoch": epoch, "iter": i, "loss": 1.0, "lr": 0.1})
        rows.append({"mode": "val", "epoch": epoch, "iter": 7, "bbox_mAP": 0.5, "lr": 0.1})
    history = read("\n".join(map(json.dumps, rows)))
    assert history.runs == 1
    assert (len(logged(history, "loss")), len(logged(history, "bbox_mAP"))) == (4, 2)


def test_catboost_writes_one_document_or_a_table_per_set(tmp_path: Path) -> None:
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


def test_nested_results_are_data_sets_or_runs_by_name() -> None:
    sets = {"validation_0": {"logloss": [0.5, 0.4]}, "validation_1": {"logloss": [0.6, 0.7]}}
    history = read(json.dumps(sets))
    assert list(history.metrics) == ["validation_0/logloss", "validation_1/logloss"]
    runs = {"big": {"loss": [3, 2, 1]}, "small": {"loss": [5, 4]}}
    history = read(json.dumps(runs))
    assert history.names == ("big", "small")
    assert history.lengths.tolist() == [3, 2]


def test_skorch_batches_and_an_interrupted_epoch_are_left_out() -> None:
    epochs: list[dict[str, Any]] = [
        {"batches": [{"train_loss": 9.0}], "epoch": 1, "valid_loss": 0.5, "valid_loss_best": True},
        {"batches": [], "epoch": 2, "valid_loss": 0.4, "event_cp": True},
        {"batches": [{"train_loss": 9.0}], "epoch": 3},
    ]
    history = read(json.dumps(epochs))
    assert list(history.metrics) == ["valid_loss"]
    assert logged(history, "valid_loss") == [0.5, 0.4]


def test_the_files_that_allennlp_writes_per_epoch_are_one_run(tmp_path: Path) -> None:
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
