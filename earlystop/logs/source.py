"""`Source`: one source that is being read, as bytes, lines or JSON, within the limits."""

from __future__ import annotations

import codecs
import functools
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from .._arguments import argument
from ..errors import LogError
from .bounded import GZIP, BoundedBytes, allowed, first_bytes, opened, too_much
from .json_text import parsed
from .options import Options
from .rows import Rows

__all__ = ["Source"]


_HEAD = 2**16


_BINARY = 1024  # the first characters, which contain no NUL if this is text


_CHUNK = 2**20


_VALUE, _RUN = 32, 1024  # bytes that a value (as read, and in the history) and a run take


class NoDocument(NamedTuple):
    """The document of a source that is not one JSON document.

    error: why it is not; "" if it does not begin like one.
    position: the position of the error.
    """

    error: str = ""
    position: str = ""


class Source:
    """One source: a file, an open file, or a value in memory.

    name: its name in errors.
    options: the options of `read_history`.
    path: the path of the file; None if it is not a file.
    content: the bytes of an open file.
    value: the value in memory, if it is neither a path nor an open file.

    A reader may append to `notes`, which appear in the report.
    """

    def __init__(
        self,
        name: str,
        options: Options,
        *,
        path: Path | None = None,
        content: bytes | None = None,
        value: Any = None,
    ) -> None:
        self.name, self.path, self.options, self.value = name, path, options, value
        self.limits = options.limits
        self.notes: list[str] = []
        self.damage: LogError | None = None
        self._content = content
        self._values = self._spent = 0

    def __repr__(self) -> str:
        return f"Log({self.name!r})"

    def wrong(self, message: str, position: str = "", *, not_a_log: bool = False) -> LogError:
        """An error that says what is wrong with this source, and at which position."""
        return LogError(message, self.name, position, not_a_log=not_a_log)

    def damaged(self, message: str, position: str = "") -> None:
        """Raise an error or, if errors are skipped, record it; the reader then ends there."""
        error = self.wrong(message, position)
        if not self.options.skip:
            raise error
        self.damage = error

    def rows(self, name: str | None = None) -> Rows:
        """A new run of this log, without rows."""
        return Rows(name, log=self)

    def whole(self) -> bytes:
        """All bytes. Raises LogError if there are too many."""
        most = self.limits.whole
        with self.open() as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise self.wrong(f"larger than {most:,} bytes (see `limits`)")
        return data

    def count(self, values: int) -> None:
        """Add to the number of values. Raises LogError if there are too many."""
        self._values += values
        if self._values > self.limits.values:
            raise self.wrong(f"more than {self.limits.values:,} values (see `limits`)")
        self._spend(_VALUE * values)

    def count_run(self) -> None:
        """Add to the number of runs. Raises LogError if there are too many for the source."""
        self._spend(_RUN)

    def _spend(self, memory: int) -> None:
        self._spent += memory
        if self._spent > self._most:
            raise too_much(self)

    @functools.cached_property
    def _most(self) -> int:
        """The memory that values and runs of a source of this size may take."""
        is_file = self.path.is_file() if self.path is not None else self.value is None
        return allowed(self, self.size) if is_file else sys.maxsize

    @functools.cached_property
    def size(self) -> int:
        """The number of bytes, as stored."""
        if self.path is not None:
            return self.path.stat().st_size
        return len(self._content or b"")

    def open(self) -> BinaryIO:
        """Open the source for reading bytes, unpacked if it is packed.

        Raises OSError if the file cannot be read, LogError if it is not a regular file.
        """
        if self.value is not None:
            raise self.wrong("expected a file, got a value in memory")
        if self.path is None:
            raw: BinaryIO = io.BytesIO(self._content or b"")
        else:
            descriptor = opened(self.path)
            if descriptor < 0:
                raise self.wrong("expected a regular file", not_a_log=True)
            raw = os.fdopen(descriptor, "rb")
        magic = raw.read(2)
        raw.seek(0)
        packed = magic == GZIP
        return BoundedBytes(raw, self, packed)  # type: ignore[return-value]  # all that readers use

    @functools.cached_property
    def head(self) -> bytes:
        """The first 64 KiB; empty for a value in memory."""
        if self.value is not None:
            return b""
        if self.path is not None and self.limits.file >= _HEAD:
            head = first_bytes(self.path, _HEAD)
            if head is not None:
                return head
        with self.open() as file:
            return file.read(_HEAD)

    @functools.cached_property
    def encoding(self) -> str:
        """The encoding of the text: by its byte order mark, otherwise the caller's."""
        for mark, name in (
            (codecs.BOM_UTF8, "utf-8-sig"),
            (codecs.BOM_UTF32_LE, "utf-32"),
            (codecs.BOM_UTF32_BE, "utf-32"),
            (codecs.BOM_UTF16_LE, "utf-16"),
            (codecs.BOM_UTF16_BE, "utf-16"),
        ):
            if self.head.startswith(mark):
                return name
        return self.options.encoding

    @functools.cached_property
    def text(self) -> str:
        """The text of the first 64 KiB, up to bytes that are not text, for recognising the format.

        "" if it is not text from the start; `text_error` says why.
        """
        decoder = codecs.getincrementaldecoder(self.encoding)()
        try:
            text = decoder.decode(self.head, len(self.head) < _HEAD)
        except UnicodeError as error:
            self.text_error = (
                f"expected text in {self.encoding}, got bytes that are none ({_described(error)}); "
                f"pass {argument('encoding')} if it is another one"
            )
            text = self.head[: getattr(error, "start", 0)].decode(self.encoding, "ignore")
            if "\n" not in text:
                return ""
        if "\0" in text[:_BINARY]:
            self.text_error = "expected a log, got binary data of no known format"
            return ""
        return text

    text_error: str = ""

    @functools.cached_property
    def first_lines(self) -> list[str]:
        """The first complete lines, without line ends; blank lines are left out."""
        lines = [line.rstrip("\r") for line in self.text.split("\n")]
        if len(lines) > 1 and len(self.head) == _HEAD:
            lines.pop()
        return [line for line in lines if line.strip()]

    def lines(self) -> Iterator[tuple[int, str]]:
        """The lines, each with its number, counted from 1; blank lines are left out.

        Raises LogError for a line that is too long, and for bytes that are not text.
        """
        if self.encoding.startswith(("utf-16", "utf-32")):  # a line end is not a single byte
            yield from self._wide_lines()
            return
        for line_number, line in self._lines_of_bytes():
            try:
                text = line.decode(self.encoding if line_number == 1 else self._codec)
            except UnicodeError as error:
                raise self.wrong(
                    f"expected text in {self.encoding}, got bytes that are none "
                    f"({_described(error)}); pass {argument('encoding')} if it is another one",
                    f"line {line_number}",
                ) from None
            yield line_number, text

    def _lines_of_bytes(self) -> Iterator[tuple[int, bytes]]:
        longest = self.limits.line
        with self.open() as file:
            line_number, rest = 0, b""
            while chunk := file.read(min(_CHUNK, longest)):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    line_number += 1
                    if line and line != b"\r":
                        self._within(line, line_number)
                        yield line_number, line + b"\n"
                self._within(rest, line_number + 1)
            if rest.strip():
                yield line_number + 1, rest

    def _within(self, line: bytes, line_number: int) -> None:
        if len(line) > self.limits.line:
            raise self.wrong(
                f"the line is longer than {self.limits.line:,} bytes (see `limits`)",
                f"line {line_number}",
            )

    @property
    def _codec(self) -> str:
        return "utf-8" if self.encoding == "utf-8-sig" else self.encoding

    def _wide_lines(self) -> Iterator[tuple[int, str]]:
        try:
            text = self.whole().decode(self.encoding)
        except UnicodeError as error:
            raise self.wrong(f"expected text in {self.encoding}: {_described(error)}") from None
        for line_number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield line_number, line + "\n"

    @functools.cached_property
    def document(self) -> Any:
        """The whole source as one JSON document, or a `NoDocument` that says why it is not one."""
        if not self.text.lstrip().startswith(("{", "[")):
            return NoDocument()
        largest = self.limits.document
        with self.open() as file:
            data = file.read(largest + 1)
        if len(data) > largest:
            return NoDocument(f"larger than {largest:,} bytes (see `limits`)")
        try:
            return parsed(data.decode(self.encoding))
        except json.JSONDecodeError as error:
            return NoDocument(error.msg, f"line {error.lineno} column {error.colno}")
        except UnicodeError as error:
            return NoDocument(f"expected text in {self.encoding}: {_described(error)}")
        except ValueError as error:
            return NoDocument(str(error))

    @functools.cached_property
    def first_records(self) -> list[dict[str, Any]]:
        """The JSON objects on the first lines (at most 20), up to a line that is not one."""
        found: list[dict[str, Any]] = []
        if not self.text.lstrip().startswith("{"):
            return found
        for _, line in self.lines():
            if not line.strip():
                continue
            try:
                record = parsed(line)
            except ValueError:
                break
            if not isinstance(record, dict):
                break
            found.append(record)
            if len(found) == 20:
                break
        return found

    @functools.cached_property
    def has_lines(self) -> bool:
        """Is there more than one line that begins like a JSON object?"""
        if self.value is not None:
            return False
        begun = 0
        for _, line in self.lines():
            begun += line.lstrip().startswith("{")
            if begun == 2 or (line.strip() and not begun):
                break
        return begun == 2

    def records(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The objects of JSON lines, each with the number of its line.

        Raises LogError for a line that is not an object.
        """
        for line_number, line in self.lines():
            if not line.strip():
                continue
            try:
                record = parsed(line)
            except json.JSONDecodeError as error:
                self.damaged(
                    f"expected a JSON object, got {_short(line)}: {error.msg}",
                    f"line {line_number}",
                )
                return
            except ValueError as error:
                self.damaged(f"expected a JSON object: {error}", f"line {line_number}")
                return
            if not isinstance(record, dict):
                self.damaged(f"expected a JSON object, got {_short(line)}", f"line {line_number}")
                return
            yield line_number, record


def _described(error: UnicodeError) -> str:
    start = getattr(error, "start", None)
    return str(error) if start is None else f"byte {start}: {getattr(error, 'reason', '')}"


def _short(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")
