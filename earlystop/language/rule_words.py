"""Rules in words, for headings, labels and legends: "patience 12" rather than code."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

from .rule import AllOf, AnyOf, Not, Rule

__all__ = ["labels_of", "rule_words"]

_WHOLE = {"Never": "never stop", "Always": "always stop"}
_UNSAID = ("monitor", "mode")  # a page or picture names the metric anyway


def rule_words(rule: Rule, unsaid: Collection[str] = ()) -> str:
    """The rule in a few words: its name, its dial, and the settings that are not the defaults.

    unsaid: fields that are left out, such as those that a sweep varies.

    >>> from earlystop import AdaptivePatience, MaxEpochs, NonFinite, Patience, Smoothed
    >>> rule_words(Patience("loss", 12)), rule_words(AdaptivePatience("loss", 420.0))
    ('patience 12', 'adaptive patience 420')
    >>> rule_words(Patience("loss", 5, min_delta=0.01, relative=True) | MaxEpochs(50))
    'patience 5 (min_delta 0.01, relative) or max epochs 50'
    >>> rule_words(Smoothed(Patience("loss", 3), "loss", window=5)), rule_words(NonFinite("loss"))
    ('smoothed (window 5) patience 3', 'non-finite')
    >>> rule_words(Patience("loss", min_delta=0.1), unsaid=["patience"])
    'patience (min_delta 0.1)'
    """
    if isinstance(rule, (AnyOf, AllOf)):
        word = " or " if isinstance(rule, AnyOf) else " and "
        return word.join(_within(child, unsaid) for child in rule.children)
    if isinstance(rule, Not):
        return f"not {_within(rule.children[0], unsaid)}"
    unsaid = {*_UNSAID, *unsaid}
    parts = [_name(type(rule).__name__), *_main(rule, unsaid)]
    others = _others(rule, unsaid)
    if others:
        parts.append(f"({', '.join(others)})")
    parts += [_within(child, unsaid) for child in rule.children]
    return " ".join(parts)


def labels_of(rules: Sequence[Rule]) -> list[str]:
    """The rules in words that tell them apart: as code, where the words are the same.

    >>> from earlystop import Patience
    >>> labels_of([Patience("loss", 3), Patience("loss", 5)])
    ['patience 3', 'patience 5']
    >>> labels_of([Patience("loss", 3), Patience("val_loss", 3)])[1]
    "Patience('val_loss', patience=3)"
    """
    words = [rule_words(rule) for rule in rules]
    alike = {text for text in words if words.count(text) > 1}
    return [
        _brief(repr(rule)) if text in alike else text
        for rule, text in zip(rules, words, strict=True)
    ]


def _brief(code: str) -> str:
    """The code of a rule, without the direction that its metric's name implies."""
    return code.replace(", mode='min'", "").replace(", mode='max'", "")


def _within(rule: Rule, unsaid: Collection[str]) -> str:
    """A rule inside another, in brackets if it combines several."""
    words = rule_words(rule, unsaid)
    return f"({words})" if isinstance(rule, (AnyOf, AllOf)) else words


def _name(name: str) -> str:
    """The name of a class as words."""
    if name in _WHOLE:
        return _WHOLE[name]
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|_+", name)
    text = " ".join(words).lower()
    return text.replace("non finite", "non-finite")


def _main(rule: Rule, unsaid: Collection[str]) -> list[str]:
    """The settings that stand first: the dial, or else those without a default."""
    names = [rule.dial] if rule.dial is not None else _required(rule)
    return [_text(rule.settings[name]) for name in names if name not in unsaid]


def _required(rule: Rule) -> Iterable[str]:
    """The fields without a default that are numbers."""
    for field in dataclasses.fields(cast(Any, rule)):
        if field.default is dataclasses.MISSING and isinstance(
            rule.settings.get(field.name), (int, float)
        ):
            yield field.name


def _others(rule: Rule, unsaid: Collection[str]) -> list[str]:
    """The settings that differ from their defaults."""
    named = {*unsaid, rule.dial}
    return [
        field.name if value is True else f"{field.name} {_text(value)}"
        for field in dataclasses.fields(cast(Any, rule))
        if field.name in rule.settings
        and field.name not in named
        and field.default is not dataclasses.MISSING
        and (value := rule.settings[field.name]) != field.default
        and value is not None
    ]


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
