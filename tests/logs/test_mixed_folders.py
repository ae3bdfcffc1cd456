"""Folders as they are: logs among files of all other kinds."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.logs.glance import is_prose
from earlystop.logs.options import Options
from tests.logs.reading import logged, write
from tests.support.sample_logs import samples

LOG = "epoch,loss,val_loss\n0,0.9,1.0\n1,0.5,0.8\n2,0.4,0.9\n"


def runs_beside(folder: Path, name: str, content: str | bytes) -> es.History:
    """What is read of a folder with one good log and this file."""
    write(folder / "metrics.csv", LOG)
    write(folder / name, content)
    return es.read_history(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.log", "[2024-05-01 10:00:00][INFO] - Starting\n[2024-05-01 10:00:05] - done\n"),
        ("setup.txt", "[project]\nname = 'mine'\n"),
        ("notes.txt", "[![badge](https://example.org/b.svg)](https://example.org)\n\n# Mine\n"),
        ("braces.txt", "{not json at all\n"),
        ("points.csv", "1,2\n3,4\n"),
        ("confusion.csv", "class,cat,dog\ncat,5,1\ndog,2\n"),
        ("per_class.csv", ",precision,recall,f1-score\ncat,0.5,0.6,0.55\ndog,0.7,0.8,0.75\n"),
        ("scores.csv", "id,score\n1,0.5\n2,unknown\n"),
        ("features.csv", "width,height\n1,2\n3,4\n"),
        ("never_began.csv", "epoch,loss,val_loss\n"),
        ("hyperparameters.csv", "lr,epochs,seed\n0.1,10,1\n"),
        ("tried.csv", "lr,Batch size,epochs,acc\n.1,8,5,.5\n.1,8,9,.6\n.1,16,5,.4\n.1,16,9,.7\n"),
        ("tried.csv", "optimizer,epochs,val_loss\nsgd,5,.5\nadam,5,.6\n"),
        ("lists.json", '{"rate": 0.1, "layers": [64, 32], "betas": [0.9, 0.99, 0.999]}'),
        ("results.json", '{"a": {"b": "c"}, "d": [[1, 2], [3]]}'),
        ("empty.csv", ""),
        ("blob.dat", bytes(range(256)) * 20),
    ],
)
def test_a_file_that_is_no_log_does_not_end_the_reading_of_a_folder(
    name: str, content: str | bytes, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = runs_beside(tmp_path, name, content)
    assert history.names == ("metrics",)
    assert logged(history, "val_loss") == [1.0, 0.8, 0.9]
    assert history.report is not None
    assert [Path(file.source).name for file in history.report.skipped] == [name]


@given(content=st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode()))
def test_no_content_of_a_file_without_a_counter_ends_the_reading(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    content = content.replace(b"e", b"_").replace(b"i", b"_").replace(b"\x89", b"_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.LogWarning)
        assert "metrics" in runs_beside(folder, "other", content).names


def test_what_looks_like_a_log_and_cannot_be_read_is_listed_at_the_end(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "loss,accuracy\n0.5,0.7\n0.4\n")
    write(tmp_path / "b.json", '{"val_loss": [1.0, 0.5, ')
    with pytest.warns(es.LogWarning) as warned:
        history = runs_beside(tmp_path, "c.csv", "loss,accuracy\n0.5,0.7\n0.4,many\n")
    assert history.names == ("metrics",)
    (one,) = warned
    assert "3 files look like logs but could not be read" in str(one.message)
    assert all(name in str(one.message) for name in ("a.csv", "b.json", "c.csv", "line 3"))
    assert one.filename == __file__


def test_the_damage_of_a_proven_log_still_ends_the_reading(tmp_path: Path) -> None:
    with pytest.raises(es.LogError, match="line 3"):
        runs_beside(tmp_path, "damaged.csv", "epoch,loss\n0,1\n1,one\n2,0.5\n")


@pytest.mark.parametrize(
    "text",
    [
        "rollout/ep_rew_mean,train/loss\n10.5,\n20.5,0.3\n18.0,0.2\n",
        "loss,accuracy\n1.0,0.1\n0.9,0.2\n",
        "train_a,val_a\n1.0,0.1\n0.9,0.2\n",
    ],
)
def test_a_table_of_known_metrics_is_read_in_the_order_of_its_rows(
    text: str, tmp_path: Path
) -> None:
    alone = es.read_history(write(tmp_path / "progress.csv", text))
    history = es.read_history(tmp_path)
    assert history.metrics.keys() == alone.metrics.keys()
    for name in alone.metrics:
        assert logged(history, name) == logged(alone, name)
    assert "no column is known to count its rows" in str(history.report)


def test_hidden_files_sources_settings_and_weights_are_passed_over(tmp_path: Path) -> None:
    for name in (
        *(".metrics.csv.Xa3f2k", "train.py", "plot.ipynb", "args.json", "model_config.json"),
        *("best.pt", "README", "requirements.txt", "hparams.yaml", "run.sh", "curve.png"),
    ):
        write(tmp_path / name, LOG)
    history = runs_beside(tmp_path, "params_history.csv", LOG.replace("0.9", "0.7"))
    assert history.names == ("metrics", "params_history")
    assert "11 files passed over" in str(history.report)
    named = es.read_history(tmp_path / ".metrics.csv.Xa3f2k")
    assert logged(named, "val_loss") == [1.0, 0.8, 0.9]


def test_a_folder_of_what_is_passed_over_says_so(tmp_path: Path) -> None:
    write(tmp_path / "a.py", "print(1)\n")
    write(tmp_path / "b.pt", b"PK\x03\x04")
    with pytest.raises(es.LogError, match=r"no file in this folder that may be a log: 2 files"):
        es.read_history(tmp_path)


def test_links_of_a_folder_are_told(tmp_path: Path) -> None:
    stored = write(tmp_path / "store" / "x1", LOG)
    (tmp_path / "runs").mkdir()
    os.symlink(stored, tmp_path / "runs" / "a.csv")
    with pytest.raises(es.LogError, match=r"1 link left out: to follow them, name them, or give"):
        es.read_history(tmp_path / "runs")
    assert es.read_history(tmp_path / "runs" / "*").names == ("a",)
    write(tmp_path / "runs" / "b.csv", LOG)
    assert "1 link left out" in str(es.read_history(tmp_path / "runs").report)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[2024-01-01 10:00:00] epoch 1 loss=0.5\n", "pattern"),
        ("[INFO] starting\n", "pattern"),
        ("[1/10] loss 0.5\n", "pattern"),
        ('{"loss": [1, 2\n', "expected JSON"),
        ('[{"loss": 1}, {"loss": 2}\n', "expected JSON"),
        ("[0.5, 0.25\n", "expected JSON"),
    ],
)
def test_text_in_brackets_is_told_from_broken_json(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(es.LogError, match=words):
        es.read_history(write(tmp_path / "file", text))


def test_of_many_texts_that_are_no_logs_only_a_glance_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        write(tmp_path / f"{number}.txt", "a note, of 2 lines\nand, well: 3 numbers, 4 even\n" * 50)
        write(tmp_path / "boxes" / f"{number}.txt", "0 0.5 0.5 0.25 0.25\n1 0.5 0.5 0.125 0.1\n")
    write(tmp_path / "metrics.csv", LOG)
    looked: list[object] = []

    def formats() -> list[es.logs.LogFormat]:
        looked.append(None)
        return es.logs.formats()

    monkeypatch.setattr("earlystop.logs.registry.formats", formats)
    assert es.read_history(tmp_path).runs == 1
    assert len(looked) == 1


@given(data=st.text(alphabet="ab .:=\n1,\t[{#-", max_size=60) | st.sampled_from(samples()))
def test_what_is_prose_at_a_glance_has_no_format(data: str | bytes) -> None:
    data = data.encode() if isinstance(data, str) else data
    log = es.logs.Source("text", Options(), content=data)
    if is_prose(log):
        assert not any(format.recognise(log) for format in es.logs.formats())


def test_a_table_of_data_is_told_by_its_header_alone(tmp_path: Path) -> None:
    write(tmp_path / "data.csv", "x,y,z\n" + "1.5,2.5,3.5\n" * 100)
    write(tmp_path / "labels.txt", "0 0.5 0.5 0.1 0.1\n1 0.25 0.5 0.1 0.1\n")
    write(tmp_path / "metrics.csv", LOG)
    history = es.read_history(tmp_path, limits=es.logs.Limits(values=50))
    assert history.names == ("metrics",)
    assert "neither a column that counts" in str(history.report)
    assert "more than 50 values" not in str(history.report)


@pytest.mark.parametrize("text", ["loss\n0.5\n0.25\n", "epoch loss\n0 0.5\n1 0.25\n"])
def test_tables_of_one_column_or_of_blanks_are_read_in_a_folder(text: str, tmp_path: Path) -> None:
    write(tmp_path / "log.txt", text)
    assert logged(es.read_history(tmp_path), "loss") == [0.5, 0.25]


def saved(array: npt.NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("recipe.txt", '{"max_words": 150, "batch_size": 64, "epochs": 5, "patience": 2}'),
        ("errors.csv", "idx,y_true,y_pred,abs_error\n0,1.5,1.25,0.25\n1,2.5,2.0,0.5\n"),
        ("errors.csv", "Actual,Predicted,Error\n1.5,1.25,0.25\n2.5,2.0,0.5\n"),
        ("outputs20_21.npy", saved(np.array([0, 1, 1, 0, 1] * 9))),
        ("players.csv", "Season,Round,Team,goals\n20-21,1,A,2\n20-21,1,B,0\n20-21,2,A,1\n"),
        ("players.csv", "round,goals,cards\n1,2,0\n1,0,1\n2,1,0\n"),
        ("distances.npy", saved(np.ones((3, 4)))),
        ("ade_val_0001.npy", saved(np.ones((3, 4), np.uint8))),
    ],
)
def test_settings_predictions_and_pictures_are_no_runs_of_a_folder(
    name: str, content: str | bytes, tmp_path: Path
) -> None:
    history = runs_beside(tmp_path, name, content)
    assert history.names == ("metrics",)
    assert f"{name}: no log" in str(history.report)


def test_an_array_of_several_runs_is_read_where_its_file_names_a_metric(tmp_path: Path) -> None:
    np.save(tmp_path / "val_losses.npy", np.full((3, 4), 0.5))
    assert es.read_history(tmp_path).runs == 3


def test_the_file_of_a_monitor_is_a_log_in_a_folder(tmp_path: Path) -> None:
    text = '#{"t_start": 1.5, "env_id": "None"}\nr,l,t\n-3.5,10,0.5\n-2.5,12,0.75\n'
    write(tmp_path / "monitor.csv", text)
    assert logged(es.read_history(tmp_path), "r") == [-3.5, -2.5]


def test_text_in_another_encoding_is_told_as_that(tmp_path: Path) -> None:
    path = write(tmp_path / "train_log.txt", "begun\n\u4e2d loss: 0.5\n".encode("gbk"))
    with pytest.raises(es.LogError, match=r"expected text in utf-8.*pass encoding=\.\.\."):
        es.read_history(path)


def test_rounds_of_a_federated_training_count_the_rows_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "results.csv", "round,loss\n1,0.5\n2,0.25\n")
    assert es.read_history(tmp_path).coordinates["round"].tolist() == [[1, 2]]


def test_a_table_of_one_epoch_is_a_run_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "scores.csv", "Epochs,Height of it\n0,55.5\n")
    assert logged(es.read_history(tmp_path), "Height of it") == [55.5]


def test_a_folder_without_a_log_tells_each_reason_once(tmp_path: Path) -> None:
    for number in range(9):
        write(tmp_path / f"note{number}.txt", "nothing to see\n")
    write(tmp_path / "z.csv", "")
    with pytest.raises(es.LogError) as told:
        es.read_history(tmp_path)
    assert str(told.value).count("plain text of no known format") == 1
    assert "(and so 8 more)" in str(told.value)
    assert "z.csv: expected a log of metrics, got the file is empty" in str(told.value)


def test_a_table_with_numbers_as_names_is_a_log_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "history.csv", "epoch,average_km,25\n0,9.5,0.0\n1,8.5,0.125\n")
    assert logged(es.read_history(tmp_path), "25") == [0.0, 0.125]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("log.csv", "loss,val_loss\n0.9,1.0\n", "a single row that no column counts"),
        ("log.json", '{"loss": [0.9], "val_loss": [1.0]}', "a single row that no column counts"),
        ("log.csv", "class,f1\ncat,0.5\ndog,0.6\n", "text in its rows, and no column"),
        ("log.csv", "a,b\n0.9,1.0\n0.5,0.8\n", "neither a column that counts its rows nor"),
    ],
)
def test_why_a_file_of_a_folder_is_no_log_is_told(
    name: str, content: str, why: str, tmp_path: Path
) -> None:
    history = runs_beside(tmp_path, name, content)
    assert history.names == ("metrics",)
    assert why in str(history.report)
    assert es.read_history(tmp_path / name).runs == 1


def test_the_damage_of_a_log_in_a_folder_is_told_with_the_way_to_read_the_others(
    tmp_path: Path,
) -> None:
    with pytest.raises(es.LogError, match=r"on_error='skip' reads the folder without"):
        runs_beside(tmp_path, "damaged.csv", "epoch,loss\n0,1\n1,x\n2,3\n")
    with pytest.warns(es.LogWarning):
        assert es.read_history(tmp_path, on_error="skip").runs == 2
    with pytest.raises(es.LogError) as caught:
        es.read_history(tmp_path / "damaged.csv")
    assert "on_error" not in str(caught.value)


@pytest.mark.parametrize("first", ["Total: 266,918,912", "loss 0.5", "moved to cpu, 2 of 3"])
def test_lines_of_logging_are_no_table_for_the_comma_of_their_time(
    first: str, tmp_path: Path
) -> None:
    lines = [first, "n 1,000,000", "epoch 1: loss 0.5", "epoch 2: loss 0.25"]
    text = "".join(f"2025-08-17 20:41:44,07{n} - INFO - {line}\n" for n, line in enumerate(lines))
    with pytest.raises(es.LogError, match="plain text of no known format"):
        es.read_history(write(tmp_path / "train.log", text))
    with pytest.warns(es.LogWarning, match="--propose"):
        assert runs_beside(tmp_path, "other.csv", LOG).runs == 2


def test_a_bare_list_of_numbers_is_read_in_a_folder_if_its_name_is_of_a_metric(
    tmp_path: Path,
) -> None:
    content = "[0.9, 0.5, null, 0.4]"
    path = write(tmp_path / "loss_history.json", content)
    assert logged(es.read_history(path, value_name="loss"), "loss") == [0.9, 0.5, 0.4]
    assert es.read_history(tmp_path).names == ("loss_history",)
    history = runs_beside(tmp_path / "other", "thresholds.json", content)
    assert history.names == ("metrics",)
    assert "numbers whose file names no metric" in str(history.report)
