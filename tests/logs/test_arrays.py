"""NumPy files whose header is not as NumPy writes it: a LogError, which can be skipped."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.logs.reading import logged, read


def array_file(header: str, body: bytes, version: bytes = b"\x01\x00") -> bytes:
    """A NumPy file with this header, whatever it says."""
    width = "<H" if version == b"\x01\x00" else "<I"
    encoded = header.encode("utf-8", "surrogatepass")
    return b"\x93NUMPY" + version + struct.pack(width, len(encoded)) + encoded + body


def header(descr: object = "<f8", order: object = False, shape: object = (2,)) -> str:
    return f"{{'descr': {descr!r}, 'fortran_order': {order!r}, 'shape': {shape!r}}}"


ODD_HEADERS = [
    header(shape=(True, 2)),
    header(shape=[2]),
    header(shape=2),
    header(shape=(-2, -1)),
    header(shape=(2.0,)),
    header(shape=(2**63, 0)),
    header(shape=("9" * 9,)),
    header(shape=(9**4000,) * 5),
    header(shape=(1,) * 65),
    header(order=1),
    header(order="C"),
    header(descr=("<f8", (2,)), shape=(1,)),
    header(descr=[("loss", "<f8", (2,))], shape=(1,)),
    header(descr=[("loss", "<f8"), ("loss", "<f8")], shape=(1,)),
    header(descr=[("loss", [("deep", "<f8")])]),
    header(descr=[(("a", "loss"), "<f8")]),
    header(descr=["<f8"]),
    header(descr=[]),
    header(descr={"names": ["loss"], "formats": ["<f8"]}),
    header(descr="|O"),
    header(descr="<f7"),
    header(descr="f8,f8"),
    header(descr="<M8[s]"),
    header(descr="<c16", shape=(1,)),
    header(descr="<U4", shape=(1,)),
    header(descr="|V16", shape=(1,)),
    header(descr=8),
    header(descr=None),
    header(descr="float64"),
    "[" * 60_000,
    "-" * 60_000 + "1",
    "1" + "+1" * 30_000,
    "'\\z'",
    "{1: 2}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)",
    "{'descr': '<f8'}",
    "",
    "\ud800",
    "0x" + "f" * 60_000,
    "9" * 60_000,
]


@pytest.mark.parametrize("text", ODD_HEADERS, ids=lambda text: text[:60])
@pytest.mark.filterwarnings("error::SyntaxWarning", "error::DeprecationWarning")
def test_a_header_that_numpy_would_not_write_is_refused(text: str) -> None:
    version = b"\x01\x00" if len(text) < 2**16 else b"\x02\x00"
    with pytest.raises(es.LogError) as caught:
        es.read_history(io.BytesIO(array_file(text, bytes(16), version)))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("text", ODD_HEADERS[::5], ids=lambda text: text[:60])
def test_an_array_with_an_odd_header_can_be_skipped(text: str, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("epoch,loss\n0,1.0\n1,0.5\n")
    (tmp_path / "odd.npy").write_bytes(array_file(text, bytes(16)))
    with pytest.warns(es.LogWarning, match=r"odd\.npy"):
        assert es.read_history(tmp_path, on_error="skip").runs == 1


@given(
    st.sampled_from(["f2", "f4", "f8", "i1", "u2", ">i4", ">f8", "b1"]),
    st.sampled_from([(3,), (2, 3)]),
    st.booleans(),
)
def test_arrays_of_every_type_and_order_are_read(
    kind: str, shape: tuple[int, ...], by_columns: bool
) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    file = io.BytesIO()
    np.save(file, np.asfortranarray(array) if by_columns else array)
    history = es.read_history(io.BytesIO(file.getvalue()))
    assert history.metrics["value"].tolist() == np.atleast_2d(array).astype(float).tolist()


def test_columns_of_an_array_are_metrics() -> None:
    file = io.BytesIO()
    np.save(file, np.array([(0, 1.5), (1, 0.5)], dtype=[("epoch", "i8"), ("loss", "f4")]))
    assert es.read_history(io.BytesIO(file.getvalue())).metrics["loss"].tolist() == [[1.5, 0.5]]


def test_an_array_of_a_few_bytes_for_each_of_many_runs_is_refused() -> None:
    for shape in ((20_000, 5), (100_000, 1)):
        file = io.BytesIO()
        np.save(file, np.zeros(shape, "i1"))
        with pytest.raises(es.LogError, match="more in it than may be unpacked"):
            es.read_history(io.BytesIO(file.getvalue()))
    np.save(file := io.BytesIO(), np.zeros((20_000, 5)))
    assert es.read_history(io.BytesIO(file.getvalue())).runs == 20_000


def archive(packed: bool = False, **arrays: Any) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_the_evaluations_of_stable_baselines_are_one_run(packed: bool) -> None:
    data = archive(
        packed,
        timesteps=np.array([10000, 20000]),
        results=np.array([[1.0, 3.0], [4.0, 6.0]]),
        ep_lengths=np.array([[10, 20], [30, 40]]),
    )
    history = read(data)
    assert {name: logged(history, name) for name in history.metrics} == {
        "results": [2.0, 5.0],
        "ep_lengths": [15.0, 35.0],
    }
    assert history.coordinates["timesteps"].tolist() == [[10000, 20000]]
    assert "of which the mean is taken: results, ep_lengths" in str(history.report)


def test_columns_of_an_archive_are_metrics_and_others_are_named() -> None:
    history = read(archive(loss=np.array([1.0, 0.5]), names=np.array(["a"]), weights=np.eye(3)))
    assert logged(history, "loss") == [1.0, 0.5]
    assert list(history.metrics) == ["loss"]
    assert "left out: names" in str(history.report)
    assert "left out: weights" in str(history.report)


def test_other_archives_are_refused_and_damaged_ones_too() -> None:
    with pytest.raises(es.LogError, match=r"\(\.npz\), none of which is a known metric: x_a, y_a"):
        read(archive(x_a=np.zeros((5, 3)), y_a=np.zeros(5)))
    data = archive(True, loss=np.arange(1000.0))
    for size in range(60, len(data), 97):
        with pytest.raises(es.LogError):
            read(data[:size])
    bomb = archive(True, loss=np.zeros(10**7))
    with pytest.raises(es.LogError, match="more in it than may be unpacked"):
        read(bomb, limits=es.logs.Limits(file=10**6))
