"""The folder of a run of this library is read as one log."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import earlystop as es
from earlystop.checkpoints import MetricsFile


def run(folder: Path, losses: list[float]) -> Path:
    with es.Checkpoints(folder, "{epoch:02d}.csv") as checkpoints:
        file = MetricsFile(folder)
        for epoch, loss in enumerate(losses):
            metrics = {"loss": loss, "elapsed_seconds": epoch + 0.5}
            file.append(epoch, metrics)
            # Not a log, although it looks like one.
            checkpoints.save(
                lambda path: path.write_text("epoch,x\n0,1\n1,2\n"), epoch=epoch, metrics=metrics
            )
    return folder


def test_a_folder_is_one_run_named_after_it_whatever_its_checkpoints_are(tmp_path: Path) -> None:
    history = es.read_history(run(tmp_path / "first", [0.5, math.nan, math.inf]))
    assert history.names == ("first",)
    assert set(history.metrics) == {"loss", "elapsed_seconds"}
    assert repr(history.metrics["loss"].tolist()) == "[[0.5, nan, inf]]"
    assert history.reported("loss").all()
    assert history.coordinates["epoch"].tolist() == [[0.0, 1.0, 2.0]]
    assert str(history.report) == f"{tmp_path / 'first'}: earlystop, 1 run"


def test_the_runs_of_a_folder_have_the_names_of_theirs(tmp_path: Path) -> None:
    for name in ("lr=0.1", "lr=0.01"):
        run(tmp_path / name, [0.5])
    assert sorted(es.read_history(tmp_path).names) == ["lr=0.01", "lr=0.1"]
    assert len(es.read_history(f"{tmp_path}/*/metrics.jsonl").names) == 2


def test_a_run_that_was_killed_or_goes_on_is_read_up_to_its_last_whole_line(
    tmp_path: Path,
) -> None:
    run(tmp_path, [0.5, 0.25])
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 2, "lo')
    for source in (tmp_path, tmp_path / "metrics.jsonl"):
        history = es.read_history(source)
        assert history.metrics["loss"].tolist() == [[0.5, 0.25]]
        assert "the last line is not complete, left out" in str(history.report)


def test_checkpoints_that_are_folders_are_no_logs(tmp_path: Path) -> None:
    run(tmp_path, [0.5, 0.25])
    ledger = json.loads((tmp_path / "checkpoints.json").read_text())
    for name in ("00", "", "..", "../other", ".hidden"):
        ledger["checkpoints"].append({"epoch": 0, "file": name})
    (tmp_path / "checkpoints.json").write_text(json.dumps(ledger))
    (tmp_path / "00").mkdir()
    (tmp_path / "00" / "state.csv").write_text("epoch,x\n0,1\n1,2\n")
    assert es.read_history(tmp_path).names == (tmp_path.name,)


@pytest.mark.parametrize("ledger", ["", "[]", '{"checkpoints": 1}', '{"checkpoints": [1, {}]}'])
def test_a_damaged_ledger_does_not_hide_the_metrics(ledger: str, tmp_path: Path) -> None:
    run(tmp_path, [0.5, 0.25])
    for path in tmp_path.glob("*.csv"):
        path.unlink()
    (tmp_path / "checkpoints.json").write_text(ledger)
    assert es.read_history(tmp_path).metrics["loss"].tolist() == [[0.5, 0.25]]


def test_a_line_in_the_middle_that_is_damaged_is_named(tmp_path: Path) -> None:
    run(tmp_path, [0.5])
    for line in ("{", "[]"):
        (tmp_path / "metrics.jsonl").write_text(f'{{"epoch": 0, "loss": 1.0}}\n{line}\n')
        with pytest.raises(es.LogError, match="line 2: expected a JSON object"):
            es.read_history(tmp_path)


def test_checks_that_were_told_where_they_stand_have_these_coordinates(tmp_path: Path) -> None:
    run(tmp_path, [0.5, 0.25])
    file = MetricsFile(tmp_path)
    for check in (2, 3, 4):
        file.append(check, {"epoch": check / 4 + 1, "step": 100.0 * check, "loss": 0.1 / check})
    history = es.read_history(tmp_path)
    assert set(history.metrics) == {"loss", "elapsed_seconds"}
    assert history.coordinates["epoch"].tolist() == [[0.0, 1.0, 1.5, 1.75, 2.0]]
    assert repr(history.coordinates["step"].tolist()) == "[[nan, nan, 200.0, 300.0, 400.0]]"
    result = es.replay(es.EarlyStopping("loss", patience=9), history)
    assert (result.checks[0], result.epochs[0], result.saved_epoch[0]) == (5, 2, 2)


def test_a_metric_of_any_name_is_one_where_no_position_was_told(tmp_path: Path) -> None:
    run(tmp_path, [])
    MetricsFile(tmp_path).append(0, {"check": 0.75})
    assert es.read_history(tmp_path).metrics["check"].tolist() == [[0.75]]
