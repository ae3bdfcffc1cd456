"""The rows of a log for which a live loop calls `step`."""

from __future__ import annotations

import earlystop as es


def checks(history: es.History, run: int, *rules: es.Rule) -> list[dict[str, float]]:
    """The records that report a metric of the rules; all records if the rules look at none."""
    names = {name for rule in rules for name in rule.all_metrics}
    records = history.records(run)
    return [record for record in records if not names or not names.isdisjoint(record)]
