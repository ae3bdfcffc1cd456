"""Damaged files: what disks, crashes, merges and ill will make of logs."""

from __future__ import annotations

import copy
import gzip
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

TOKENS = (
    *(
        b"nan",
        b"NaN",
        b"-inf",
        b"1e999",
        b"1" * 400,
        b"0x10",
        b"1_0",
        b"--1",
        b"1.5.2",
        b"\xd9\xa1",
    ),
    *(b'"', b"'", b",", b";", b"\t", b"\n", b"\r\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(b"{", b"}", b"[" * 50, b"[" * 3000, b"]", b"{}", b"[]", b"null", b"true", b":", b"{}\n{}\n"),
    *(b"epoch", b"step", b"run", b"mode", b"train", b"-1", b"0", b" " * 200, b"a" * 200_000),
    *(b"\xff" * 8, b"\x00" * 8, b"\x7f" + b"\xff" * 7, b"\x80" * 12),
)


def mutated(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The data after a few accidents."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        data = random.choice(_ACCIDENTS)(random, data, others)
    return data


ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 1.5, -0.0, 2**31, 2**63, -(2**64), 10**400, 1e308, math.nan, math.inf),
    *("", "nan", "inf", "-inf", "0", "../x", "\ud800", "\0", "a" * 5000, "Never", "loss", [], {}),
    *([[]], [None], [1, "a"], {"": 1}, {"Never": {}}, {"Not": {"rule": {"Never": {}}}}),
)


def altered(random: random.Random, value: Any) -> Any:
    """JSON data in which a few parts are replaced, dropped, doubled or nested deeper."""
    value = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 2, 4))):
        places = [*_places(value)]
        if not places:
            break
        owner, key = random.choice(places)
        kind = random.randrange(6)
        if kind == 0:
            del owner[key]
        elif kind == 1:
            other, other_key = random.choice(places)
            owner[key] = copy.deepcopy(other[other_key])
        elif kind == 2:
            for _ in range(random.choice((1, 20, 60))):
                owner[key] = random.choice(([owner[key]], {"Not": {"rule": owner[key]}}))
        else:
            owner[key] = copy.deepcopy(random.choice(ODD_VALUES))
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every part of JSON data, as what holds it and the key there."""
    ahead = [value]
    while ahead:
        owner = ahead.pop()
        if isinstance(owner, (dict, list)):
            for key in [*owner] if isinstance(owner, dict) else range(len(owner)):
                yield owner, key
                ahead.append(owner[key])


def _span(random: random.Random, data: bytes) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.choice((1, 2, 8, 50, 500, len(data))))


def _flipped(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _overwritten(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:start] + random.randbytes(min(end - start, 5000)) + data[end:]


def _cut_off(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data[: random.randint(0, len(data))]


def _headless(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data[random.randint(0, len(data)) :]


def _with_hole(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:start] + data[end:]


def _repeated(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    end = min(end, start + 2000)
    return data[:end] + data[start:end] * random.choice((1, 2, 30)) + data[end:]


def _spliced(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = random.choice(others)
    start, end = _span(random, other)
    index = random.randint(0, len(data))
    return data[:index] + other[start : min(end, start + 50_000)] + data[index:]


def _crossed(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = random.choice(others)
    tail = other[random.randint(0, len(other)) :]
    return data[: random.randint(0, len(data))] + tail[:50_000]


def _with_token(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    end = random.choice((start, min(end, start + 8)))
    return data[:start] + random.choice(TOKENS) + data[end:]


def _shuffled_lines(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    if len(lines) > 2:
        first, second = random.randrange(len(lines)), random.randrange(len(lines))
        lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def _packed(random: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return gzip.compress(data[:200_000], 1)


_ACCIDENTS = (
    *(_flipped, _flipped, _overwritten, _cut_off, _headless, _with_hole, _repeated, _spliced),
    *(_crossed, _with_token, _with_token, _shuffled_lines, _packed),
)
