"""Logs of tools that search: Optuna, KerasTuner, Ludwig, mljar, and databases."""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import earlystop as es
from tests.logs.reading import logged, read, write


def write_optuna(path: Path, direction: str = "MINIMIZE") -> Path:
    with sqlite3.connect(path) as database:
        database.executescript(
            """
            CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name TEXT);
            CREATE TABLE study_directions (study_id INTEGER, direction TEXT, objective INTEGER);
            CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, number INTEGER, study_id INTEGER);
            CREATE TABLE trial_intermediate_values
                (trial_id INTEGER, step INTEGER, intermediate_value REAL,
                 intermediate_value_type TEXT);
            INSERT INTO studies VALUES (1, 'mine');
            INSERT INTO trials VALUES (7, 0, 1), (8, 1, 1), (9, 2, 1);
            INSERT INTO trial_intermediate_values VALUES
                (7, 0, 0.5, 'FINITE'), (7, 2, 0.25, 'FINITE'), (8, 1, NULL, 'NAN'),
                (8, 0, 0.75, 'FINITE'), (8, 2, NULL, 'INF_NEG');
            """
        )
        database.execute("INSERT INTO study_directions VALUES (1, ?, 0)", [direction])
    database.close()
    return path


@pytest.mark.parametrize(("direction", "mode"), [("MINIMIZE", "min"), ("MAXIMIZE", "max")])
def test_the_trials_of_a_storage_of_optuna_are_runs(
    direction: str, mode: str, tmp_path: Path
) -> None:
    path = write_optuna(tmp_path / "study.db", direction)
    before = path.read_bytes()
    for source in (path, tmp_path):
        history = es.read_history(source)
        assert history.names == ("mine 0", "mine 1")
        assert logged(history, "value") == [0.5, 0.25]
        assert logged(history, "value", 1) == pytest.approx(
            [0.75, math.nan, -math.inf], nan_ok=True
        )
        assert history.coordinates["step"][0, :2].tolist() == [0, 2]
        assert history.report is not None
        assert history.report.modes == {"value": mode}
    assert [file.name for file in tmp_path.iterdir()] == ["study.db"]
    assert path.read_bytes() == before


