"""How to treat a missing metric in frameworks that do not validate every epoch.

A stopper has two modes: raise an error, or skip the rule. Neither is a good default inside a
framework: epochs without validation are normal if `fit` validates only every other epoch, but a
misspelt metric must not be mistaken for one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Literal

from ..errors import MissingMetricError, name_advice
from ..language.positions import ELAPSED, EPOCH, STEP
from ..language.settings import validated
from .decision import Place

__all__ = ["MissingMetrics", "OnMissingMetric", "missing_metric"]

OnMissingMetric = Literal["auto", "raise", "skip"]


def missing_metric(
    needed: Iterable[str], name: str, metrics: Mapping[str, float], place: Place
) -> MissingMetricError:
    """The error for a check that lacks a metric of its rules.

    needed: the metrics of the rules. name: one that the check lacks.
    metrics: those it has. place: where it stands.
    """
    given = {EPOCH: place.epoch, STEP: place.step}
    lacking = (each for each in needed if each not in metrics and given.get(each) is None)
    name = next(lacking, name)
    if name == ELAPSED:
        hint = f"add {ELAPSED!r} yourself, or use an adapter, which does"
    elif name in (EPOCH, STEP):
        hint = f"pass `{name}=` to `step`"
    else:
        hint = 'if some epochs lack it on purpose, pass on_missing="skip"'
    return MissingMetricError(
        f"no metric {name!r} at {place}: {name_advice(name, metrics)} ({hint})"
    )


class MissingMetrics:
    """Compares the metrics of every epoch with those that the rules need.

    owner: the adapter's name, for messages.
    needed: the metrics of the rules.
    on_missing: what a missing metric means. "raise": always an error. "skip": never an error.
        "auto": an error unless the epoch was not validated, that is, unless all missing metrics
        and no reported ones are validation metrics; at the end of the run, a metric that no epoch
        reported is an error.
    advice: how to get the metrics reported, for the error at the end.

    >>> missing = MissingMetrics("Callback", {"val_loss"})
    >>> missing.check({"loss": 0.5, "val_los": 0.6})
    Traceback (most recent call last):
        ...
    earlystop.errors.MissingMetricError: Callback: no metric 'val_loss': available metrics: \
loss, val_los; did you mean 'val_los'?
    """

    def __init__(
        self,
        owner: str,
        needed: Iterable[str],
        on_missing: OnMissingMetric = "auto",
        advice: str = "report it in some epochs",
    ) -> None:
        self.needed = frozenset(needed)
        self._owner, self._advice = owner, advice
        self._on_missing = validated(OnMissingMetric, on_missing, f"{owner}(on_missing=...)")
        self._seen: set[str] = set()
        self._warned = False

    def check(self, metrics: Mapping[str, float]) -> None:
        """Check the metrics of one epoch.

        Raises MissingMetricError for a missing metric, unless `on_missing` allows it; warns once
        about the first epoch without validation.
        """
        if not self._seen >= self.needed:
            self._seen.update(metrics)
        if self._on_missing == "skip":
            return
        for name in self.needed:  # cheaper than comparing sets: there are few
            if name not in metrics:
                self._check_missing(sorted(self.needed - metrics.keys()), metrics)
                return

    def _check_missing(self, missing: list[str], metrics: Mapping[str, float]) -> None:
        reported = [name for name in metrics if name != ELAPSED]
        message = f"{self._owner}: no metric {missing[0]!r}: {name_advice(missing[0], reported)}"
        is_validated = any(map(_is_validation_metric, reported))
        is_expected = all(map(_is_validation_metric, missing)) and not is_validated
        if self._on_missing == "raise" or not is_expected:
            raise MissingMetricError(message)
        if not self._warned and not self._seen.issuperset(missing):
            self._warned = True
            warnings.warn(
                f"{message} (epochs without validation do not count; if no epoch has any, this is "
                "an error at the end)",
                stacklevel=5,
            )

    def assume_reported(self) -> None:
        """Treat all metrics as reported: a resumed run has checked them before."""
        self._seen = set(self.needed)

    def check_reported(self) -> None:
        """Check at the end of a run that each missing metric was reported in some epoch.

        Raises MissingMetricError if one was not.
        """
        for name in sorted(self.needed - self._seen if self._warned else ()):
            raise MissingMetricError(
                f"{self._owner}: no epoch reported the metric {name!r}: "
                f"{self._advice}; {name_advice(name, self._seen - {ELAPSED})}"
            )


def _is_validation_metric(name: str) -> bool:
    return name.startswith("val_")
