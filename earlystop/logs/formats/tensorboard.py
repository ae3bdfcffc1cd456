"""TensorBoard's event files: TFRecord files of protocol buffers, parsed here without TensorFlow.

From an `Event` we read wall_time (field 1), step (2) and summary (5); from a `Summary.Value` its
tag (1), simple_value (2) and tensor (8), which TensorFlow 2 writes; from a `TensorProto` its type
(1), shape (2) and values. TensorFlow's event.proto, summary.proto and tensor.proto define the
layout.
"""

from __future__ import annotations

import heapq
import itertools
import math
import os
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...language.splits import SPLITS
from ..folders import Claim, Folder
from ..log_format import LogFormat
from ..options import Options
from ..protobuf import MalformedError, fields, signed, varint
from ..row_counter import row_counter
from ..run import Run
from ..source import Source
from ..tf_records import masked_crc, records

__all__ = ["FORMAT"]


# The types of a TensorProto: for each type number, the field of its values and their packing.
_TYPES = {1: (5, "<f4"), 2: (6, "<f8"), 3: (7, ""), 9: (10, ""), 19: (13, "")}
_CONTENT = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}


def _tensor(data: bytes) -> float | None:
    """The value of a tensor that holds one number; None for any other tensor."""
    parts: dict[int, list[Any]] = {}
    for number, value in fields(data):
        parts.setdefault(number, []).append(value)
    kind = parts.get(1, [0])[-1]
    if kind not in _TYPES:
        return None
    number, packed = _TYPES[kind]
    values: Any
    content = b"".join(v for v in parts.get(4, []) if isinstance(v, bytes))
    if content:
        values = np.frombuffer(content, _CONTENT[kind]) if _fits(content, _CONTENT[kind]) else []
        return float(values[0]) if len(values) == 1 else None
    if packed:
        content = b"".join(v for v in parts.get(number, []) if isinstance(v, bytes))
        values = np.frombuffer(content, packed) if _fits(content, packed) else []
        return float(values[0]) if len(values) == 1 else None
    return _whole(parts.get(number, []), half=kind == 19)


def _fits(content: bytes, kind: str) -> bool:
    return len(content) == np.dtype(kind).itemsize


def _whole(values: list[Any], half: bool) -> float | None:
    if len(values) != 1:
        return None
    value = varint(values[0], 0)[0] if isinstance(values[0], bytes) else values[0]
    if half:
        return float(np.array(value & 0xFFFF, "<u2").view("<f2"))
    return float(signed(value))


Event = tuple[float, int, list[tuple[str, float]]]

# A time, a step that is not 0, and a summary of one value: a tag and a float. Lengths in one byte.
_PLAIN = re.compile(
    rb"\t(.{8})(?:\x10([\x80-\xff]{0,9}[\x00-\x7f]))?\*(.)\n(.)\n(.)(.*)\x15(.{4})", re.DOTALL
)


def _event(data: bytes) -> Event:
    """The wall_time, the step, and the scalars as (tag, value) of an event."""
    plain = _plain_event(data)
    return _any_event(data) if plain is None else plain


def _plain_event(data: bytes) -> Event | None:
    """What `_any_event` gives, read faster; None if the event is not as nearly all are."""
    match = _PLAIN.fullmatch(data)
    if match is None:
        return None
    time, step, summary, value, size, tag, scalar = match.groups()
    length = len(tag)
    if (size[0], value[0], summary[0]) != (length, length + 7, length + 9) or length + 9 > 127:
        return None
    name = tag.decode("utf-8", "replace").strip()
    return (
        struct.unpack("<d", time)[0],
        signed(varint(step, 0)[0]) if step else 0,
        [(name, struct.unpack("<f", scalar)[0])] if name else [],
    )


def _any_event(data: bytes) -> Event:
    wall_time, step, scalars = math.nan, 0, []
    for number, value in fields(data):
        if number == 1 and isinstance(value, bytes) and len(value) == 8:
            wall_time = struct.unpack("<d", value)[0]
        elif number == 2 and isinstance(value, int):
            step = signed(value)
        elif number == 5 and isinstance(value, bytes):
            for inner, content in fields(value):
                if inner == 1 and isinstance(content, bytes):
                    scalars += _scalar(content)
    return wall_time, step, scalars


def _scalar(data: bytes) -> list[tuple[str, float]]:
    tag, scalar = "", None
    for number, value in fields(data):
        if number == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8", "replace").strip()
        elif number == 2 and isinstance(value, bytes) and len(value) == 4:
            scalar = struct.unpack("<f", value)[0]
        elif number == 8 and isinstance(value, bytes):
            scalar = _tensor(value)
    return [(tag, scalar)] if tag and scalar is not None else []