def test_the_database_of_mlflow_is_read(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.executescript(
            """
            CREATE TABLE experiments (experiment_id INTEGER);
            CREATE TABLE runs (run_uuid TEXT, name TEXT);
            CREATE TABLE metrics (key TEXT, value REAL, timestamp INTEGER, run_uuid TEXT,
                                  step INTEGER, is_nan INTEGER);
            INSERT INTO runs VALUES ('u1', 'first'), ('u2', 'second');
            INSERT INTO metrics VALUES ('loss', 0.5, 10, 'u1', 0, 0), ('loss', 0, 20, 'u1', 1, 1),
                ('val/loss', 0.75, 11, 'u1', 0, 0), ('loss', 0.25, 10, 'u2', 0, 0);
            """
        )
    database.close()
    history = es.read_history(tmp_path / "mlflow.db")
    assert history.names == ("first", "second")
    assert logged(history, "loss") == pytest.approx([0.5, math.nan], nan_ok=True)
    assert history.reported("val/loss").tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("CREATE TABLE other (a INTEGER)", "not one of Optuna or MLflow"),
        (
            "CREATE TABLE experiments (a); CREATE TABLE runs (a);CREATE VIEW metrics AS SELECT 1",
            "not one of Optuna or MLflow",
        ),
        (
            "CREATE TABLE experiments (a); CREATE TABLE runs (run_uuid, name);"
            "CREATE TABLE metrics (other)",
            "no such column",
        ),
    ],
)
def test_another_database_is_refused(script: str, words: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.executescript(script)
    database.close()
    with pytest.raises(es.LogError, match=words):
        es.read_history(tmp_path / "a.db")
    write(tmp_path / "log.csv", "epoch,loss\n0,1\n")
    assert es.read_history(tmp_path).runs == 1


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    data = write_optuna(tmp_path / "study.db").read_bytes()
    for size in (16, 100, 5000, len(data) - 4096):
        with pytest.raises(es.LogError):
            es.read_history(write(tmp_path / "cut.db", data[:size]))
    with pytest.raises(es.LogError, match="pass its path"):
        read(data)


def test_values_by_step_are_a_run_whatever_their_order() -> None:
    steps = {2: 0.25, 0: 1.0, 10: 0.125}
    for source in (steps, {str(step): value for step, value in steps.items()}):
        history = es.read_history(source)
        assert logged(history, "value") == [1.0, 0.25, 0.125]
        assert history.coordinates["step"].tolist() == [[0, 2, 10]]
    several = es.read_history([steps, {}, {0: 0.5}], value_name="val_loss")
    assert [logged(several, "val_loss", run) for run in range(2)] == [[1.0, 0.25, 0.125], [0.5]]


def test_numbers_of_things_in_a_folder_are_no_values_by_step(tmp_path: Path) -> None:
    write(tmp_path / "classes.json", '{"0": 7, "1": 3}')
    write(tmp_path / "trial.json", '{"0": 0.5, "1": 0.25}')
    assert es.read_history(tmp_path).names == ("trial",)


def test_the_journal_of_optuna_has_a_run_per_trial() -> None:
    operations: list[dict[str, Any]] = [{"op_code": 0, "study_name": "mine"}, {"op_code": 4}]
    operations += [
        {"op_code": 7, "trial_id": trial, "step": step, "intermediate_value": 0.5 / (step + 1)}
        for step in range(3)
        for trial in range(2)
    ]
    history = read("".join(json.dumps({**o, "worker_id": "w"}) + "\n" for o in operations))
    assert history.names == ("trial 0", "trial 1")
    assert logged(history, "value", 1) == [0.5, 0.25, 0.5 / 3]


def test_the_statistics_of_ludwig_are_one_run() -> None:
    plain = {
        "evaluation_frequency": {"frequency": 1, "period": "epoch"},
        "training": {"combined": {"loss": [1.0, 0.5]}, "label": {"accuracy": [0.5, 0.75]}},
        "validation": {"combined": {"loss": [1.5, 1.0]}},
        "test": {},
    }
    history = read(json.dumps(plain))
    assert logged(history, "validation/combined/loss") == [1.5, 1.0]
    assert logged(history, "training/label/accuracy") == [0.5, 0.75]
    records = [{"epoch": 1, "step": 10, "value": 1.5}, {"epoch": 2, "step": 20, "value": 1.0}]
    newer = read(json.dumps({**plain, "validation": {"combined": {"loss": records}}}))
    assert logged(newer, "validation/combined/loss") == [1.5, 1.0]
    assert newer.coordinates["step"].tolist() == [[10, 20]]


def test_the_rows_of_mljar_have_no_header(tmp_path: Path) -> None:
    path = write(
        tmp_path / "1_Xgboost" / "learner_fold_0_training.log", "0,0.75,0.875\n1,0.5,0.625\n"
    )
    for source in (path, tmp_path):
        history = es.read_history(source)
        assert logged(history, "validation") == [0.875, 0.625]
        assert history.coordinates["iteration"].tolist() == [[0, 1]]
    with pytest.raises(es.LogError, match="line 3"):
        es.read_history(write(path, "0,0.75,0.875\n1,0.5,0.625\n2,x,y\n"))


def test_trials_of_keras_tuner_have_a_history_or_say_that_they_have_none() -> None:
    def trial(steps: int) -> str:
        observations = [{"value": [0.5, 1.0 / (s + 1)], "step": s} for s in range(steps)]
        metric = {"direction": "min", "observations": observations}
        return json.dumps({"trial_id": "00", "metrics": {"metrics": {"val_loss": metric}}})

    history = read(trial(3))
    assert logged(history, "val_loss") == [0.75, 0.5, 0.5 * (0.5 + 1 / 3)]
    assert history.report is not None
    assert history.report.modes == {"val_loss": "min"}
    with pytest.raises(es.LogError, match="only its best value"):
        read(trial(1))


def test_the_state_of_a_search_of_keras_tuner_is_told_as_that() -> None:
    oracle = {"ongoing_trials": {}, "hyperparameters": {"space": [], "values": {}}, "seed": 1}
    with pytest.raises(es.LogError, match=r"the state of a search of KerasTuner, no log"):
        read(json.dumps(oracle))
