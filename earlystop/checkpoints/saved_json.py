"""JSON files of the library's own, read strictly: what it cannot have written is refused.

Python's reader takes more than JSON: NaN, one key twice in an object, 1e400 for infinity. And some
damage ends in other errors than that of damaged JSON: RecursionError, UnicodeDecodeError, or a
ValueError about long numbers. Here all of it is one error that names the file and the place.
"""

from __future__ import annotations

import json
import math
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CheckpointError, StateError, shortened

__all__ = ["LARGEST", "check_plain", "parse_json", "read_json_file"]

LARGEST = 64 << 20  # bytes of a file: it is read whole; thousands of checkpoints take less
_DEEPEST = 400  # objects and lists within each other; what writes and reads them is recursive
_TOO_DEEP = f"it is nested more than {_DEEPEST} levels deep"
_LONGEST_NUMBER = 640  # digits: any setting of Python's own limit allows as many


def read_json_file(path: Path, where: str) -> Any:
    """The value in a JSON file.

    where: what the file is, for errors, such as "the ledger 'runs/1/checkpoints.json'".

    Raises FileNotFoundError or NotADirectoryError if there is no such file, CheckpointError if it
    cannot be read, StateError if it is damaged.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise CheckpointError(f"{where} is not a regular file: move it away")
        if found.st_size > LARGEST:
            raise StateError(
                f"{where} is damaged: it has {found.st_size:,} bytes, and none is larger than "
                f"{LARGEST:,}"
            )
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, CheckpointError):
        raise
    except OSError as error:
        raise CheckpointError(f"{where} cannot be read: {error.strerror or error}") from error
    return parse_json(data, where)


def parse_json(data: bytes, where: str) -> Any:
    """The value of a JSON text in UTF-8.

    Raises StateError, naming `where` and the place, for anything else, also for what the library
    never writes: a key twice in an object, NaN, numbers too large for a float, hundreds of levels.

    >>> parse_json(b'{"sizes": [1, NaN]}', "the file")
    Traceback (most recent call last):
    earlystop.errors.StateError: the file is damaged: sizes[1]: NaN is no number of JSON
    """
    try:
        return _parsed(data)
    except ValueError as error:
        raise StateError(f"{where} is damaged: {error}") from None


def check_plain(value: Any, what: str) -> None:
    """Check that a value is JSON data that can be read back.

    what: what the value is, for errors, such as "the state".

    Raises StateError if it is not.

    >>> check_plain({"wait": 3}, "the state")
    >>> check_plain({"wait": {3}}, "the state")
    Traceback (most recent call last):
    earlystop.errors.StateError: the state must be plain JSON data, such as a `state_dict()` of a \
Stopper: Object of type set is not JSON serializable
    """
    try:
        text = json.dumps(value, allow_nan=False)
        if not _is_simple(value):
            _parsed(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        problem = _TOO_DEEP if isinstance(error, RecursionError) else error
        raise StateError(
            f"{what} must be plain JSON data, such as a `state_dict()` of a Stopper: {problem}"
        ) from None


def _is_simple(value: Any) -> bool:
    """Can a value that consists of plain JSON types certainly be read back? If in doubt, False."""
    level, depth = [value], 0
    while level and depth < _DEEPEST:
        depth += 1
        below: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                if not all(type(key) is str for key in part):  # 1 and "1" are one key
                    return False
                below += part.values()
            elif isinstance(part, (list, tuple)):
                below += part
            elif isinstance(part, int) and part.bit_length() > 64:
                return False
        level = below
    return not level


class _Fault(NamedTuple):
    """Stands in a parsed value for a part that is not as the library writes it."""

    problem: str


def _parsed(data: bytes) -> Any:
    """The value of a JSON text. Raises ValueError, which says what is wrong and where."""
    faults: list[_Fault] = []

    def fault(problem: str) -> _Fault:
        faults.append(_Fault(problem))
        return faults[-1]

    def whole(digits: str) -> Any:
        return int(digits) if len(digits) <= _LONGEST_NUMBER else fault(_too_long(digits))

    def real(digits: str) -> Any:
        number = float(digits)
        return number if math.isfinite(number) else fault(f"{digits:.20} is too large for a float")

    def unique(pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        return found if len(found) == len(pairs) else fault(_twice(pairs))

    try:
        tree = json.loads(
            data.decode(),
            object_pairs_hook=unique,
            parse_int=whole,
            parse_float=real,
            parse_constant=lambda name: fault(f"{name} is no number of JSON"),
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if _depth(tree) > _DEEPEST:
        raise ValueError(_TOO_DEEP)
    if faults:
        raise ValueError(next(_faults_in(tree)))
    return tree


def _too_long(digits: str) -> str:
    return f"{digits:.20}... is a number of {len(digits)} digits"


def _twice(pairs: list[tuple[str, Any]]) -> str:
    counts = Counter(key for key, _ in pairs)
    return f"the key {shortened(max(counts, key=counts.__getitem__))} stands twice in one object"


def _children(tree: Any) -> list[tuple[str, Any]]:
    """The parts of an object or a list, each with its place in it."""
    if isinstance(tree, dict):
        return [(f".{key}", value) for key, value in tree.items()]
    if isinstance(tree, list):
        return [(f"[{index}]", value) for index, value in enumerate(tree)]
    return []


def _depth(tree: Any) -> int:
    level, depth = [tree], 0
    while level:
        level = [
            part
            for branch in level
            if isinstance(branch, (dict, list))
            for part in (branch.values() if isinstance(branch, dict) else branch)
        ]
        depth += 1
    return depth


def _faults_in(tree: Any, place: str = "") -> Iterator[str]:
    """What is wrong with the first faulty parts, each with its place before it."""
    if isinstance(tree, _Fault):
        where = f"{place.removeprefix('.')}: " if place else ""
        yield f"{where}{tree.problem}"
    for step, part in _children(tree):
        yield from _faults_in(part, place + step)
