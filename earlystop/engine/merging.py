"""Recordings in which state leaves that are always equal are stored once.

A sweep steps many rules that differ in one setting, so most of their state is the same. Leaves that
start out equal are put in one class, and the steps are recorded on that assumption. If leaves of a
class come out different, the class is split and the steps are recorded again. The leaves of a class
that is never split start equal and change in the same way, so they stay equal.
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
    """Record the steps of several rules; leaves that are always equal share one input.

    Raises what `record` raises.
    """
    recording = record(rules, metrics_on)
    leaves = zip(recording.inputs, recording.initial, strict=True)
    classes: list[Any] = [(ref.kind, repr(initial)) for ref, initial in leaves]
    while True:
        first_of: dict[Any, int] = {}
        same_as = [first_of.setdefault(key, leaf) for leaf, key in enumerate(classes)]
        recording = record(rules, metrics_on, same_as)
        changes = map(operand_key, recording.outputs)
        split = list(zip(same_as, changes, strict=True))
        if len(set(split)) == len(first_of):
            return recording
        classes = split
