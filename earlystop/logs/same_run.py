"""Whether two logs hold the same run: by their values, whose names tools spell differently.

The Trainer of Hugging Face reports `eval_loss` to its own state and `eval/loss` to TensorBoard, Ray
puts `ray/tune/` before everything, and Keras writes `validation/epoch_loss` to TensorBoard for
`val_loss`. So names are compared in one spelling after the other, and values within what float32
keeps of them, or within their rounding if one of the tools writes four to six digits.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .known_names import is_metric
from .run import Run

__all__ = ["Names", "agree_in_many", "are_one", "is_beginning", "namings", "tells"]

_FLOAT32 = 1e-6  # relative: TensorBoard's values, beside the same with more digits
_ROUNDED_TO = (4, 5, 6)  # digits, as some tools write into tables
_MANY = 5  # different values that cannot agree to four digits by chance
_SCHEDULES = re.compile(r"(?i)(^|[/_.-])(lr|learning_?rate|momentum|fps)")
_AMOUNTS = re.compile(r"(?i)(^|[/_.-])(time|epochs?|steps?|total|num|iterations?|episodes|count)")

Names = dict[str, str]  # the metrics of a run, by their names in a spelling
Floats = npt.NDArray[np.float64]


@functools.lru_cache(4096)
def tells(name: str) -> bool:
    """Can the values of this metric tell a run from others, as those of a schedule cannot?"""
    if _SCHEDULES.search(name):
        return False
    return not _AMOUNTS.search(name) or is_metric(name.rpartition("/")[2])


def namings(run: Run, other: Run) -> Iterator[tuple[Names, Names]]:
    """The metrics of both, by their names in one spelling after the other."""
    for spelled in (_as_it_is, _without_what_all_share, _of_trainers):
        yield spelled(run), spelled(other)


def _as_it_is(run: Run) -> Names:
    return {name: name for name in run.metrics}


def _without_what_all_share(run: Run) -> Names:
    names = [name.split("/") for name in run.metrics]
    shared = 0
    while shared < min(map(len, names)) - 1 and len({name[shared] for name in names}) == 1:
        shared += 1
    return {"/".join(parts[shared:]): name for parts, name in zip(names, run.metrics, strict=True)}


_OF_TRAINERS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"train(?:ing)?/(?:epoch_)?(.+)"), r"\1"),
    (re.compile(r"(eval|test|predict)/(.+)"), r"\1_\2"),
    (re.compile(r"val(?:idation)?/epoch_(.+)"), r"val_\1"),
)


def _of_trainers(run: Run) -> Names:
    names: Names = {}
    for name in run.metrics:
        rules = (rule.fullmatch(name) for rule, _ in _OF_TRAINERS)
        new = next((m.expand(to) for m, (_, to) in zip(rules, _OF_TRAINERS, strict=True) if m), "")
        names[name if not new or new in run.metrics else new] = name
    return names


def _common(one: Names, other: Names, run: Run, twin: Run) -> Iterator[tuple[str, Floats, Floats]]:
    for name in one:
        if name in other:
            yield name, run.metrics[one[name]].values, twin.metrics[other[name]].values


def are_one(one: Names, other: Names, run: Run, twin: Run) -> bool:
    """Do both have the same values of the metrics that both have?

    Ultralytics reports the metrics of its best epoch at the last step once more: of several
    metrics, the last value of some may differ.
    """
    told = False
    for name, values, others in _common(one, other, run, twin):
        number = min(len(values), len(others))
        different = len(np.unique(values[:number]))
        if len(values) != len(others) and different < 3:
            return False
        same = _same(values[:number], others[:number])
        if not same.all() and (number < _MANY or not same[:-1].all()):
            return False
        varies = different > 1 or (number == 1 and not _is_rounded(values[:1], 2))
        told |= bool(same.all()) and varies and tells(name)
    return told


def _same(values: Floats, others: Floats) -> npt.NDArray[np.bool_]:
    """Which values are the same in float32, or after rounding if one of the logs is rounded."""
    same = np.isclose(values, others, rtol=_FLOAT32, atol=0.0, equal_nan=True)
    if same.all() or len(np.unique(values)) < _MANY or len(np.unique(others)) < _MANY:
        return same
    for digits in _ROUNDED_TO:
        if _is_rounded(values, digits) or _is_rounded(others, digits):
            half = 0.5 / _scale(np.maximum(np.abs(values), np.abs(others)), digits)
            with np.errstate(invalid="ignore"):
                near = np.abs(values - others) <= half + _FLOAT32 * np.abs(others)
            return np.asarray(same | near)
    return same


def _is_rounded(values: Floats, digits: int) -> bool:
    """Do all of these values have at most `digits` significant digits?"""
    finite = values[np.isfinite(values)]
    scale = _scale(np.abs(finite), digits)
    return bool(np.isclose(np.round(finite * scale) / scale, finite, rtol=1e-12, atol=0.0).all())


def _scale(sizes: Floats, digits: int) -> Floats:
    """The factors that bring these sizes to `digits` digits before the point."""
    usual = np.where((sizes > 1e-290) & (sizes < 1e290), sizes, 1.0)
    return np.asarray(10.0 ** (digits - 1 - np.floor(np.log10(usual))))


def agree_in_many(one: Names, other: Names, run: Run, twin: Run) -> bool:
    """Do both agree in so many different values that it is not by chance?"""
    return any(
        len(np.unique(values[: len(others)])) >= _MANY and tells(name)
        for name, values, others in _common(one, other, run, twin)
    )


def is_beginning(one: Names, other: Names, run: Run, twin: Run) -> bool:
    """Is a run the beginning of its twin, as in the state of a checkpoint?"""
    lengths = [(len(values), len(others)) for _, values, others in _common(one, other, run, twin)]
    return all(a <= b for a, b in lengths) and any(a < b for a, b in lengths)
