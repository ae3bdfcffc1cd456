"""What training tools print to the console, read by the lines of the tool that printed it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..columns import is_coordinate, number, plain_number
from ..dialect import is_table_of_numbers
from ..log_format import LogFormat
from ..printed_lines import STYLE, TOOLS, Lines, Tool
from ..rows import Rows
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]

_OVERWRITTEN = re.compile(r"[\r\x08]+")  # progress bars begin their line anew
_NET = "\0net"  # a name that no value has
_LONGEST = 4000  # characters of a line that are searched
_COUNTERS = {"epoch_num": "epoch", "epoch": "epoch", "num_updates": "step", "step_num": "step",
             "iteration": "iteration", "samples_count": "samples"}  # fmt: skip


def _tool_of(log: Source) -> Tool | None:
    if is_table_of_numbers(log.dialect):
        return None
    text = log.text
    for tool in TOOLS:
        if tool.mark in text and tool.signature.search(text):
            return tool
    return None


def _read(log: Source) -> Iterator[Run]:
    tool = _tool_of(log)
    if tool is None:
        known = ", ".join(tool.name for tool in TOOLS)
        raise log.wrong(f"expected what one of these tools prints: {known}")
    epochs = _Epochs(log, tool.overwrites)
    for _, line in log.lines():
        for part in _OVERWRITTEN.split(STYLE.sub("", line.rstrip("\n"))):
            if tool.begins is not None and tool.begins.search(part):
                epochs.begin()
            epochs.add(list(_found(tool, part[:_LONGEST])))
    epochs.end()
    if not epochs.runs:
        raise log.wrong(f"begins as {tool.name} prints, but has no values", not_a_log=True)
    log.notes.append(f"read as {tool.name} prints it")
    for place, rows in enumerate(epochs.runs, 1):
        run = rows.run(coordinates=_COUNTERS.values())
        run.name = f"#{place}" if len(epochs.runs) > 1 else None
        yield run


class _Epochs:
    """Puts values together into rows; a row ends where a counter changes.

    log: the source.
    overwrites: whether a value that comes again replaces the earlier, rather than begin a row.

    runs: the rows so far, of each run.
    """

    def __init__(self, log: Source, overwrites: bool) -> None:
        self.runs: list[Rows] = []
        self._log, self._overwrites = log, overwrites
        self._counters: dict[str, float] = {}
        self._row: dict[str, float] = {}
        self._first: list[float] = []  # the counters of the first row of the run
        self._net = 0  # of several that are tested one after the other
        self._may_begin = True

    def begin(self) -> None:
        """Note that a run may begin here: it does if its counters fall back to the start."""
        self.end()
        self._counters, self._may_begin = {}, True

    def add(self, found: list[tuple[str, float]]) -> None:
        """Add what was found in one line: its counters say to which row the rest belongs."""
        for name, value in found:
            if _counts(name):
                if self._counters.get(name) != value:
                    self.end()
                self._counters[name] = value
        for name, value in found:
            if _counts(name):
                continue
            if name == _NET:
                self._net = int(value)
                continue
            metric = self._of_net(name)
            if metric in self._row and not self._overwrites:
                self.end()
            self._row[metric] = value

    def _of_net(self, name: str) -> str:
        """The name with the number of the net, if it is not the first that is tested."""
        return f"test{self._net}/{name[5:]}" if self._net and name.startswith("test/") else name

    def end(self) -> None:
        if not self._row:
            return
        counters = list(self._counters.values())
        if self._may_begin and (not self.runs or counters <= self._first):
            self.runs.append(self._log.rows())
            self._first = counters
        self._may_begin = False
        self.runs[-1].add({**self._counters, **self._row})
        self._row = {}


def _counts(name: str) -> bool:
    return is_coordinate(name) or name in _COUNTERS.values()


def _found(tool: Tool, line: str) -> Iterator[tuple[str, float]]:
    """The names and values in a line, by the first rule that fits."""
    for lines in tool.lines:
        match = lines.pattern.search(line)
        if match is not None:
            yield from _of_groups(lines, match.groupdict())
            return


def _of_groups(lines: Lines, groups: dict[str, Any]) -> Iterator[tuple[str, float]]:
    part = groups.pop("part", None)
    prefix = f"{part.lower()}/" if part else lines.prefix
    if "json" in groups:
        yield from _of_json(groups["json"], groups.get("key"))
        return
    if "list" in groups:
        yield from _of_list(groups["listed"].rstrip(":"), groups["list"])
        return
    pairs = groups.pop("pairs", None)
    groups.pop("done", None)
    if (net := groups.pop("net", None)) is not None:
        yield _NET, float(net)
    if "name" in groups:
        groups = {groups["name"]: groups["value"]}
    for group, text in groups.items():
        name = lines.names.get(group, group)
        yield from _pair(name if is_coordinate(name) else prefix + name, text)
    if pairs is not None and lines.pair is not None:
        for match in lines.pair.finditer(pairs):
            name = match["name"].strip()
            name = "step" if name == "num_updates" else name
            name = name if _counts(name) else _prefixed(prefix, name)
            yield from _pair(name, match["value"])
            if "std" in lines.pair.groupindex and match["std"] is not None:
                yield from _pair(f"{name}-std", match["std"])


def _prefixed(prefix: str, name: str) -> str:
    """The name with the prefix; "valid_loss" and "train loss" name the part themselves."""
    part = prefix.rstrip("/")
    if part and name.lower().startswith((f"{part}_", f"{part} ")):
        name = name[len(part) + 1 :]
    return prefix + name


def _pair(name: str, text: str) -> Iterator[tuple[str, float]]:
    try:
        value = number(text)
    except ValueError:  # 1.2.3, say: a version, not a value
        return
    if value is not None:
        yield name, value


def _of_list(name: str, text: str) -> Iterator[tuple[str, float]]:
    """The values of classes, and their mean, which leaves out those that are NaN."""
    values = []
    for item in text.split(","):
        stripped = item.strip().removeprefix("np.float32(").removeprefix("np.float64(").rstrip(")")
        values += [value for _, value in _pair(name, stripped)]
    if len(values) > 1:
        yield from ((f"{name}/{index}", value) for index, value in enumerate(values))
    known = [value for value in values if value == value]
    if known:
        yield name, sum(known) / len(known)


def _of_json(text: str, key: str | None) -> Iterator[tuple[str, float]]:
    """The values in a record; those of MLPerf have a key, a value and metadata."""
    try:
        record = json.loads(text)
    except ValueError:  # cut off, or another line's
        return
    if not isinstance(record, dict):
        return
    if "key" in record or key is not None:
        metadata = record.get("metadata")
        about = metadata if isinstance(metadata, dict) else record
        value = record.get("value")
        value = value.get("value") if isinstance(value, dict) else value
        counters = {
            counter: found
            for name, counter in _COUNTERS.items()
            if (found := plain_number(about.get(name))) is not None
        }
        metric = plain_number(value)
        if counters and metric is not None:
            yield from counters.items()
            yield str(record.get("key", key)), metric
        return
    yield from _numbers(record)


def _numbers(record: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in record.items():
        if isinstance(value, str):
            yield from _pair(name, value)
        elif (found := plain_number(value)) is not None:
            yield name, found


FORMAT = LogFormat("printed", lambda log: _tool_of(log) is not None, _read, general=True, order=107)
