"""`Limits`: how much a log may hold before reading it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..errors import LogError

__all__ = ["Limited", "Limits"]

_MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """How much a log may hold. More is refused, so that no file can fill the memory.

    line: bytes of one line.
    document: bytes of one JSON document.
    whole: bytes of what has to be in memory at once: an open file, a NumPy or Parquet file.
    file: bytes of any file, unpacked.
    packing: how many times larger a packed file may become, beyond its first 16 MiB.
    record: bytes of one record of a TensorBoard file.
    names: different metrics of one run, or runs of one file.
    files: files of one folder.
    values: values of one file, and of a history over all its metrics, gaps included.

    >>> import earlystop as es
    >>> history = es.read_history([{"loss": 0.5}], limits=es.logs.Limits(line=2**30))
    """

    line: int = 16 * _MIB
    document: int = 64 * _MIB
    whole: int = 1024 * _MIB
    file: int = 16384 * _MIB
    packing: int = 64
    record: int = 256 * _MIB
    names: int = 10_000
    files: int = 200_000
    values: int = 2**28


class Limited(Protocol):
    """A source, as far as what reads from it checks its limits."""

    @property
    def limits(self) -> Limits:
        """How much it may hold."""

    @property
    def size(self) -> int:
        """How many bytes there are, as they are stored."""

    def count(self, values: int) -> None:
        """Count values; raises LogError where they are too many."""

    def wrong(self, message: str, position: str = "", *, not_a_log: bool = False) -> LogError:
        """The error that says what is wrong, and where."""
