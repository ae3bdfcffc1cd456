r"""Names with numbers in a line of plain text: `name: number`, `name=number`, `name number`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..language.splits import SPLITS
from .columns import is_coordinate
from .known_names import is_metric

__all__ = ["Pair", "pairs_of"]

# Commas group thousands or begin decimals; which of them, all numbers of the file say together.
_VALUE = r"""
    [-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!,?\d)|\d+,\d+(?!,?\d)|\d+\.\d*|\.\d+|\d+(?!,\d))
    (?:e[-+]?\d+)?|[-+]?nan|[-+]?inf
"""
_UNIT = r"(?:[mnuµ]?s|secs?|mins?|h|[KkMGT]i?B?)\b(?![ ]?\d)"  # not the hours of 1h 20m
_PAIR = re.compile(
    rf"""(?ix)
    (?<![\w.])(?P<name>[^\W\d](?:[\w.@/-]*[\w@)])?(?:[ ][^\W\d][\w.@/-]*\w){{0,2}}?)
    (?P<between>['"]?[ ]?(?:[:=\uff1a\uff1d\u2192]|[-=]>)\s*[\[("']?|\s*\.{{2,}}[ ]?:?\s*
    |\s*[\[(]\s*|\s+)
    (?P<value>{_VALUE})
    (?:(?=(?-i:{_UNIT}))|(?![\w:]|\.\w|-\d))
    """
)
_COUNTER = re.compile(
    r"(?i)(?<![a-z])(?P<name>epochs?|iterations?|iters?|global[ _]step|steps?|rounds?|updates?"
    r"|episodes?)(?P<between>[ ]?[:=#]?\s*[\[(]?)"
    r"(?P<value>\d{1,3}(?:,\d{3})+(?!,?\d)|\d+)(?![\d.]*[a-z%])"
)
_LIST_GOES_ON = re.compile(r"\s*[,;\s]\s*[-+.\d]")
_ALSO = frozenset(("lr", "learning_rate", "learning rate"))
_MONTH_NAMES = "jan feb mar apr may jun jul aug sep sept oct nov dec"
_MONTHS = frozenset(_MONTH_NAMES.split())
_SMALL_WORDS = "a an and are at by for got has in is it its of on the to was we with"
_SMALL = frozenset(_SMALL_WORDS.split())
_SOURCE_FILE = re.compile(r"\.(?:py|pyx|cpp|cc|cu|c|h|go|rs|java|jl|lua|js|ts|R)$")
_MOST_PAIRS = 60


@dataclass(frozen=True)
class Pair:
    """A name with a number, as it stands in a line.

    group: the name of the group that it gets.
    text: the name and what stands before the number, with single blanks; a blank at the end where
        nothing else stands between them.
    lead: a word of the line before it, which says what the name does not.
    is_known: whether it is a counter, a known metric or a learning rate.
    """

    group: str
    text: str
    lead: str = ""
    is_known: bool = True

    @property
    def counts(self) -> bool:
        """Is this a counter or a time, rather than a metric?"""
        return is_coordinate(self.group)


def pairs_of(line: str) -> Iterator[tuple[Pair, str]]:
    """The names with numbers in a line, with different names of groups, and the numbers."""
    taken, led = set[str](), False
    matches = list(itertools.islice(_matches(line), _MOST_PAIRS))
    word = _part(line, [match["name"] for match in matches])
    for match in matches:
        name = _name(match["name"])
        group, lead = _group(name), ""
        part = word[0] if word is not None and word.start() < match.end() else ""
        is_known = is_coordinate(group) or name.lower() in _ALSO or _is_of_a_metric(name)
        if not is_coordinate(group) and name.lower() not in _ALSO:
            if part and not _names_a_part(group):
                group = f"{part.lower()}_{group}"
            group += "_0" if _is_first_of_list(match, line) else ""
        if group in taken:
            continue
        taken.add(group)
        if part and not led:
            lead, led = "" if part in name else part, True
        yield Pair(group, _text(name, match["between"]), lead, is_known), match["value"]


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
        position = first.end()
        if not _is_of_the_logger(first["name"]):
            yield first


def _is_of_the_logger(name: str) -> bool:
    """Does this stand in front of a line: the month of a date, a line of a source file?"""
    return name.lower() in _MONTHS or _SOURCE_FILE.search(name) is not None


def _name(found: str) -> str:
    """The name, without small words before it: "and the loss" is the loss."""
    words = found.split()
    while len(words) > 1 and words[0].lower() in _SMALL:
        del words[0]
    return " ".join(words)


def _text(name: str, between: str) -> str:
    """What stands before the number; blanks before it may be of its sign or its width."""
    plain = re.sub(r"\s+", " ", between)
    return name + (plain.rstrip() or " ")


def _is_first_of_list(match: re.Match[str], line: str) -> bool:
    opened = match["between"].rstrip()[-1:] in ("[", "(")
    return opened and _LIST_GOES_ON.match(line, match.end()) is not None


def _is_of_a_metric(name: str) -> bool:
    """Is this the name of a metric, also with what it is of, as Loss Discriminator?"""
    return is_metric(name) or any(map(is_metric, re.split(r"[\s_]+", name)))


def _part(line: str, names: Collection[str]) -> re.Match[str] | None:
    """The word for a part of the data among the first words of a line; None if there is none.

    names: those with numbers; such a word is one of them in "train=0.5 val=0.6".
    """
    words = itertools.islice(_WORD.finditer(line[:_BEGINNING]), _WORDS)
    found = (word for word in words if word[0].lower() in SPLITS)
    return next((word for word in found if word[0] not in names), None)


_WORD = re.compile(r"[A-Za-z]+(?!\.\w|\[)")  # not train.py, nor train[123]
_BEGINNING, _WORDS = 80, 6


def _names_a_part(group: str) -> bool:
    return bool(SPLITS.intersection(group.lower().split("_")))


def _group(name: str) -> str:
    """The name of a group for this name, which has letters, digits and _ alone."""
    words = name.split()
    while len(words) > 1 and words[-1].lower() in _SMALL:
        del words[-1]
    letters = (char if f"a{char}".isidentifier() else "_" for char in " ".join(words).lower())
    group = re.sub(r"_{2,}", "_", "".join(letters)).strip("_")
    if group.rstrip("s") in _SINGULAR:
        group = group.rstrip("s")
    return group if group[:1].isalpha() and group.isidentifier() else f"_{group}"


_SINGULAR = frozenset(("epoch", "iteration", "iter", "step", "round", "update", "episode"))
