"""AutoGluon's learning curves: `[about, {model: [metrics, data]}]`.

The data is indexed by metric, split and iteration. Each model is a run. Newer files also name the
splits: `{model: [splits, metrics, data]}`. Some files store errors in place of scores (1 -
accuracy): if the training curve of a score falls, its name gets the suffix `_error`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import RuleError
from ...language.direction import direction
from ..log_format import LogFormat
from ..run import Run
from ..source import Source
from .run_lines import points_of

__all__ = ["FORMAT"]

_SPLITS = {1: ("train",), 2: ("train", "val"), 3: ("train", "val", "test")}


def _models(log: Source) -> dict[str, Any] | None:
    document = log.document
    if not (isinstance(document, list) and len(document) == 2 and isinstance(document[0], dict)):
        return None
    models = document[1]
    if isinstance(models, list) and len(models) == 1:
        models = models[0]
    if not isinstance(models, dict) or not models:
        return None
    entries = models.values()
    if all(isinstance(entry, list) and len(entry) in (2, 3) for entry in entries) and all(
        isinstance(names, list) and names and all(isinstance(name, str) for name in names)
        for entry in entries
        for names in entry[:-1]
    ):
        return models
    return None


def _read(log: Source) -> Iterator[Run]:
    models = _models(log)
    if models is None:
        raise log.wrong("expected JSON as [about, {model: [metrics, data]}]")
    for model, entry in models.items():
        yield _run(log, model, entry)


def _run(log: Source, model: str, entry: list[Any]) -> Run:
    metrics, data = entry[-2], entry[-1]
    run = Run(model, 0, {})
    lengths = set()
    if not isinstance(data, list) or len(data) != len(metrics):
        raise log.wrong(f"expected {len(metrics)} lists, one per metric", model)
    for metric, found_curves in zip(metrics, data, strict=True):
        curves = found_curves if isinstance(found_curves, list) else []
        splits = entry[0] if len(entry) == 3 else _SPLITS.get(len(curves), ())
        if not curves or len(curves) != len(splits):
            raise log.wrong(f"expected the curves of {metric!r}, one per split", model)
        points = {s: points_of(log, metric, c, model) for s, c in zip(splits, curves, strict=True)}
        lengths |= {len(curve) for curve in curves}
        name = metric
        training = points.get("train")
        if training is not None and _rises(metric) and _falls(training.values):
            name = f"{metric}_error"
            run.notes.append(f"{metric!r} falls in training: it is an error, named {name!r}")
        run.metrics.update({f"{split}/{name}": found for split, found in points.items()})
    if len(lengths) != 1:
        raise log.wrong(f"expected curves of one length, got {sorted(lengths)}", model)
    run.length = lengths.pop()
    return run


def _rises(metric: str) -> bool:
    try:
        return direction(metric, "auto", "read_history") == "max"
    except RuleError:
        return False


def _falls(values: Any) -> bool:
    return len(values) > 1 and bool(values[-1] < values[0])


FORMAT = LogFormat("autogluon", lambda log: _models(log) is not None, _read, order=80)
