"""Writes the binary files of Weights & Biases, as its client does: for the tests of the reader."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from tests.support.event_files import field, varint

BLOCK = 2**15


def log_of(records: Iterable[bytes]) -> bytes:
    """The file of these records, which are split where a block of 32 KiB ends."""
    out = bytearray(b":W&B\xe1\xbe\x00")
    for data in records:
        rest, first = data, True
        while True:
            room = BLOCK - len(out) % BLOCK
            if room < 7:
                out += bytes(room)
                room = BLOCK
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = (1 if first else 4) if not rest else (2 if first else 3)
            body = bytes([kind]) + part
            out += struct.pack("<IH", zlib.crc32(body), len(part)) + body
            first = False
            if not rest:
                break
    return bytes(out)


def history(values: Mapping[str, Any], step: int, *, nested: bool = True) -> bytes:
    """A record of what was logged at a step.

    nested: whether names are written in parts, as newer clients do.
    """
    items = b""
    for name, value in values.items():
        parts = [field(2, p.encode()) for p in name.split("/")] if nested else []
        key = b"".join(parts) if nested else field(1, name.encode())
        items += field(1, key + field(16, json.dumps(value).encode()))
    position = field(2, b"\x08" + varint(step) if step else b"")
    return b"\x08" + varint(step + 9) + field(2, items + position)


def about(name: str) -> bytes:
    """The record that describes a run."""
    return b"\x08\x01" + field(17, field(1, b"id") + field(8, name.encode()))


def wandb_file(
    epochs: Iterable[Mapping[str, Any]], *, name: str = "", nested: bool = True
) -> bytes:
    """A file of what was logged step by step, among records of other kinds."""
    records = [field(21, b""), about(name), field(7, b"\x10\x01")]
    for step, values in enumerate(epochs):
        records += [history(values, step, nested=nested), field(3, b"")]
    return log_of([*records, field(18, b"\x10\x02")])
