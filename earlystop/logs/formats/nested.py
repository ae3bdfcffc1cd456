"""JSON in which the log is a part, beside settings and final figures.

`{"history": {metric: [...]}, "config": ...}`, `{"epochs": [{...}, ...]}`, `{"1": {...}, "2": ...}`.
Also runs by name, `{"lstm": {"history": {...}}, "gru": {"history": {...}}}`, and lists of runs,
each an object with lists of numbers, `[{"fold": 0, "history": {...}}, ...]`.
"""

from __future__ import annotations

import itertools
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
    place: how many objects and lists stand before it.
    """

    path: tuple[str, ...]
    kind: str
    value: Any
    length: int
    place: int = 0


def _parts(document: Mapping[str, Any]) -> list[_Part]:
    """The parts that may be the log, the likeliest first."""
    found, seen = list[_Part](), 0
    ahead: list[tuple[tuple[str, ...], Any]] = [((), document)]
    while ahead and seen < _MOST:
        path, value = ahead.pop()
        seen += 1
        part = _part(path, value)
        if part is not None:
            found.append(part._replace(place=seen))
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


def _list_of_runs(document: Any) -> tuple[str, list[tuple[str, _Part]]] | None:
    """The first value of an object that is a list of runs, with its key; None if none is."""
    if isinstance(document, dict):
        for key, value in itertools.islice(document.items(), _MOST):
            if isinstance(value, list) and (runs := _runs(value)):
                return str(key), runs
    return None


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
    return not is_evals_result(document) and bool(_parts(document) or _list_of_runs(document))


def _read(log: Source) -> Iterator[Run]:
    document = log.document
    parts = _parts(document) if isinstance(document, dict) else []
    if not parts:
        yield from _of_list(log, document)
        return
    read = _together(parts)
    if len(read) == 1:
        yield from _of_part(log, parts[0])
    elif parts[0].kind == "lists":
        yield from runs_of_sets(log, {name: part.value for name, part in read.items()})
    elif parts[0].kind == "records" and {name.lower() for name in read} <= SPLITS:
        yield from _of_splits(log, read)
    else:
        for name, part in read.items():
            for run in _of_part(log, part):
                run.name = name if run.name is None else f"{name}/{run.name}"
                yield run
    _tell_rest(log, document, [part.path for part in read.values()])


def _of_list(log: Source, document: Any) -> Iterator[Run]:
    found = _list_of_runs({"": document} if isinstance(document, list) else document)
    if found is None:
        raise log.wrong("expected a JSON object with a history or records of epochs in it")
    key, runs = found
    for number, (name, part) in enumerate(runs):
        yield columns_run(log, part.value, name or f"#{number}")
    if key:
        _tell_rest(log, document, [(key,)])


def _together(parts: list[_Part]) -> dict[str, _Part]:
    """The parts that are read, the likeliest of all among them, by their names.

    They differ in one name of their path. Lists of numbers side by side may be of any metrics;
    others are of one kind if they have a metric in common.
    """
    best = parts[0]
    for level in range(len(best.path) - 1, -1, -1):
        alike = [part for part in parts if _differs_at(level, best, part)]
        if level < len(best.path) - 1 or best.kind != "lists":
            alike = [part for part in alike if _metrics(part) & _metrics(best)]
        if alike:
            together = sorted([best, *alike], key=lambda part: part.place)
            return {part.path[level]: part for part in together}
    return {"": best}


def _differs_at(level: int, one: _Part, other: _Part) -> bool:
    """Are both of one kind, with paths that differ in the name at this level alone?"""
    if one.kind != other.kind or len(one.path) != len(other.path):
        return False
    return [a == b for a, b in zip(one.path, other.path, strict=True)] == [
        place != level for place in range(len(one.path))
    ]


def _metrics(part: _Part) -> set[str]:
    """The names of what a part has, as its first records tell."""
    if part.kind == "lists":
        return set(itertools.islice(part.value, _MOST))
    records = part.value if part.kind == "records" else list(part.value.values())
    names = {str(name) for record in records[:20] for name, _ in flat(record)}
    return {name for name in names if not is_coordinate(name)}


def _of_part(log: Source, part: _Part) -> Iterator[Run]:
    if part.kind == "lists":
        yield columns_run(log, part.value)
    else:
        yield from runs_of(log, _numbered(part.value) if part.kind == "numbered" else part.value)


def _of_splits(log: Source, parts: Mapping[str, _Part]) -> Iterator[Run]:
    """The run whose records of training and validation stand in lists of their own."""
    records = (
        {n if is_coordinate(n) else f"{split}/{n}": v for n, v in flat(record)}
        for split, part in parts.items()
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
    rest, above = [], document
    taken = [{path[level] for path in used} for level in range(len(used[0]))]
    names = ["*" if len(keys) > 1 else key for keys, key in zip(taken, used[0], strict=True)]
    for level, key in enumerate(used[0]):
        rest += ["/".join((*names[:level], str(k))) for k in above if str(k) not in taken[level]]
        above = next(value for name, value in above.items() if str(name) == key)
    if rest:
        several = names[-1:] == ["*"]
        where = ", ".join("/".join(path) for path in used[:3]) if several else "/".join(names)
        log.notes.append(f"only {where} is read; left out: {few(rest)}")


FORMAT = LogFormat("nested", _recognise, _read, general=True, order=135)
