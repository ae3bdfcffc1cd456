r"""Patterns for plain text, proposed from what recurs in it: `name: number`, `name=number`.

Lines with the same names are of one kind. A kind of which there are several, and which names a
metric, gets a pattern: its names as they stand, a group for each number, anything between.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
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
    """

    group: str
    text: str
    lead: str = ""

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

    One pattern for each kind of line in which a metric recurs; none if there is no such line.
    Look at what they read before you trust them: a name says nothing about what is meant.

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
    kinds: dict[tuple[_Pair, ...], int] = {}
    for _, line in itertools.islice(log.lines(), _MOST_LINES):
        for part in STYLE.sub("", line).split("\r"):
            kind = tuple(_pairs(part[:_LONGEST]))
            if kind:
                kinds[kind] = kinds.get(kind, 0) + 1
    return tuple(dict.fromkeys(_patterns(kinds)))


def _patterns(kinds: dict[tuple[_Pair, ...], int]) -> Iterator[str]:
    """The patterns of the kinds that recur; counters alone only where metrics need them."""
    recurring = [kind for kind, number in kinds.items() if number >= _SEVERAL]
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


def _pairs(line: str) -> Iterator[_Pair]:
    """The counters, metrics and learning rates in a line, with different names of groups."""
    taken, led = set[str](), False
    word = _part(line)
    for match in itertools.islice(_matches(line), _MOST_PAIRS):
        name = re.sub(r"\s+", " ", match["name"].strip())
        group, lead = _group(name), ""
        part = word[0] if word is not None and word.start() < match.end() else ""
        if not is_coordinate(group):
            if not (_is_of_a_metric(name) or name.lower() in _ALSO):
                continue
            if part and name.lower() not in _ALSO and not _names_a_part(group):
                group = f"{part.lower()}_{group}"
        if group in taken:
            continue
        taken.add(group)
        if part and not led:
            lead, led = "" if part in match["name"] else part, True
        yield _Pair(group, match["name"] + match["between"], lead)


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


def _part(line: str) -> re.Match[str] | None:
    """The word for a part of the data among the first words of a line; None if there is none."""
    words = itertools.islice(re.finditer(r"[A-Za-z]+", line[:_BEGINNING]), _WORDS)
    return next((word for word in words if word[0].lower() in SPLITS), None)


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
