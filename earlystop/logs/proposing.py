r"""Patterns for plain text, proposed from what recurs in it: `name: number`, `name=number`.

Lines with the same names are of one kind. A kind of which there are several, and which names more
than counters, gets a pattern: its names as they stand, a group for each number, anything between.
Names of known metrics count wherever they stand; others where the number after them changes.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..language.splits import SPLITS
from .columns import is_coordinate
from .known_names import is_metric
from .options import Options
from .printed_lines import STYLE
from .source import Source

__all__ = ["propose_patterns"]

_NUMBER = r"[-+.\deE]*\d|-?nan|-?inf"
_PAIR = re.compile(
    r"""(?ix)
    (?<![\w.])(?P<name>[a-z_](?:[\w.@/-]*[\w@)])?(?:[ ][a-z_][\w.@/-]*\w){0,2}?)
    (?P<between>['"]?[ ]?[:=]\s*\[?|\s+\[?)
    (?P<value>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|[-+]?nan|[-+]?inf)
    (?![\w:]|\.\w|-\d)
    """
)
_COUNTER = re.compile(
    r"(?i)(?<![a-z])(?P<name>epochs?|iterations?|iters?|global[ _]step|steps?|rounds?|updates?"
    r"|episodes?)(?P<between>[ ]?[:=#]?\s*[\[(]?)(?P<value>\d+)(?![\d.]*[a-z%])"
)
_ALSO = frozenset(("lr", "learning_rate", "learning rate"))
_MOST_LINES, _LONGEST, _MOST_PAIRS = 20_000, 2000, 30
_SEVERAL = 2


@dataclass(frozen=True)
class _Pair:
    """A name with a number, as it stands in a line.

    group: the name of the group that it gets.
    text: the name and what stands before the number.
    lead: a word of the line before it, which says what the name does not.
    is_known: whether it is a counter, a known metric or a learning rate.
    """

    group: str
    text: str
    lead: str = ""
    is_known: bool = True

    @property
    def pattern(self) -> str:
        words = r"\s+".join(map(re.escape, self.text.split()))
        end = r"\s*" if self.text[-1:].isspace() else ""
        lead = rf"\b{self.lead}\b.*?" if self.lead else ""
        return rf"{lead}\b{words}{end}(?P<{self.group}>{_NUMBER})"


def propose_patterns(source: Any, *, encoding: str = "utf-8") -> tuple[str, ...]:
    r"""Propose patterns for plain text, to pass on to `read_history(pattern=...)`.

    source: a file.
    encoding: the encoding of the text without a byte order mark.

    One pattern for each kind of line in which names with numbers recur; none if there is no such
    line. Of names that are of no known metric, only those whose numbers change are taken. Look at
    what they read before you trust them: a name says nothing about what is meant.

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
    found = _Kinds()
    for _, line in itertools.islice(log.lines(), _MOST_LINES):
        for part in STYLE.sub("", line).split("\r"):
            found.add(_pairs(part[:_LONGEST]))
    return tuple(dict.fromkeys(_patterns(found.recurring())))


_Kind = tuple[_Pair, ...]


class _Kinds:
    """The kinds of lines, and which numbers change."""

    def __init__(self) -> None:
        self._numbers: Counter[_Kind] = Counter()
        self._values: dict[_Pair, str] = {}
        self._changing: set[_Pair] = set()

    def add(self, line: Iterable[tuple[_Pair, str]]) -> None:
        """Count a line by its pairs, which come with their numbers."""
        pairs = dict(line)
        if pairs:
            self._numbers[tuple(pairs)] += 1
        for pair, value in pairs.items():
            if self._values.setdefault(pair, value) != value:
                self._changing.add(pair)

    def recurring(self) -> list[_Kind]:
        """The kinds of which there are several, without what is of no use."""
        alike: defaultdict[_Kind, list[_Kind]] = defaultdict(list)
        for kind in self._numbers:
            alike[tuple(pair for pair in kind if pair.is_known)].append(kind)
        recurring: Counter[_Kind] = Counter()
        for known, kinds in alike.items():
            # Where only some of the lines with the same metrics have a name, it is left out.
            in_all = set[_Pair]().union(*kinds)
            if not all(map(_counts, known)):
                in_all.intersection_update(*kinds)
            for kind in kinds:
                useful = (p for p in kind if p.is_known or p in in_all & self._changing)
                recurring[tuple(useful)] += self._numbers[kind]
        return [kind for kind, number in recurring.items() if kind and number >= _SEVERAL]


def _patterns(recurring: list[_Kind]) -> Iterator[str]:
    """The patterns of the kinds that recur; counters alone only where metrics need them."""
    with_metrics = [kind for kind in recurring if not all(map(_counts, kind))]
    if not with_metrics:
        return
    if all(any(map(_counts, kind)) for kind in with_metrics):
        recurring = with_metrics
    for kind in recurring:
        if not any(set(kind) < set(other) for other in recurring):  # a part of a longer line
            yield ".*?".join(pair.pattern for pair in kind)


def _counts(pair: _Pair) -> bool:
    return is_coordinate(pair.group)


def _pairs(line: str) -> Iterator[tuple[_Pair, str]]:
    """The names with numbers in a line, with different names of groups, and the numbers."""
    taken, led = set[str](), False
    matches = list(itertools.islice(_matches(line), _MOST_PAIRS))
    word = _part(line, [match["name"] for match in matches])
    for match in matches:
        name = re.sub(r"\s+", " ", match["name"].strip())
        group, lead = _group(name), ""
        part = word[0] if word is not None and word.start() < match.end() else ""
        is_known = is_coordinate(group) or name.lower() in _ALSO or _is_of_a_metric(name)
        is_of_data = not is_coordinate(group) and name.lower() not in _ALSO
        if part and is_of_data and not _names_a_part(group):
            group = f"{part.lower()}_{group}"
        if group in taken:
            continue
        taken.add(group)
        if part and not led:
            lead, led = "" if part in match["name"] else part, True
        yield _Pair(group, match["name"] + match["between"], lead, is_known), match["value"]


def _is_of_a_metric(name: str) -> bool:
    """Is this a metric, or one that names what it is of: Loss Discriminator?"""
    return is_metric(name) or any(map(is_metric, re.split(r"[\s_]+", name)))


def _matches(line: str) -> Iterator[re.Match[str]]:
    """The counters of a line and its pairs, in their order."""
    position = 0
    while True:
        counter, pair = _COUNTER.search(line, position), _PAIR.search(line, position)
        if counter is not None and (pair is None or counter.start() < pair.end()):
            first = counter  # also "Train Epoch: 1"
        elif pair is not None:
            first = pair
        else:
            return
        yield first
        position = first.end()


def _part(line: str, names: Collection[str]) -> re.Match[str] | None:
    """The word for a part of the data among the first words of a line; None if there is none.

    names: those with numbers; such a word is one of them in "train=0.5 val=0.6".
    """
    words = itertools.islice(re.finditer(r"[A-Za-z]+", line[:_BEGINNING]), _WORDS)
    found = (word for word in words if word[0].lower() in SPLITS)
    return next((word for word in found if word[0] not in names), None)


_BEGINNING, _WORDS = 80, 6


def _names_a_part(group: str) -> bool:
    return bool(SPLITS.intersection(group.lower().split("_")))


def _group(name: str) -> str:
    """The name of a group for this name, which has letters, digits and _ alone."""
    group = re.sub(r"\W+", "_", name.lower()).strip("_")
    if group.rstrip("s") in _SINGULAR:
        group = group.rstrip("s")
    return group if group[:1].isalpha() else f"_{group}"


_SINGULAR = frozenset(("epoch", "iteration", "iter", "step", "round", "update", "episode"))
