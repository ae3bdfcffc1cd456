"""Small files that unpack to large ones: refused by what they claim, before they are unpacked."""

from __future__ import annotations

import contextlib
import gzip
import io
import time
import tracemalloc
from typing import Any

import numpy as np
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.logs.unpacked import arrow, parquet
from tests.support.bombs import BOMBS, MIB, constant, feather, parquet_file, with_label


def refused_at_once(data: bytes) -> str:
    """What the error says; it comes at once, before Arrow has unpacked anything."""
    before = pyarrow.default_memory_pool().bytes_allocated()
    began = time.process_time()
    with pytest.raises(es.LogError) as caught:
        es.read_history(io.BytesIO(data))
    assert time.process_time() - began < 15  # on a busy machine; benchmarks.crash.hostile says 5
    assert pyarrow.default_memory_pool().bytes_allocated() - before < 20 * MIB
    return str(caught.value)


PACKED = ("gzip", "bzip2", "xz", "zip", "Feather", "Parquet")


@pytest.mark.parametrize("name", [name for name in BOMBS if name.startswith(PACKED)])
def test_a_packed_file_that_grows_beyond_measure_is_refused(name: str) -> None:
    said = refused_at_once(BOMBS[name]())
    if name.startswith(("Feather", "Parquet")):
        assert "packed file of this size" in said


@pytest.mark.parametrize("name", [name for name in BOMBS if not name.startswith(PACKED)])
def test_text_that_is_deep_or_long_is_refused_at_once(name: str) -> None:
    refused_at_once(BOMBS[name]())


def test_each_header_of_a_packed_table_counts_as_a_run_as_it_is_read() -> None:
    data = BOMBS["gzip, tables"]()
    tracemalloc.start()
    try:
        assert "packed file of this size" in refused_at_once(data)
        assert tracemalloc.get_traced_memory()[1] < 100 * MIB
    finally:
        tracemalloc.stop()


def test_a_long_label_that_is_said_to_repeat_is_kept_once() -> None:
    data = parquet_file(with_label(MIB, rows=500), "zstd")
    tracemalloc.start()
    try:
        history = es.read_history(io.BytesIO(data))
        assert tracemalloc.get_traced_memory()[1] < 50 * MIB
    finally:
        tracemalloc.stop()
    assert history.lengths.tolist() == [500]


def test_columns_of_no_use_are_not_unpacked_from_a_parquet_file() -> None:
    notes = pyarrow.array(["A" * 100 * MIB, ""], pyarrow.large_string())
    table = pyarrow.table({"notes": notes, "epoch": [0, 1], "loss": [1.0, 0.5]})
    data = parquet_file(table, "zstd")
    before = pyarrow.default_memory_pool().bytes_allocated()
    assert es.read_history(io.BytesIO(data)).metrics["loss"].tolist() == [[1.0, 0.5]]
    assert pyarrow.default_memory_pool().bytes_allocated() - before < 50 * MIB


def test_a_packed_file_is_refused_where_it_begins_to_grow_not_by_its_size() -> None:
    noise = np.random.default_rng(0).integers(0, 256, 3 * MIB, dtype=np.uint8).tobytes()
    data = gzip.compress(b"PAR1" + b"\n" * 80 * MIB, 9) + gzip.compress(noise, 1)
    assert 64 * len(data) > 80 * MIB
    assert "packed file of this size" in refused_at_once(data)


def test_packed_data_can_be_sought_within_what_may_be_unpacked() -> None:
    def read(log: es.logs.Source) -> Any:
        with log.open() as file:
            file.seek(3)
            assert file.read(2) == b"de"
            file.seek(-4, 1)
            assert file.read(2) == b"bc"
            with pytest.raises(es.LogError):
                file.seek(10**9)
            with pytest.raises(io.UnsupportedOperation):
                file.seek(0, 2)
        rows = log.rows()
        rows.add({"loss": 1.0})
        yield rows.run()

    es.logs.register(es.logs.LogFormat("sought", lambda log: True, read))
    es.read_history(io.BytesIO(gzip.compress(b"abcdefgh" + b"\n" * 60 * MIB, 9)))


tables = st.dictionaries(
    st.sampled_from(["run", "epoch", "loss", "acc"]),
    st.integers(0, 3),
    min_size=1,
).flatmap(
    lambda kinds: st.integers(0, 40).map(
        lambda rows: pyarrow.table({name: column(kind, rows) for name, kind in kinds.items()})
    )
)


def column(kind: int, rows: int) -> Any:
    if kind == 0:
        return pyarrow.array(np.arange(float(rows)))
    if kind == 1:
        return pyarrow.array([None if row % 3 else row for row in range(rows)], pyarrow.int64())
    texts = [f"text {row // 7}" * 5 for row in range(rows)]
    return pyarrow.array(texts) if kind == 2 else pyarrow.array(texts).dictionary_encode()


@given(
    tables,
    st.sampled_from(["none", "zstd", "gzip", "snappy", "brotli", "lz4"]),
    st.sampled_from(["1.0", "2.0"]),
    st.booleans(),
    st.integers(1, 50),
)
def test_the_pages_of_a_parquet_file_are_found(
    table: Any, codec: str, version: str, dictionary: bool, group: int
) -> None:
    data = parquet_file(
        table,
        codec,
        data_page_version=version,
        use_dictionary=dictionary,
        row_group_size=group,
        data_page_size=64,
        write_page_index=dictionary,
    )
    metadata = pyarrow.parquet.read_metadata(io.BytesIO(data))
    for number, name in enumerate(table.column_names):
        columns = [
            metadata.row_group(index).column(number) for index in range(metadata.num_row_groups)
        ]
        places = [*parquet.chunks(data, {name})]
        found = [*parquet.pages(data, places)]
        sizes = [column.total_compressed_size for column in columns]
        assert [end - start for start, end in places] == [size for size in sizes if table.num_rows]
        if not table.num_rows:
            continue
        headers = sum(column.total_uncompressed_size for column in columns)
        headers -= sum(unpacked for unpacked, _ in found)
        assert 10 * len(found) <= headers <= 400 * len(found)
        assert sum(values for _, values in found) >= sum(column.num_values for column in columns)


@given(tables, st.sampled_from(["zstd", "lz4"]), st.integers(1, 50))
def test_the_buffers_of_a_feather_file_are_found(table: Any, codec: str, group: int) -> None:
    def sizes(compression: str) -> list[int]:
        file = io.BytesIO()
        pyarrow.feather.write_feather(table, file, compression=compression, chunksize=group)
        return [*arrow.buffers(file.getvalue())]

    plain = sizes("uncompressed")
    assert sizes(codec) == plain
    assert sum(plain) >= 8 * table.num_rows * sum(kind == "double" for kind in table.schema.types)


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_sizes_in_a_damaged_file_are_read_or_refused(kind: str) -> None:
    data = (parquet_file if kind == "parquet" else feather)(constant(99), "zstd")
    for at in range(len(data)):
        damaged = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        with contextlib.suppress(ValueError):
            if kind == "parquet":
                places = parquet.chunks(damaged, {"loss", "epoch"})
                assert np.min([*parquet.pages(damaged, places)], initial=0) == 0
            else:
                assert np.min([*arrow.buffers(damaged)], initial=0) == 0
