"""Files made to do harm: small ones that unpack to large ones, and text that is deep or long."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow
import pyarrow.feather
import pyarrow.parquet

__all__ = ["BOMBS", "MIB", "constant", "feather", "parquet_file", "with_label"]

MIB = 2**20


def feather(table: Any, codec: str) -> bytes:
    """A Feather file of this table."""
    file = io.BytesIO()
    pyarrow.feather.write_feather(table, file, compression=codec)
    return file.getvalue()


def parquet_file(table: Any, codec: str, **options: Any) -> bytes:
    """A Parquet file of this table."""
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file, compression=codec, **options)
    return file.getvalue()


def with_label(length: int, rows: int = 1) -> Any:
    """A table whose runs are told apart by a text of this length."""
    run = pyarrow.array(["A" * length] * rows, pyarrow.large_string())
    return pyarrow.table({"run": run, "epoch": [*range(rows)], "loss": [1.0] * rows})


def constant(rows: int) -> Any:
    """A table of zeros."""
    return pyarrow.table({"loss": np.zeros(rows), "epoch": np.zeros(rows)})


def _text_in_parquet(codec: str) -> bytes:
    table = with_label(60 * MIB)
    return parquet_file(table, codec, use_dictionary=False, write_statistics=False)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.csv", bytes(20 * MIB))
    return file.getvalue()


def _array(shape: str) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(80)


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip, blank lines": lambda: gzip.compress(b"epoch,loss\n" + b"\n" * 40 * MIB, 9),
    "gzip, rows": lambda: gzip.compress(b"epoch,loss\n" + b"0,1\n" * 10 * MIB, 9),
    "gzip, tables": lambda: gzip.compress(b"epoch,loss\n0,1\n" * 3 * MIB, 9),
    "gzip, JSON": lambda: gzip.compress(b'{"loss": [' + b" " * 40 * MIB, 9),
    "gzip, JSON lines": lambda: gzip.compress(b'{"a":1}\n' * 5 * MIB, 9),
    "gzip, records": lambda: gzip.compress(b"[" + b'{"loss":1},' * 4 * MIB, 9),
    "gzip, NumPy": lambda: gzip.compress(b"\x93NUMPY\x01\x00" + bytes(40 * MIB), 9),
    "gzip, Parquet": lambda: gzip.compress(b"PAR1" + bytes(40 * MIB), 9),
    "gzip in gzip": lambda: gzip.compress(gzip.compress(bytes(40 * MIB), 9), 9),
    "gzip, members": lambda: b"".join([gzip.compress(b"\n" * MIB, 9)] * 40),
    "bzip2": lambda: bz2.compress(b"\n" * 20 * MIB),
    "xz": lambda: lzma.compress(b"\n" * 20 * MIB),
    "zip": _zip,
    "Feather, text, zstd": lambda: feather(with_label(120 * MIB), "zstd"),
    "Feather, text, lz4": lambda: feather(with_label(120 * MIB), "lz4"),
    "Feather, zeros, zstd": lambda: feather(constant(15 * MIB), "zstd"),
    "Feather, zeros, lz4": lambda: feather(constant(15 * MIB), "lz4"),
    "Parquet, text, zstd": lambda: _text_in_parquet("zstd"),
    "Parquet, text, gzip": lambda: _text_in_parquet("gzip"),
    "Parquet, text, brotli": lambda: _text_in_parquet("brotli"),
    "Parquet, text, lz4": lambda: _text_in_parquet("lz4"),
    "Parquet, one value repeated": lambda: parquet_file(constant(15 * MIB), "none"),
    "NumPy, a size that is a lie": lambda: _array("(10000000000,)"),
    "NumPy, runs without epochs": lambda: _array("(10000000000, 0)"),
    "JSON, lists within lists": lambda: b"[" * 10**5,
    "JSON, closed lists within lists": lambda: b'{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}",
    "JSON, a number of digits": lambda: b'{"loss": [' + b"9" * 10**6 + b"]}",
    "JSON lines, a number of digits": lambda: b'{"a":' + b"9" * 4000 + b'}\n{"a":1e999}\n{"b":}\n',
    "JSON, names by the hundred thousand": lambda: (
        b"{" + b",".join(b'"m%d":[1]' % number for number in range(10**5)) + b"}"
    ),
    "CSV, columns by the million": lambda: (
        b",".join(b"m%d" % number for number in range(10**6)) + b"\n" + b"1," * (10**6 - 1) + b"1\n"
    ),
    "CSV, a long cell": lambda: b"epoch,loss\n0," + b"1" * 10**8 + b"\n",
    "CSV, a long line of blanks": lambda: b"epoch,loss\n0," + b" " * 15 * MIB + b"x\n",
    "CSV, a quote that never ends": lambda: b'epoch,loss\n0,"' + b"1\n" * 10**6,
    "CSV, a number of digits": lambda: b"epoch,loss\n" + b"0," + b"1" * 10**6 + b"\n",
    "text, one long line": lambda: b"epoch 1: loss=" + b"a" * 15 * MIB,
    "text, one long number": lambda: b"1" * 15 * MIB,
    "text, signs": lambda: b"-" * 15 * MIB + b"\n" + b"[{" * 10**6,
}
