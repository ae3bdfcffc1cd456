"""Runs of Weights & Biases in its own binary files, `run-<id>.wandb`, read without its client.

After a head of 7 bytes, the file is a log as LevelDB writes it: blocks of 32 KiB, in which each
piece of a record has a CRC-32 (4 bytes) of all that follows its length, the length (2), and a kind
(1): a whole record, or the first, a middle or the last piece of one. A record is a protocol buffer
(`Record` in wandb_internal.proto), of which we read history (field 2): its items (1), each with a
name (key, 1, or the parts of it, nested_key, 2) and a value in JSON (16), and its step (2); and run
(17), whose display_name (8) names the run.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from ..bounded import rest_is_blank
from ..json_text import parsed
from ..log_format import LogFormat
from ..protobuf import MalformedError, fields, signed
from ..records import runs_of
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]

_MAGIC = b":W&B"
_HEAD = _MAGIC + b"\xe1\xbe\x00"  # with the version, 0
_BLOCK = 2**15
_WHOLE, _FIRST, _LAST = 1, 2, 4
_TYPE = "/_type"


def _pieces(log: Source, file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """The offset, the kind and the data of each piece, up to the end or to damage."""
    begin = len(file.read(len(_HEAD)))
    block = file.read(_BLOCK - begin)
    while block:
        at = 0
        while at + 7 <= len(block):
            checksum, length = struct.unpack_from("<IH", block, at)
            end = at + 7 + length
            if end > len(block) and len(block) + begin % _BLOCK < _BLOCK:
                return log.cut_off_record(begin + at)
            if zlib.crc32(block[at + 6 : end]) != checksum or end > len(block):
                if not any(block[at:]) and rest_is_blank(file):
                    return log.cut_off_record(begin + at)
                return log.damaged(
                    "expected a record, got bytes that fail its checksum", f"byte {begin + at}"
                )
            yield begin + at, block[at + 6], block[at + 7 : end]
            at = end
        if at < len(block) and any(block[at:]):
            return log.cut_off_record(begin + at)
        begin += len(block)
        block = file.read(_BLOCK)


def _records(log: Source) -> Iterator[tuple[int, bytes]]:
    """The offset of each record, and its data."""
    parts, begin, size = list[bytes](), 0, 0
    with log.open() as file:
        for offset, kind, data in _pieces(log, file):
            if (kind in (_WHOLE, _FIRST)) == bool(parts) or not 1 <= kind <= _LAST:
                return log.damaged("expected a record, got a part of another", f"byte {offset}")
            if not parts:
                begin, size = offset, 0
            parts.append(data)
            size += len(data)
            if size > log.limits.record:
                return log.damaged(f"a record of {size:,} bytes (see `limits`)", f"byte {begin}")
            if kind in (_WHOLE, _LAST):
                yield begin, b"".join(parts)
                parts.clear()
    if parts and not log.damage:
        log.cut_off_record(begin)
    return None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _item(data: bytes) -> tuple[str, Any]:
    """The name and the value of an item of the history."""
    key, nested, value = "", list[str](), ""
    for number, content in fields(data):
        if number == 1:
            key = _text(content)
        elif number == 2:
            nested.append(_text(content))
        elif number == 16:
            value = _text(content)
    try:
        return key or "/".join(nested), parsed(value)
    except ValueError:
        return key or "/".join(nested), value


def _epoch(data: bytes) -> dict[str, Any]:
    """What one record of the history says, by name."""
    record, step = dict[str, Any](), None
    for number, content in fields(data):
        if number == 1 and isinstance(content, bytes):
            name, value = _item(content)
            record[name] = value
        elif number == 2 and isinstance(content, bytes):
            step = signed(next((n for field, n in fields(content) if field == 1), 0))
    if step is not None:
        record.setdefault("_step", step)
    return _without_media(record)


def _without_media(record: dict[str, Any]) -> dict[str, Any]:
    """The record with each picture, histogram and the like, which has a _type, as one entry."""
    media = {name[: -len(_TYPE)] for name in record if name.endswith(_TYPE)}
    if not media:
        return record
    kept: dict[str, Any] = {}
    for name, value in record.items():
        parts = name.split("/")
        above = ("/".join(parts[:end]) for end in range(1, len(parts)))
        medium = next((path for path in above if path in media), None)
        kept |= {name: value} if medium is None else {medium: {"_type": ""}}
    return kept


class _Reader:
    """Reads the history of a run, and its name on the way."""

    def __init__(self, log: Source) -> None:
        self._log = log
        self.name: str | None = None

    def history(self) -> Iterator[dict[str, Any]]:
        for offset, data in _records(self._log):
            try:
                for number, content in fields(data):
                    if number == 2 and isinstance(content, bytes):
                        yield _epoch(content)
                    elif number == 17 and isinstance(content, bytes):
                        self._take_name(content)
            except (MalformedError, TypeError):
                return self._log.damaged(
                    "expected a record of Weights & Biases, got another", f"byte {offset}"
                )

    def _take_name(self, data: bytes) -> None:
        for number, content in fields(data):
            if number == 8 and (name := _text(content).strip()):
                self.name = name[:200]


def _read(log: Source) -> Iterator[Run]:
    if not log.head.startswith(_HEAD):
        raise log.wrong(
            "expected a binary log of Weights & Biases (.wandb) of version 0, got another: export "
            "the history, as CSV or with run.history()"
        )
    reader = _Reader(log)
    runs = list(runs_of(log, reader.history()))
    if not runs and not log.damage:
        raise log.wrong("a run of Weights & Biases in which no metric was logged", not_a_log=True)
    for run in runs:
        run.name = f"{reader.name}/{run.name}" if reader.name and run.name else reader.name
        yield run


FORMAT = LogFormat("wandb_run", lambda log: log.head.startswith(_MAGIC), _read, order=5)
