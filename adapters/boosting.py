"""What the adapters of boosting libraries share: metrics of data sets, and rounds as checks."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

from earlystop.engine.decision import Decision
from earlystop.engine.session import Session, forget_decision
from earlystop.engine.stopper import Stopper
from earlystop.errors import MissingMetricError, RuleError, name_advice
from earlystop.language.positions import ELAPSED, EPOCH, STEP

__all__ = ["Reported", "Rounds", "reported_metrics"]

_JOINTS = ("-", "/", "_", " ", "'s ")
_PARTS = {"-mean": 0, "-std": 1, "-stdv": 1}
_GIVEN = (EPOCH, STEP, ELAPSED)  # positions, which come without a data set


class Reported(NamedTuple):
    """Where a value is among those of a round.

    part: of a metric over folds, 0 is the mean and 1 the deviation; None if there are no folds.
    """

    data: str
    metric: str
    part: int | None = None


def reported_metrics(
    owner: str, needed: Iterable[str], pairs: Iterable[tuple[str, str]], *, folds: bool = False
) -> dict[str, Reported]:
    """The metrics that a library reports, by name: `data-metric`, and as rules call them.

    A rule may call the metric `auc` of the data set `valid` by any name that it has in logs, that
    is `valid-auc`, `valid/auc`, `valid_auc`, `valid auc` or `valid's auc`; over folds, add `-mean`
    or nothing for the mean, `-std` or `-stdv` for the deviation.

    owner: the name of the adapter that the user called, for messages.
    needed: the metrics of the rules.
    pairs: the data set and the metric of each value.
    folds: whether the values are those over the folds of a cross-validation.

    Raises MissingMetricError for a needed metric that is not reported, RuleError for a name that
    may mean either of two.

    >>> reported_metrics("early_stopping", ["valid's auc"], [("train", "auc"), ("valid", "auc")])
    ... # doctest: +NORMALIZE_WHITESPACE
    {'train-auc': Reported(data='train', metric='auc', part=None),
     'valid-auc': Reported(data='valid', metric='auc', part=None),
     "valid's auc": Reported(data='valid', metric='auc', part=None)}
    """
    main = {
        f"{data}-{metric}": Reported(data, metric, 0 if folds else None) for data, metric in pairs
    }
    called: dict[str, set[Reported]] = {}
    for one in main.values():
        for name in (f"{one.data}{joint}{one.metric}" for joint in _JOINTS):
            called.setdefault(name, set()).add(one)
            for suffix, part in _PARTS.items() if folds else ():
                called.setdefault(name + suffix, set()).add(one._replace(part=part))
    found = dict(main)
    for name in needed:
        if name in main or name in _GIVEN:
            continue
        if name not in called:
            raise MissingMetricError(f"{owner}: no metric {name!r}: {name_advice(name, main)}")
        if len(called[name]) > 1:
            either = " or ".join(
                f"{metric!r} of {data!r}" for data, metric, _ in sorted(called[name])
            )
            raise RuleError(f"{owner}: {name!r} may be {either}: give the data sets other names")
        found[name] = next(iter(called[name]))
    return found


class Rounds:
    """A stopper in a training in which each round is a check.

    stopper: decides.
    owner: the name of the adapter that the user called, for messages.
    shared: whether the user passed the stopper, which other callbacks may have, too. It begins
        anew, unless another of them has decided on this round.
    training: what all callbacks of one training have in common, and of no other.
    first: the number of the first round, from 0.
    number: the number of the round that this begins with; by default, the first.
    options: those of `Session`.

    begins: whether no other callback has decided on the first round, so that a state may be loaded.
    """

    def __init__(
        self,
        stopper: Stopper,
        owner: str,
        *,
        shared: bool,
        training: Hashable,
        first: int,
        number: int | None = None,
        **options: Any,
    ) -> None:
        self.session = Session(stopper, owner, **options)
        self._training, self._is_shared = training, shared
        at = training, first if number is None else number
        self.begins = self.session.decision_at(at) is None
        if shared and self.begins:
            stopper.reset()
            forget_decision(stopper)
        if first > 0 and self.begins:
            self.session.count_from(first)
        needed = self.session.needed
        self._is_timed, self._takes_steps = ELAPSED in needed, STEP in needed
        self._is_plain = not (shared or first > 0 or set(_GIVEN) & set(needed))

    def decide(self, values: dict[str, float], number: int) -> Decision:
        """The decision on the values of the round with this number."""
        if self._is_plain:  # the numbers of checks are those of rounds
            return self.session.step(values)
        if self._is_timed:
            values = self.session.collect(values)
        step = number + 1 if self._takes_steps else None
        at = (self._training, number) if self._is_shared else None
        return self.session.step(values, epoch=number, step=step, at=at)

    def pass_over(self) -> None:
        """Skip a round without metrics: from now on checks have other numbers than rounds."""
        self._is_plain = False
