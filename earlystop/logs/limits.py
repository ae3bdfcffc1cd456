"""`Limits`: how large a log may be; larger ones are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..errors import LogError

__all__ = ["Limited", "Limits"]

_MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """How large a log may be. Larger ones are refused, so that no file can exhaust the memory.

    line: bytes in a line.
    document: bytes in a JSON document.
    whole: bytes in a source that must be in memory at once: an open file, a NumPy or Parquet file.
    file: bytes in any file, unpacked.
    packing: how many times larger than its packed size a file may become, beyond its first 16 MiB,
        however it is packed (gzip, Parquet, Feather); a value counts as 32 bytes,
        a run as 1,024.
    record: bytes in a record of a TensorBoard file.
    names: different metrics in a run, or runs in a file.
    files: files in a folder.
    depth: folders within each other.
    values: values in a file, and in a history over all its metrics, including gaps.

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
    depth: int = 100
    values: int = 2**28


class Limited(Protocol):
    """The interface of a source for checking its limits."""

    @property
    def limits(self) -> Limits:
        """The limits of the source."""

    @property
    def size(self) -> int:
        """The number of bytes, as stored."""

    def count(self, values: int) -> None:
        """Add to the number of values. Raises LogError if there are too many."""

    def wrong(self, message: str, position: str = "", *, not_a_log: bool = False) -> LogError:
        """An error that says what is wrong, and at which position."""
