"""On which epochs a rule fires over a run: what the tables of rules are checked by."""

from __future__ import annotations

from typing import Any

import earlystop as es


def firing(rule: es.Rule, columns: dict[str, list[Any]]) -> list[int]:
    """The epochs on which the rule fires over a whole run; None means not reported."""
    stopper = es.Stopper(es.Never(), save=rule, on_missing="skip")
    length = len(next(iter(columns.values())))
    fired = []
    for epoch in range(length):
        metrics = {name: c[epoch] for name, c in columns.items() if c[epoch] is not None}
        if stopper.step(metrics).save:
            fired.append(epoch)
    return fired


def fires(rule: es.Rule, values: list[Any], monitor: str = "loss") -> list[int]:
    return firing(rule, {monitor: values})