def _events(log: Source) -> Iterator[Event]:
    for offset, data in records(log):
        try:
            event = _event(data[:-4])
        except (MalformedError, struct.error):
            event = None
        # Pictures and graphs, which may be large, are skipped without a checksum.
        if event is not None and not event[2]:
            continue
        if masked_crc(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
            return log.damaged(
                "expected a record, got data that fail its checksum", f"byte {offset}"
            )
        if event is None:
            return log.damaged("expected an event, got another record", f"byte {offset}")
        yield event


def _run(log: Source, events: Iterable[tuple[str, Event]]) -> Run:
    """The run of these events, each given with the prefix of its tags."""
    rows = log.rows()
    for prefix, (wall_time, step, scalars) in events:
        row = {t if t.lower() == "epoch" else prefix + t: value for t, value in scalars}
        rows.add({**row, "step": step, "wall_time": wall_time})
    if not rows.length and log.damage is None:
        why = "; ".join(["a TensorBoard log without a scalar in it", *log.notes])
        raise log.wrong(why, not_a_log=True)
    run = rows.run(joined=True)
    placeholder = run.metrics.get("hp_metric")
    if placeholder is not None and placeholder.values.tolist() == [-1.0]:
        del run.metrics["hp_metric"]  # Lightning's, where hyperparameters are logged without one
    return run


def _read(log: Source) -> Iterator[Run]:
    yield _run(log, (("", event) for event in _events(log)))


def _recognise(log: Source) -> bool:
    head = log.head
    if b"brain.Event:" in head[:64]:
        return True
    return len(head) >= 12 and masked_crc(head[:8]) == struct.unpack("<I", head[8:12])[0]


def _event_files(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if ".tfevents" in path.name]


def _parts(folder: Folder) -> dict[Path, str]:
    """The event files of a run in and below its folder, each with the prefix for its tags.

    TensorFlow's Keras writes train/ and validation/ with the same tags in both, and PyTorch's
    `add_scalars` writes Loss_a/ and Loss_b/ for the values a and b of Loss.
    """
    files = dict.fromkeys(_event_files(folder.files), "")
    own = bool(files)
    for name in folder.folders():
        is_split = name.lower() in SPLITS
        if not is_split and not (own and "_" in name):
            continue
        below = _event_files(folder.files_in(name))
        part = name if is_split else _value_of_add_scalars(name, below, folder.options)
        if part:
            files.update(dict.fromkeys(below, f"{part}/"))
    return files


def _value_of_add_scalars(name: str, files: list[Path], options: Options) -> str:
    """The value for which `add_scalars` made this folder; "" if it did not."""
    for path in files:
        part = Source(str(path), options, path=path)
        if _recognise(part):
            tags = {
                tag for _, _, scalars in itertools.islice(_events(part), 2) for tag, _ in scalars
            }
            begin = f"{min(tags, default='').replace('/', '_')}_"
            return name.removeprefix(begin) if len(tags) == 1 and name.startswith(begin) else ""
    return ""


def _claims(folder: Folder) -> Iterator[Claim]:
    files = _parts(folder)
    if len(files) > 1 and folder.path.name.lower() not in SPLITS:

        def read(log: Source) -> Iterator[Run]:
            yield from _read_together(log, files, folder.options)

        yield Claim(folder.path, list(files), FORMAT.name, read)


def _read_together(log: Source, files: dict[Path, str], options: Options) -> Iterator[Run]:
    """The run in several files, whose events are read in the order of the clock.

    Files that were written at the same time, and report the same at the same steps, are runs.
    """
    parts: list[tuple[Source, str]] = []
    for path, prefix in files.items():
        part = Source(str(path), options, path=path)
        if _recognise(part):
            parts.append((part, prefix))
        else:
            log.notes.append(f"{path.name}: not an event file, left out")
    by_time = [_by_time(part, prefix) for part, prefix in parts]
    run = _run(log, ((prefix, event) for _, prefix, event in heapq.merge(*by_time, key=_time)))
    log.damage = next((part.damage for part, _ in parts if part.damage), None)
    log.notes += [f"{os.path.basename(part.name)}: {n}" for part, _ in parts for n in part.notes]
    used = [(part, prefix) for part, prefix in parts if _has_event(part)]
    if len(used) > 1 and not any(prefix for _, prefix in used) and _repeats(run):
        runs = [_run(part, (("", event) for event in _events(part))) for part, _ in used]
        if not any(map(_repeats, runs)):
            log.notes.append(f"{len(runs)} event files report the same steps: a run each")
            for (part, _), run in zip(used, runs, strict=True):
                run.name = str(part.path.name if part.path else part.name)
                yield run
            return
    if len(used) > 1:
        log.notes.append(f"{len(used)} event files are one run")
    yield run


Timed = tuple[float, str, Event]


def _by_time(log: Source, prefix: str) -> Iterator[Timed]:
    """The events, each with its time, made non-decreasing, and the prefix of its tags."""
    latest = -math.inf
    for event in _events(log):
        latest = max(latest, event[0])  # NaN leaves it as it is
        yield latest, prefix, event


def _time(timed: Timed) -> float:
    return timed[0]


def _has_event(log: Source) -> bool:
    return any(True for _ in _events(log))


def _repeats(run: Run) -> bool:
    """Do many events report what others report at the same step?"""
    counter = row_counter(run, "step")
    return counter is not None and not counter.counts


FORMAT = LogFormat("tensorboard", _recognise, _read, order=50, claim_folder=_claims)
