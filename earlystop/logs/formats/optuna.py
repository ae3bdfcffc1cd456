"""Values by step, as Optuna keeps those of a trial: `{0: 0.5, 1: 0.4}`, one or a list of them.

Also the file of Optuna's journal storage, JSON lines of operations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..columns import plain_number
from ..log_format import LogFormat
from ..rows import Rows
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]

_VALUE = "intermediate_value"


def _is_steps(value: Any) -> bool:
    """Are these values by step?"""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(str(step).isdecimal() and len(str(step)) < 16 for step in value)
        and all(item is None or plain_number(item) is not None for item in value.values())
    )


def _trials(log: Source) -> list[Mapping[Any, Any]] | None:
    """The values by step of each trial; None if this is something else."""
    document = log.document
    if _is_steps(document):
        of_a_file = log.path is not None  # where whole numbers count or number something else
        whole = all(value == int(value) for value in _finite(document)) and of_a_file
        return [document] if len(document) > 1 and not whole else None
    if isinstance(document, list) and len(document) > 0:
        trials = [trial for trial in document if trial != {}]  # one that was not evaluated
        if trials and all(map(_is_steps, trials)):
            return document
    return None


def _finite(trial: Mapping[Any, Any]) -> Iterator[float]:
    numbers = map(plain_number, trial.values())
    return (value for value in numbers if value is not None and math.isfinite(value))


def _is_journal(log: Source) -> bool:
    return bool(log.first_records) and {"op_code", "worker_id"} <= log.first_records[0].keys()


def _recognise(log: Source) -> bool:
    return _is_journal(log) or _trials(log) is not None


def _read(log: Source) -> Iterator[Run]:
    if _is_journal(log):
        yield from _of_journal(log)
        return
    trials = _trials(log) or []
    for number, trial in enumerate(trials):
        rows = log.rows(None if len(trials) == 1 else f"#{number}")
        for step in sorted(trial, key=lambda step: int(str(step))):
            value = plain_number(trial[step])
            if value is not None:
                rows.add({"step": float(str(step)), log.options.value_name: value})
        if rows.length:
            yield rows.run()


def _of_journal(log: Source) -> Iterator[Run]:
    trials: dict[Any, Rows] = {}
    for _, record in log.records():
        step, value = plain_number(record.get("step")), plain_number(record.get(_VALUE))
        if step is None or value is None:
            continue
        trial = plain_number(record.get("trial_id"))
        if trial not in trials:
            log.count_run()
            trials[trial] = log.rows("trial" if trial is None else f"trial {trial:.12g}")
        trials[trial].add({"step": step, log.options.value_name: value})
    if not trials:
        raise log.wrong("no trial of this journal reported a value", not_a_log=True)
    for rows in trials.values():
        yield rows.run()


FORMAT = LogFormat("optuna", _recognise, _read, order=115)
