"""A log that grows as a test says, and a clock that stands still until it is moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import earlystop as es
from earlystop.engine.decision import Decision

__all__ = ["Clock", "finish", "grown", "watching"]


class Clock:
    """Seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def watching(path: Path, rule: es.Rule, clock: Clock | None = None, **options: Any) -> es.Watch:
    """A watch on a path that saves the best of what the rule watches; time passes by the clock."""
    best = es.Best(rule.all_metrics[0]) if rule.all_metrics else None
    return es.Watch(
        es.Stopper(rule, best, on_missing="skip"), path, clock=clock or Clock(), **options
    )


def grown(watch: es.Watch, path: Path, content: bytes, ends: list[int]) -> list[Decision]:
    """What is decided while the log grows to each of these sizes in turn."""
    decisions: list[Decision] = []
    for end in ends:
        path.write_bytes(content[:end])
        decisions += watch.poll()
        if watch.ended:
            break
    return decisions


def finish(watch: es.Watch, clock: Clock) -> list[Decision]:
    """What is decided when nothing comes any more."""
    assert watch.timeout is not None
    clock.now += watch.timeout
    return watch.poll()
