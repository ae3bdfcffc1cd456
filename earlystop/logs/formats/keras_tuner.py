"""KerasTuner's `trial.json`: the values that a trial reported, by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..columns import plain_number
from ..log_format import LogFormat
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]


def _metrics(log: Source) -> Mapping[str, Any] | None:
    document = log.document
    if not isinstance(document, Mapping) or not {"trial_id", "metrics"} <= document.keys():
        return None
    metrics = document["metrics"]
    metrics = metrics.get("metrics") if isinstance(metrics, Mapping) else None
    return metrics if isinstance(metrics, Mapping) else None


def _is_search(log: Source) -> bool:
    """Is this the state of a search, `oracle.json`?"""
    document = log.document
    return isinstance(document, Mapping) and document.keys() >= {
        "ongoing_trials",
        "hyperparameters",
    }


def _observations(metric: Any) -> Iterator[tuple[float, float]]:
    """The steps and values of a metric; of several values, from several executions, the mean."""
    observations = metric.get("observations") if isinstance(metric, Mapping) else None
    for observation in observations if isinstance(observations, list) else ():
        if not isinstance(observation, Mapping):
            continue
        step, value = plain_number(observation.get("step")), observation.get("value")
        values = value if isinstance(value, list) else [value]
        known = [found for item in values if (found := plain_number(item)) is not None]
        if step is not None and known:
            yield step, sum(known) / len(known)


def _read(log: Source) -> Iterator[Run]:
    if _is_search(log):
        raise log.wrong(
            "the state of a search of KerasTuner, no log: read the folder, or its trial.json files",
            not_a_log=True,
        )
    metrics = _metrics(log)
    if metrics is None:
        raise log.wrong("expected a trial of KerasTuner")
    rows, modes = log.rows(), dict[str, str]()
    most = 0
    for name, metric in metrics.items():
        found = dict(_observations(metric))
        most = max(most, len(found))
        for step, value in found.items():
            rows.add({"step": step, str(name): value})
        if isinstance(metric, Mapping) and metric.get("direction") in ("min", "max"):
            modes[str(name)] = metric["direction"]
    if most < 2:
        raise log.wrong(
            "a trial of KerasTuner that has only its best value, no history: log its epochs, with "
            "Keras's CSVLogger, say",
            not_a_log=True,
        )
    run = rows.run(joined=True)
    run.modes = modes
    yield run


def _recognise(log: Source) -> bool:
    return _metrics(log) is not None or _is_search(log)


FORMAT = LogFormat("keras_tuner", _recognise, _read, order=65)
