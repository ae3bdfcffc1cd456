"""The text of a source, decoded: in blocks of whole lines, or line by line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

import numpy as np

from .._arguments import argument
from ..errors import LogError
from .limits import Limited

__all__ = ["Block", "Readable", "blocks_of", "described", "lines_of"]


_FIRST, _CHUNK = 2**16, 3 * 2**20  # bytes that are read at a time: few at first, for a glance
_IN_CACHE = 2**18  # bytes in which line ends are counted at a time
_SHORT = 2**16  # bytes in each of which a line ends


_LIKE_ASCII = ("utf-8", "utf-8-sig", "ascii", "iso8859-1", "cp1252")


class Block:
    """Whole lines.

    first: the number of the first, counted from 1.
    plain: the lines as bytes, each with a line feed at its end, if all are ASCII and none is longer
        than 128 KiB; None otherwise.
    count: how many there are, if they are plain; 0 otherwise.
    """

    __slots__ = ("_text", "count", "first", "plain")

    def __init__(
        self, first: int, text: str | None = None, plain: bytearray | None = None, count: int = 0
    ) -> None:
        self.first, self.plain, self.count, self._text = first, plain, count, text

    def after(self, begin: int, lines: int) -> Block:
        """What follows the first `lines` lines, which end before the character at `begin`."""
        if self.plain is None:
            return Block(self.first + lines, self.text[begin:])
        return Block(self.first + lines, plain=self.plain[begin:], count=self.count - lines)

    @property
    def ascii(self) -> bytes | bytearray:
        """The lines as bytes, if they are as those of `plain`; b"" otherwise."""
        if self.plain is not None:
            return self.plain
        data = self.text.encode() if self.text.isascii() else b""
        return data if data.endswith(b"\n") and _are_short(data) else b""

    @property
    def text(self) -> str:
        """The lines as text, each with "\\n" at its end; the last of a source may lack it."""
        if self._text is None:
            self._text = (self.plain or bytearray()).decode("ascii")
        return self._text


class Readable(Limited, Protocol):
    """The interface of a source for reading its text."""

    @property
    def encoding(self) -> str:
        """The encoding of the text."""

    @property
    def line_end(self) -> str:
        """What ends a line."""

    @property
    def head(self) -> bytes:
        """The first 64 KiB."""

    @property
    def growing(self) -> bool:
        """Whether it is being written: a last line without its end may be half of one."""

    def open(self) -> BinaryIO:
        """Open the source for reading bytes."""

    def whole(self) -> bytes:
        """All bytes."""


def blocks_of(log: Readable) -> Iterator[Block]:
    """The text in blocks, of 3 MiB or more each, but for the first and the last.

    Raises LogError for a line that is too long, and for bytes that are not text.
    """
    if log.encoding.startswith(("utf-16", "utf-32")):  # a line end is not a single byte
        yield _whole_text(log)
        return
    encoding = log.encoding
    plain = encoding in _LIKE_ASCII and log.line_end == "\n"
    for first, count, data in _blocks_of_bytes(log, log.line_end.encode()):
        if plain and count and _are_short(data) and data.isascii():
            yield Block(first, plain=data, count=count)
        else:
            yield from _decoded(log, data, first, encoding)
        encoding = "utf-8" if encoding == "utf-8-sig" else encoding


def _whole_text(log: Readable) -> Block:
    try:
        text = log.whole().decode(log.encoding)
    except UnicodeError as error:
        raise log.wrong(f"expected text in {log.encoding}: {described(error)}") from None
    text = _with_line_feeds(log, text)
    return Block(1, text[: text.rfind("\n") + 1] if log.growing else text)


def _blocks_of_bytes(log: Readable, end: bytes) -> Iterator[tuple[int, int, bytearray]]:
    """Lines: the number of the first, how many there are, and their bytes.

    A last line without an end comes alone, and is counted as none.
    """
    first, rest, size = 1, bytearray(), _FIRST
    whole = len(log.head) < _FIRST
    with io.BytesIO(log.head) if whole else log.open() as file:
        while len(data := _with_more(rest, file, min(size, log.limits.line))) > len(rest):
            cut = data.rfind(end, len(rest)) + 1
            rest, size = data[cut:], _FIRST if whole else _CHUNK
            if cut:
                del data[cut:]
                _check_lengths(log, data, first, end)
                count = _count(data, end[0])
                yield first, count, data
                first += count
            _check_lengths(log, rest, first, end)
    if rest.strip() and not log.growing:
        yield first, 0, rest


def _with_more(data: bytearray, file: Any, size: int) -> bytearray:
    """These bytes, and `size` more of a file behind them; fewer at its end."""
    begin = len(data)
    more = bytearray(begin + size)
    more[:begin] = data
    with memoryview(more) as view, view[begin:] as rest:
        end = begin + file.readinto(rest)
    del more[end:]
    return more


def _count(data: bytes | bytearray, value: int) -> int:
    """How often a byte occurs."""
    array = np.frombuffer(data, np.uint8)
    starts = range(0, len(data), _IN_CACHE)
    return sum(int(np.count_nonzero(array[i : i + _IN_CACHE] == value)) for i in starts)


def _are_short(data: bytes | bytearray) -> bool:
    """Is no line, each with a line feed at its end, longer than 128 KiB?"""
    return all(data.find(b"\n", i, i + _SHORT) >= 0 for i in range(0, len(data), _SHORT))


def _check_lengths(log: Readable, data: bytes | bytearray, first: int, end: bytes) -> None:
    longest = log.limits.line
    if len(data) <= longest:
        return
    for number, line in enumerate(data.split(end), first):
        if len(line) > longest:
            raise log.wrong(
                f"the line is longer than {longest:,} bytes (see `limits`)", f"line {number}"
            )


def _decoded(log: Readable, data: bytes | bytearray, first: int, encoding: str) -> Iterator[Block]:
    """The lines, up to one that is not text, and then an error that names it."""
    try:
        text = data.decode(encoding)
    except UnicodeError as error:
        end = log.line_end.encode()
        begin = data.rfind(end, 0, getattr(error, "start", 0)) + 1
        if begin:
            yield Block(first, _with_line_feeds(log, data[:begin].decode(encoding)))
        raise _no_text(log, data[begin:], first + data.count(end, 0, begin), encoding) from None
    yield Block(first, _with_line_feeds(log, text))


def _with_line_feeds(log: Readable, text: str) -> str:
    return text.replace("\r", "\n") if log.line_end == "\r" else text


def _no_text(log: Readable, data: bytes | bytearray, number: int, encoding: str) -> LogError:
    why = ""
    try:
        data.decode(encoding)
    except UnicodeError as error:
        why = described(error)  # with the place in this line
    return log.wrong(
        f"expected text in {log.encoding}, got bytes that are none ({why}); "
        f"pass {argument('encoding')} if it is another one",
        f"line {number}",
    )


def lines_of(log: Readable) -> Iterator[tuple[int, str]]:
    """The lines, each with its number, counted from 1; blank lines are left out.

    Raises LogError for a line that is too long, and for bytes that are not text.
    """
    for block in blocks_of(log):
        *lines, rest = block.text.split("\n")
        for number, line in enumerate(lines, block.first):
            if line and line != "\r":
                yield number, line + "\n"
        if rest.strip():
            yield block.first + len(lines), rest


def described(error: UnicodeError) -> str:
    """What is wrong with bytes that are not text."""
    start = getattr(error, "start", None)
    return str(error) if start is None else f"byte {start}: {getattr(error, 'reason', '')}"
