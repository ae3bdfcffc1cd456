"""Writes TensorBoard's event files, as the tools write them: for the tests of the reader."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

Scalar = tuple[float, int, str, float]  # wall_time, step, tag, value


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit, as the polynomial says."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 * (crc & 1))
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    """A record of TFRecord."""
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, data: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(value: float) -> bytes:
    """A TensorProto of one float32, as TensorFlow 2 writes a scalar."""
    return b"\x08\x01" + field(2, b"") + field(4, struct.pack("<f", value))


def event(wall_time: float, step: int, tag: str, value: float, as_tensor: bool = False) -> bytes:
    name = field(1, tag.encode())
    if as_tensor:
        content = name + field(9, field(1, field(1, b"scalars"))) + field(8, tensor(value))
    else:
        content = name + b"\x15" + struct.pack("<f", value)
    head = b"\x09" + struct.pack("<d", wall_time) + (b"\x10" + varint(step) if step else b"")
    return head + field(5, field(1, content))


def picture(wall_time: float, step: int, size: int) -> bytes:
    head = b"\x09" + struct.pack("<d", wall_time) + b"\x10" + varint(step)
    image = field(1, b"image") + field(4, field(4, b"\x2a" * size))
    return head + field(5, field(1, image))


def event_file(scalars: Iterable[Scalar], as_tensor: bool = False) -> bytes:
    """An event file of these scalars, with its head and a picture in front."""
    head = b"\x09" + struct.pack("<d", 1.0) + field(3, b"brain.Event:2")
    parts = [record(head), record(picture(1.0, 0, 100))]
    return b"".join([*parts, *(record(event(*s, as_tensor=as_tensor)) for s in scalars)])


def write_events(path: Path, scalars: Iterable[Scalar], as_tensor: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(event_file(scalars, as_tensor))
    return path
