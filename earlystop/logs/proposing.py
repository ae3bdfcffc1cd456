r"""Patterns for plain text, proposed from what recurs in it: `name: number`, `name=number`.

Lines that share a name with a number are of one kind, which gets a pattern: the names as they
stand, a group for each number, anything between. Names that only some of the lines have are
optional in it. Names of known metrics count wherever they recur; others where the number after
them changes, or where nothing else recurs.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .options import Options
from .printed_lines import STYLE
from .source import Source
from .text_pairs import Pair, pairs_of

__all__ = ["propose_patterns"]

_NUMBER = r"[-+.\deE]*\d|-?nan|-?inf"
_WITH_COMMAS = r"[-+.,\deE]*\d|-?nan|-?inf"
_MOST_LINES, _LONGEST = 20_000, 2000
_MOST_KINDS = 1000  # of lines; a log has a few, prose has any number
_SEVERAL = 2


def propose_patterns(source: Any, *, encoding: str = "utf-8") -> tuple[str, ...]:
    r"""Propose patterns for plain text, to pass on to `read_history(pattern=...)`.

    source: a file.
    encoding: the encoding of the text without a byte order mark.

    One pattern for each kind of line in which names with numbers recur; none if there is no such
    line, or only counters recur. Any name may be a metric. Of those that are of no known metric,
    names whose numbers change are taken; the others where nothing else recurs. Look at what the
    patterns read before you trust them, and leave out what you do not need: a name says nothing
    about what is meant.

    Raises LogError for what is no text, OSError if the file cannot be opened.

    >>> import pathlib, tempfile
    >>> import earlystop as es
    >>> log = pathlib.Path(tempfile.mkdtemp(), "train.log")
    >>> _ = log.write_text("Epoch 1: Loss=0.9, Val Loss: 1.2\nEpoch 2: Loss=0.5, Val Loss: 0.8\n")
    >>> patterns = es.logs.propose_patterns(log)
    >>> es.read_history(log, pattern=patterns).metrics["val_loss"].tolist()
    [[1.2, 0.8]]
    """
    path = Path(source)
    log = Source(str(path), Options(encoding=encoding), path=path)
    if not log.text:
        raise log.wrong(log.text_error or "expected text, got an empty file", not_a_log=True)
    found = _Recurring()
    for _, line in itertools.islice(log.lines(), _MOST_LINES):
        for part in STYLE.sub("", line).split("\r"):
            found.add(pairs_of(part[:_LONGEST]))
    return tuple(dict.fromkeys(_patterns(found)))


_Kind = tuple[Pair, ...]


class _Recurring:
    """The kinds of lines, by their pairs, and which numbers recur and change.

    with_commas: the pairs whose numbers have commas.
    """

    def __init__(self) -> None:
        self.with_commas = set[Pair]()
        self._numbers: Counter[_Kind] = Counter()
        self._lines: Counter[Pair] = Counter()
        self._values: dict[Pair, str] = {}
        self._changing = set[Pair]()

    def add(self, line: Iterable[tuple[Pair, str]]) -> None:
        """Count a line by its pairs, which come with their numbers."""
        pairs = dict(line)
        kind = tuple(pairs)
        if not kind or (len(self._numbers) >= _MOST_KINDS and kind not in self._numbers):
            return
        self._numbers[kind] += 1
        for pair, value in pairs.items():
            self._lines[pair] += 1
            if self._values.setdefault(pair, value) != value:
                self._changing.add(pair)
            if "," in value:
                self.with_commas.add(pair)

    @property
    def pairs(self) -> list[Pair]:
        """All pairs of the file, also those that do not recur."""
        return list(self._lines)

    def kinds(self) -> list[_Kind]:
        """The kinds of lines by what recurs in them, the most frequent first."""
        several = {pair for pair, lines in self._lines.items() if lines >= _SEVERAL}
        useful = {pair for pair in several if pair.is_known or pair in self._changing}
        if all(pair.counts for pair in useful):
            useful = several
        reduced: Counter[_Kind] = Counter()
        for kind, number in self._numbers.items():
            reduced[tuple(pair for pair in kind if pair in useful)] += number
        return [kind for kind, _ in reduced.most_common() if kind]


@dataclass
class _Line:
    """Lines that share names: all pairs in order, and those that every one of them has."""

    pairs: list[Pair]
    in_all: set[Pair]

    def takes(self, kind: _Kind) -> bool:
        """Take up lines of this kind, if they share a metric, and the order of what they share."""
        shared = [pair for pair in self.pairs if pair in kind]
        if all(pair.counts for pair in shared) or not self.in_all.intersection(kind):
            return False
        if shared != [pair for pair in kind if pair in self.pairs]:
            return False
        if {pair.group for pair in self.pairs}.intersection(
            pair.group for pair in kind if pair not in self.pairs
        ):
            return False  # the same name, written in another way
        place = 0
        for pair in kind:
            if pair not in self.pairs:
                self.pairs.insert(place, pair)
            place = self.pairs.index(pair) + 1
        self.in_all.intersection_update(kind)
        return True


def _patterns(found: _Recurring) -> Iterator[str]:
    """The patterns of the kinds that recur; counters alone only where metrics need them."""
    lines: list[_Line] = []
    for kind in found.kinds():
        if not any(line.takes(kind) for line in lines):
            lines.append(_Line(list(kind), set(kind)))
    with_metrics = [line for line in lines if not all(pair.counts for pair in line.pairs)]
    if all(any(pair.counts for pair in line.in_all) for line in with_metrics):
        lines = with_metrics
    for line in lines:
        yield _pattern_of(line, found)


def _pattern_of(line: _Line, found: _Recurring) -> str:
    """The pairs in their order, those that not every line has in optional groups."""
    pieces, begun = [], False
    for pair in line.pairs:
        piece = _piece(pair, found)
        if pair in line.in_all:
            pieces.append(f".*?{piece}" if begun else piece)
            begun = True
        elif begun:
            pieces.append(f"(?:.*?{piece})?")
        else:
            pieces.append(f"(?:{piece}.*?)?")
    return "".join(pieces)


def _piece(pair: Pair, found: _Recurring) -> str:
    """The name of a pair as it stands, and a group for its number."""
    words = r"\s+".join(map(re.escape, pair.text.split()))
    between = r"\s+" if pair.text.endswith(" ") else r"\s*"
    lead = rf"\b{pair.lead}\b.*?" if pair.lead else ""
    number = _WITH_COMMAS if pair in found.with_commas else _NUMBER
    return rf"{lead}{_start(pair, found)}{words}{between}(?P<{pair.group}>{number})"


def _start(pair: Pair, found: _Recurring) -> str:
    """Where the name may begin: "loss" not in "val loss", where the file has both."""
    longer = {
        other.text.removesuffix(pair.text) for other in found.pairs if _ends_with(other, pair.text)
    }
    return r"\b" + "".join(rf"(?<!{re.escape(before)})" for before in sorted(longer))


def _ends_with(other: Pair, text: str) -> bool:
    before = other.text.removesuffix(text)
    return 0 < len(before) < len(other.text) and not before[-1].isalnum()
