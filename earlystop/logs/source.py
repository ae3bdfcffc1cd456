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
from typing import Any, BinaryIO

from .._arguments import argument
from ..errors import LogError
from .bounded import GZIP, BoundedBytes, allowed, first_bytes, opened, too_much
from .dialect import Dialect, dialect_of
from .json_text import NoDocument, broken_start, no_document, parsed
from .options import Options
from .rows import Rows
from .text_lines import Block, blocks_of, described, lines_of

__all__ = ["Source"]


_HEAD = 2**16


_BINARY = 1024  # the first characters, which contain no NUL if this is text


_VALUE, _RUN = 32, 1024  # bytes that a value (as read, and in the history) and a run take


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
        self.limits, self.growing = options.limits, options.growing
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

    def cut_off(self, line: str, number: int) -> bool:
        """Is this line, which cannot be read, the beginning of a record? If so, note it."""
        if number == 1 or line.endswith("\n") or not line.lstrip().startswith("{"):
            return False
        self.left_out(number)
        return True

    def left_out(self, number: int) -> None:
        """Note that the last line is incomplete: the run goes on, or was killed."""
        self.notes.append(f"line {number:,}, the last, is cut off: left out")

    def cut_off_record(self, offset: int) -> None:
        """Note that the last record is incomplete: the run goes on, or was killed."""
        note = f"byte {offset:,}: the last record is cut off: left out"
        if note not in self.notes:  # of a file that is read again
            self.notes.append(note)

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

    def recount(self) -> None:
        """Count values and runs anew: the source is read once more."""
        self._values = self._spent = 0

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
                f"expected text in {self.encoding}, got bytes that are none ({described(error)}); "
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
        lines = self.text.split(self.line_end)
        if "\r" in self.text:
            lines = [line.rstrip("\r") for line in lines]
        if (len(lines) > 1 and len(self.head) == _HEAD) or self.growing:
            lines.pop()  # what is behind the last line end
        return list(filter(str.strip, lines))

    @functools.cached_property
    def line_end(self) -> str:
        """What ends a line: a carriage return if there is no line feed in the first 64 KiB."""
        return "\r" if "\r" in self.text and "\n" not in self.text else "\n"

    def lines(self) -> Iterator[tuple[int, str]]:
        """The lines, each with its number, counted from 1; blank lines are left out.

        Raises LogError for a line that is too long, and for bytes that are not text.
        """
        return lines_of(self)

    def blocks(self) -> Iterator[Block]:
        """The text in blocks of whole lines. Raises LogError as `lines` does."""
        return blocks_of(self)

    @functools.cached_property
    def dialect(self) -> Dialect:
        """How a table of text is written, judging by the first lines."""
        return dialect_of(self.first_lines, self.options.separator)

    @functools.cached_property
    def document(self) -> Any:
        """The whole source as one JSON document, or a `NoDocument` that says why it is not one."""
        if not self.text.lstrip().startswith(("{", "[")):
            return NoDocument()
        if len(self.first_records) > 1:
            return NoDocument("Extra data", "line 2 column 1")
        if len(self.head) == _HEAD and (broken := broken_start(self.text)):
            return broken
        largest = self.limits.document
        with self.open() as file:
            data = file.read(largest + 1)
        if len(data) > largest:
            return NoDocument(f"larger than {largest:,} bytes (see `limits`)")
        try:
            return parsed(data.decode(self.encoding))
        except json.JSONDecodeError as error:
            return no_document(error)
        except UnicodeError as error:
            return NoDocument(f"expected text in {self.encoding}: {described(error)}")
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
                if self.cut_off(line, line_number):
                    return
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


def _short(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")
