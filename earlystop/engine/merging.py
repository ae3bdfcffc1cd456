"""Recordings in which parts of the states that are always equal are kept once.

A sweep steps many rules that differ in one setting, so most of what they remember is the same. All
leaves that begin alike are assumed to be equal, and the steps are recorded; where leaves of one
class come out differently, the class is split and the steps are recorded again. The leaves of a
class that is never split begin alike and change alike, so they stay equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..language.rule import Rule
from ..language.tape import Trace, operand_key
from ..language.traced_metrics import TracedMetrics
from .recording import Recording, record

__all__ = ["record_merged"]


def record_merged(rules: Sequence[Rule], metrics_on: Callable[[Trace], TracedMetrics]) -> Recording:
    """The recording of the rules in which equal leaves of their states are one input."""
    recording = record(rules, metrics_on)
    beginnings = zip(recording.inputs, recording.initial, strict=True)
    classes: list[Any] = [(ref.kind, repr(initial)) for ref, initial in beginnings]
    while True:
        first_of: dict[Any, int] = {}
        same_as = [first_of.setdefault(each, leaf) for leaf, each in enumerate(classes)]
        recording = record(rules, metrics_on, same_as)
        changes = map(operand_key, recording.outputs)
        split = list(zip(same_as, changes, strict=True))
        if len(set(split)) == len(first_of):
            return recording
        classes = split
