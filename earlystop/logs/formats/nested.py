"""JSON in which the log is a part, beside settings and final figures.

`{"history": {metric: [...]}, "config": ...}`, `{"epochs": [{...}, ...]}`, `{"1": {...}, "2": ...}`.
Also lists of runs, each an object with lists of numbers, `[{"fold": 0, "history": {...}}, ...]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ...language.splits import SPLITS
from ..columns import is_coordinate, is_label, plain_number
from ..known_names import is_metric, is_settings
from ..log_format import LogFormat
from ..records import few, flat, runs_of
from ..run import Run
from ..source import Source
from .evals_result import is_evals_result, runs_of_sets
from .keras_history import columns_run, is_series

__all__ = ["FORMAT"]

_DEEPEST = 4  # objects in one another
_MOST = 1000  # of them, and of names, that are looked at

_LOGS = re.compile(r"(?i)(^|[_ -])(hist(ory)?|logs?|epochs?|metrics|results?|curves?|records?)$")
_NUMBERED = re.compile(r"(?i)(?:(?:epoch|step|iter(?:ation)?|round)[ _-]?)?(\d{1,9})")


class _Part(NamedTuple):
    """A part of a document that may be the log.

    path: where it is.
    kind: whether it has lists of numbers, is a list of records, or has records by number.
    value: what is there.
    length: the number of its epochs.
    """

    path: tuple[str, ...]
    kind: str
    value: Any
    length: int


def _parts(document: Mapping[str, Any]) -> list[_Part]:
    """The parts that may be the log, the likeliest first."""
    found, seen = list[_Part](), 0
    ahead: list[tuple[tuple[str, ...], Any]] = [((), document)]
    while ahead and seen < _MOST:
        path, value = ahead.pop()
        seen += 1
        part = _part(path, value)
        if part is not None:
            found.append(part)
        if (
            isinstance(value, dict)
            and len(path) < _DEEPEST
            and not (part and part.kind == "numbered")
        ):
            inner = [((*path, str(k)), v) for k, v in value.items() if not is_settings(str(k))]
            ahead += [(p, v) for p, v in reversed(inner) if isinstance(v, (dict, list))]
    named = (part for part in found if part.length)
    return sorted(named, key=lambda p: (not any(map(_LOGS.search, p.path)), len(p.path), -p.length))


def _part(path: tuple[str, ...], value: Any) -> _Part | None:
    if isinstance(value, list):
        records = [record for record in value if isinstance(record, dict)]
        if len(records) == len(value) > 0 and _is_log(records[:20]):
            return _Part(path, "records", records, len(records))
        return None
    if not isinstance(value, dict):
        return None
    numbered = [key for key in value if _NUMBERED.fullmatch(str(key))]
    if len(numbered) > 1 and len(numbered) == len(value):
        if _is_log(list(value.values())[:20]):
            return _Part(path, "numbered", value, len(value))
        return None
    lists = {key: series for key, series in value.items() if is_series(series)}
    longest = max(map(len, lists.values()), default=0)
    if longest > 1 and any(map(is_metric, map(str, list(lists)[:_MOST]))):
        return _Part(path, "lists", value, longest)
    return None


def _runs(document: list[Any]) -> list[tuple[str, _Part]]:
    """The runs in a list, each with its name or ""; none if it is a list of anything else."""
    found = []
    for item in document:
        if not isinstance(item, dict) or any(
            plain_number(value) is not None and (is_coordinate(str(name)) or is_metric(str(name)))
            for name, value in item.items()
        ):
            return []
        part = next((part for part in _parts(item) if part.kind == "lists"), None)
        if part is None:
            return []
        labels = {n: v for n, v in item.items() if isinstance(v, (str, int)) and is_label(n)}
        series = {n: v for n, v in part.value.items() if n not in labels}
        name = "/".join(f"{n}={v}" for n, v in labels.items())[:200]
        found.append((name, part._replace(value=series)))
    return found


def _is_log(records: list[Any]) -> bool:
    """Are these the records of a log, rather than of anything else?"""
    if not all(isinstance(record, dict) for record in records):
        return False
    names = {
        str(name)
        for record in records
        for name, value in flat(record)
        if plain_number(value) is not None
    }
    if not names or "support" in {name.lower() for name in names}:  # a report of classes
        return False
    return any(is_coordinate(name) or is_metric(name) for name in list(names)[:_MOST])


def _recognise(log: Source) -> bool:
    document = log.document
    if isinstance(document, list):
        return bool(_runs(document))
    if not isinstance(document, dict) or any(map(is_series, document.values())):
        return False
    return not is_evals_result(document) and bool(_parts(document))


def _read(log: Source) -> Iterator[Run]:
    document = log.document
    if isinstance(document, list) and (runs := _runs(document)):
        for number, (name, part) in enumerate(runs):
            yield columns_run(log, part.value, name or f"#{number}")
        return
    parts = _parts(document) if isinstance(document, dict) else []
    if not parts:
        raise log.wrong("expected a JSON object with a history or records of epochs in it")
    best = parts[0]
    beside = [p for p in parts if (p.kind, p.path[:-1]) == (best.kind, best.path[:-1])]
    if best.kind == "lists":
        yield from _of_lists(log, sorted(beside, key=lambda p: p.path != best.path))
    elif best.kind == "numbered":
        beside = [best]
        yield from runs_of(log, _numbered(best.value))
    else:
        beside = [p for p in beside if p.path[-1:] and p.path[-1].lower() in SPLITS] or [best]
        yield from _of_records(log, beside if best in beside else [best])
    _tell_rest(log, document, [part.path for part in beside])


def _of_lists(log: Source, parts: list[_Part]) -> Iterator[Run]:
    if len(parts) == 1:
        yield columns_run(log, parts[0].value)
    else:
        yield from runs_of_sets(log, {part.path[-1]: part.value for part in parts})


def _of_records(log: Source, parts: list[_Part]) -> Iterator[Run]:
    if len(parts) == 1:
        yield from runs_of(log, parts[0].value)
        return
    records = (
        {n if is_coordinate(n) else f"{part.path[-1]}/{n}": v for n, v in flat(record)}
        for part in parts
        for record in part.value
    )
    for run in runs_of(log, records):
        run.joined = True
        yield run


def _numbered(value: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The records by number, each with its number unless it has one."""
    numbers = {key: int(match[1]) for key in value if (match := _NUMBERED.fullmatch(str(key)))}
    for key in sorted(numbers, key=numbers.__getitem__):
        record = dict(flat(value[key]))
        if not any(map(is_coordinate, record)):
            word = "step" if str(key).lower().startswith(("step", "iter", "round")) else "epoch"
            record = {word: numbers[key], **record}
        yield record


def _tell_rest(log: Source, document: Mapping[str, Any], used: list[tuple[str, ...]]) -> None:
    """Note what was left out: everything beside the parts that were read."""
    rest, depth = [], len(used[0])
    for level in range(depth):
        above: Any = document
        for key in used[0][:level]:
            above = above[key]
        taken = {path[level] for path in used}
        rest += ["/".join((*used[0][:level], str(key))) for key in above if str(key) not in taken]
    if rest:
        where = ", ".join("/".join(path) for path in used[:3])
        log.notes.append(f"only {where} is read; left out: {few(rest)}")


FORMAT = LogFormat("nested", _recognise, _read, general=True, order=135)
