"""Boxes that loggers of reinforcement learning print, one for each check.

OpenAI's baselines, Stable-Baselines3 and Spinning Up print them:

    ---------------------------------
    | rollout/           |          |
    |    ep_rew_mean     | 21.5     |
    | time/              |          |
    |    total_timesteps | 2048     |
    ---------------------------------
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..columns import is_coordinate, number
from ..known_names import is_metric
from ..log_format import LogFormat
from ..printed_lines import BOXES, STYLE
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]

_ROW = re.compile(r"^\|(?P<name> [^|]*\S) *\|(?P<value>[^|]*)\|\s*$")
_ROWS = re.compile(_ROW.pattern, re.MULTILINE)
_BOX = re.compile(r"^-{8,}[ \r]*\n\| +[^|\n]*\S *\|[^|\n]*\|[ \r]*$", re.MULTILINE)
_NESTED = 3  # blanks more than a group has


def _recognise(log: Source) -> bool:
    if "|" not in log.text or not any(mark in log.text for mark in BOXES):
        return False
    text = STYLE.sub("", log.text)
    if not _BOX.search(text):
        return False
    names = {match["name"].strip() for match in _ROWS.finditer(text)}
    return any(is_coordinate(name) or is_metric(name) for name in names)


def _read(log: Source) -> Iterator[Run]:
    rows, row, group = log.rows(), dict[str, float](), ""
    left_out = dict[str, None]()
    for _, line in log.lines():
        text = STYLE.sub("", line)
        match = _ROW.match(text)
        if match is None:
            if row:
                rows.add(row)
            row, group = {}, ""
            continue
        name, value = match["name"].strip(), match["value"].strip()
        nested = len(match["name"]) - len(match["name"].lstrip()) > _NESTED
        if not value and name.endswith("/"):
            group = name
            continue
        found = _number(value)
        full = group + name if nested else name
        if found is None:
            left_out[full] = None
        else:
            row[full] = found
    if row:
        rows.add(row)
    if not rows.length:
        raise log.wrong("boxes without a number in them", not_a_log=True)
    if left_out:
        log.notes.append(f"no numbers, left out: {', '.join(list(left_out)[:5])}")
    log.notes.append("read as boxes, one for each check")
    yield rows.run()


def _number(text: str) -> float | None:
    try:
        return number(text)
    except ValueError:
        return None


FORMAT = LogFormat("boxes", _recognise, _read, order=106)
