"""Files that are no logs, or no longer, or made to do harm: one clear error each."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

import earlystop as es
from tests.support.event_files import event_file, field, record
from tests.support.sample_logs import samples


def refused(data: str | bytes, **options: Any) -> str:
    """What the error says."""
    data = data.encode() if isinstance(data, str) else data
    with pytest.raises(es.LogError) as caught:
        es.read_history(io.BytesIO(data), **options)
    return str(caught.value)


SMALL = es.logs.Limits(line=1000, document=10_000, file=10**6, record=1000, names=50, values=1000)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:5\nsize 5\n", "git lfs pull"),
        ("artifact_uri: file:///x\nrun_id: abc\nstatus: 3\n", "meta.yaml"),
        ('{"system.gpu.0.temp": 37, "_runtime": 0, "_wandb": true}\n', "system metrics"),
        ('{"loss": 0.5, "_step": 9, "_runtime": 3, "_timestamp": 5}', "summary"),
        (b":W&B" + bytes(60), "binary log of Weights & Biases"),
        (pickle.dumps({"loss": [1.0]}), "pickle"),
        (b"PK\x03\x04" + bytes(50), "zip"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        (bytes(range(256)) * 4, "binary"),
        ("Epoch 1/3\nloss: 0.5\n", "pattern"),
        ("Name,State,Created,loss\na,finished,2020,0.5\n", "one row per run"),
        ("epoch,loss\n", "no rows below the header"),
        ("0,0.5\n1,0.4\n", "header"),
        ("epoch,loss\n0,0.5\n1\n", "line 3: expected 2 cells"),
        ("epoch,loss\n0,0.5\n1,oops\n", "line 3: expected a number in the column 'loss'"),
        ('epoch,loss\n0,"0.5\n' + "1,2\n" * 70_000, "expected cells"),
        ('{"epoch": 0, "loss": 1}\n{"epoch": 1, "lo\n', "line 2: expected a JSON object"),
        ('{"loss": [1, 2], "acc": [1]}', "loss 2, acc 1"),
        ('{"log_history": [{"step": 1,', "line 1 column"),
        ('{"log_history": []}', "nothing was logged"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ('{"loss": [' + "1" * 5000 + "]}", "digits"),
        ('{"epoch": 1}', "no metric"),
        (b"\x1f\x8b" + bytes(30), "gzip"),
        (gzip.compress(b"epoch,loss\n0,0.5\n" * 99, mtime=0)[:-20], "gzip"),
        (event_file([(0.0, 1, "loss", 0.5)])[:-3], "cut off"),
        (event_file([]), "without a scalar"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 9) + b"{'descr':", "header of a NumPy array"),
    ],
)
def test_a_file_that_is_not_a_log_is_refused_with_what_it_is(data: str | bytes, words: str) -> None:
    assert words in refused(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("epoch,loss\n0," + "1" * 2000 + "\n", "line 2: the line is longer than 1,000 bytes"),
        ('{"a": 1, "b": "' + "x" * 2000 + '"}\n{"a": 2}', "longer than 1,000"),
        ("[" + " " * 20_000 + "]", "larger than 10,000"),
        ("epoch," + ",".join(f"m{i}" for i in range(60)) + "\n", "columns"),
        ("\n".join(json.dumps({"epoch": i, f"m{i}": 1}) for i in range(60)), "different names"),
        ("epoch,a,b\n" + "0,1,2\n1,1,2\n" * 160, "values"),
        ("run,epoch,a\n" + "".join(f"r{i},1,2\n" for i in range(60)), "50 runs"),
        (event_file([(0.0, 1, "x" * 2000, 0.5)]), "record of"),
        (gzip.compress(b"epoch,loss\n0,1\n" + b"\n" * 10**7), "unpacked"),
    ],
)
def test_limits_bound_what_is_read(data: str | bytes, words: str) -> None:
    assert words in refused(data, limits=SMALL)


def test_a_gzip_bomb_is_refused_by_its_compression_ratio(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(b"epoch,loss\n0,1\n")
        for _ in range(80):
            file.write(b"\n" * 2**20)
    assert path.stat().st_size < 2**17
    with pytest.raises(es.LogError, match="packed file of this size"):
        es.read_history(path)


def test_an_npy_file_that_claims_more_than_it_holds_is_refused() -> None:
    data = io.BytesIO()
    np.save(data, np.arange(5.0))
    claimed = data.getvalue().replace(b"(5,)", b"(5000000000000,)".ljust(4))
    assert "header" in refused(claimed)
    assert "claims" in refused(data.getvalue()[:-8])
    objects = io.BytesIO()
    np.save(objects, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "Python objects: not read" in refused(objects.getvalue())
    three = io.BytesIO()
    np.save(three, np.zeros((2, 2, 2)))
    assert "(2, 2, 2)" in refused(three.getvalue())


def test_a_record_that_claims_more_than_the_file_holds_is_refused() -> None:
    whole = record(b"\x09" + bytes(8))
    length = struct.pack("<Q", 2**62)
    forged = length + record(length)[8:12]  # no checksum of the length
    assert "checksum" in refused(event_file([]) + forged + whole)
    damaged = bytearray(event_file([(0.0, 1, "loss", 0.5)]))
    damaged[-6] ^= 1
    assert "checksum" in refused(bytes(damaged))
    assert "got another record" in refused(event_file([]) + record(b"\x2a\x05\x0a\xff\xff\xff\xff"))
    odd = field(5, field(1, field(1, b"loss") + field(8, b"\x08\x01" + field(4, b"\0" * 12))))
    assert "without a scalar" in refused(event_file([]) + record(odd))


def test_a_parquet_file_that_is_damaged_is_refused(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"loss": [1.0, 2.0]}), tmp_path / "a")
    data = (tmp_path / "a").read_bytes()
    assert "Parquet" in refused(data[:-10])
    assert "`limits`" in refused(data, limits=es.logs.Limits(values=1))


def test_errors_name_the_file_and_are_of_the_library(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\n0,1\n1\n")
    with pytest.raises(ValueError, match=r"log\.csv, line 3: expected 2 cells") as caught:
        es.read_history(path)
    assert isinstance(caught.value, es.EarlystopError)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.source, error.place) == (str(path), "line 3")
    for missing in ("nowhere", "nowhere/*.csv"):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            es.read_history(tmp_path / missing)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(es.LogError, match="no file"):
        es.read_history(empty)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "log.csv").write_text("epoch,loss\n0,1\n")
    with pytest.raises(es.LogError, match="regular file"):
        es.read_history(tmp_path / "pipe")
    assert es.read_history(tmp_path).runs == 1


@pytest.mark.parametrize(
    "source", [None, 5, b"epoch", [], {}, [{}], ["a\0b"], [None], np.zeros(0), [{"a": "b"}]]
)
def test_anything_that_cannot_be_a_source_is_refused(source: Any) -> None:
    with pytest.raises((es.LogError, FileNotFoundError)):
        es.read_history(source)


@pytest.mark.parametrize(
    "options",
    [
        {"on_error": "ignore"},
        {"repeats": "both"},
        {"encoding": "klingon"},
        {"pattern": "("},
        {"pattern": "loss"},
        {"pattern": b"(?P<a>.)"},
        {"separator": ""},
        {"separator": ",,"},
        {"derived": {"x": "1 +"}},
    ],
)
def test_invalid_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises((es.HistoryError, es.MissingMetricError)):
        es.read_history(io.StringIO("epoch,loss\n0,1\n"), **options)


def test_damaged_logs_can_be_skipped_and_are_reported(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("epoch,loss\n0,1\n1,2\n2\n")
    (tmp_path / "b.csv").write_text("epoch,loss\n0,1\n")
    (tmp_path / "c.json").write_text('{"loss": [1, 2')
    with pytest.raises(es.LogError, match="line 4"):
        es.read_history(tmp_path)
    with pytest.warns(es.LogWarning) as warned:
        history = es.read_history(tmp_path, on_error="skip")
    assert len(warned) == 2
    assert all(one.filename == __file__ for one in warned)
    assert history.names == ("a", "b")
    assert history.lengths.tolist() == [2, 1]
    assert history.report is not None
    assert [Path(file.source).name for file in history.report.skipped] == ["a.csv", "c.json"]
    with pytest.warns(es.LogWarning), pytest.raises(es.LogError, match="expected JSON"):
        es.read_history(tmp_path / "c.json", on_error="skip")


def test_the_samples_cover_every_format() -> None:
    read = set()
    for data in samples():
        text = data.startswith(b"epoch 0: ")
        pattern = r"loss=(?P<loss>\S+)" if text else None
        report = es.read_history(io.BytesIO(data), pattern=pattern).report
        assert report is not None
        read |= {file.format for file in report.files}
    folders, by_path = {"earlystop", "metric_files"}, {"sqlite", "mljar"}
    assert read == {format.name for format in es.logs.formats()} - {
        "refused",
        *folders,
        *by_path,
    }


def test_an_error_is_short_however_long_the_names_in_the_log() -> None:
    assert len(refused(json.dumps([{"about": 1}, {"a" * 10**6: [["x"], [1.5]]}]))) < 5000
    names = {"x" * 5000 + str(number): [1.0] * (1 + number % 2) for number in range(100)}
    assert len(refused(json.dumps(names))) < 5000
