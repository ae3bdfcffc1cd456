"""`Limits`: how much a log may hold before reading it is refused."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]

_MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """How much a log may hold: what lies beyond is refused, so that no file can fill the memory.

    line: bytes of one line. document: bytes of one JSON document. whole: bytes of what has to be in
    memory as a whole (an open file, a NumPy or Parquet file). file: bytes of any file, unpacked.
    packing: how many times larger a packed file may become (beyond its first 16 MiB). record: bytes
    of one record of a TensorBoard file. names: different metrics of one run, or runs of one file.
    files: files of one folder. values: values of one file, and those of a history, gaps included,
    over all its metrics.

    >>> import earlystop as es
    >>> history = es.read_history([{"loss": 0.5}], limits=es.logs.Limits(line=2**30))
    """

    line: int = 16 * _MIB
    document: int = 64 * _MIB
    whole: int = 1024 * _MIB
    file: int = 16384 * _MIB
    packing: int = 256
    record: int = 256 * _MIB
    names: int = 10_000
    files: int = 200_000
    values: int = 2**28
