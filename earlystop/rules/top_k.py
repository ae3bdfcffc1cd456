"""`TopK`: fires on every value among the best k so far, and so decides which files to keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from ..errors import RuleError
from ..language.direction import Mode
from ..language.improvement import Improvement, Terms
from ..language.ops import Value, as_float32, better, where, worst
from ..language.rule import Rule
from ..language.settings import AtLeast, AtMost


class TopK(Rule):
    """Fires when a metric is among its best `k` values so far: better than the worst of them.

    What a value has to improve on, and what it replaces, is the worst of the best k; with `k=1`
    that is the best. Meant as a save rule: `Checkpoints(keep_best=k)` keeps the same values, and
    decides which of equal ones goes. The value that is saved last need not be the best, so what
    restores the best refuses it.

    monitor: the metric to watch.
    k: how many values, at least 1 and at most 1,000.
    mode: "min" (lower is better), "max", or "auto": by the name of the metric.
    improvement: how a value compares with the worst of the best k. With `Improvement(ties=True)`
        one that equals it fires, too. With `first="taken"` the first k values fire, whatever they
        are, and a NaN is the worst of values; without, neither a NaN nor the worst infinity ever
        fires. `arithmetic="float32"` compares in that type.

    Raises RuleError for other settings of an `improvement`, which do not rank.

    >>> from earlystop import Never, Stopper, TopK
    >>> stopper = Stopper(Never(), save=TopK("val_loss", 2))
    >>> [stopper.step({"val_loss": value}).save for value in [0.5, 0.7, 0.9, 0.6, 0.6, 0.4]]
    [True, True, False, True, False, True]
    """

    monitor: str
    k: Annotated[int, AtLeast(1), AtMost(1000)]
    mode: Mode = "auto"
    improvement: Improvement = Improvement()

    class Kept(NamedTuple):
        """One of the best values."""

        value: float

    class State(NamedTuple):
        kept: int  # how many values there are, at most k
        best: tuple[Any, ...]  # k times `Kept`, the best first; the worst infinity where none is

    def validate(self) -> None:
        self.improvement.check_ranks("TopK")

    def init(self) -> State:
        return self.State(0, (self.Kept(worst(self.mode)),) * self.k)

    def step(self, state: State, metrics: Mapping[str, Any], epoch: Any) -> tuple[State, Any]:
        value = metrics[self.monitor]
        has_room = state.kept < self.k
        fires = admits(value, state.best[-1].value, has_room, self.improvement, self.mode)
        if self.improvement.arithmetic == "float32":
            value = as_float32(value)
        # A value that is not better than one that is there stands behind it; a NaN behind all.
        before = [better(value, kept.value, self.mode) for kept in state.best]
        best = [
            self.Kept(where(is_before, value, kept.value))
            for is_before, kept in zip(before, state.best, strict=True)
        ]
        for place in range(1, self.k):  # those behind it move by one
            kept = where(before[place - 1], state.best[place - 1].value, best[place].value)
            best[place] = self.Kept(kept)
        kept_now = where(fires & has_room, state.kept + 1, state.kept)
        return self.State(kept_now, tuple(best)), fires

    def reason(self, state: State, metrics: Mapping[str, float], epoch: int) -> str:
        which = "the best" if self.k == 1 else f"among the best {self.k:,}"
        return f"{self.monitor} is {which} so far, {metrics[self.monitor]:.6g}"


def check_last_is_best(save: Rule, what: str) -> None:
    """Refuse a save rule whose last save need not be the best, for a caller that restores that one.

    what: what takes it for the best, for the message.

    Raises RuleError for a `TopK` of more than one value, or a rule that wraps or combines one.
    """
    if _holds_top_k(save):
        raise RuleError(
            f"`{what}` takes what is saved last for the best, and what {save!r} saves last need "
            "not be: pass save=Best(...), and keep the best few files by keep_best=3, or whatever "
            "keeps them"
        )


def _holds_top_k(rule: Rule) -> bool:
    return (isinstance(rule, TopK) and rule.k > 1) or any(map(_holds_top_k, rule.children))


def admits(value: Value, worst_kept: Value, has_room: Value, how: Improvement, mode: Mode) -> Value:
    """Does a value get among the best, given the worst of them?

    This is the only definition: `TopK` asks it, and so does the ranking of `Checkpoints`.

    worst_kept: the worst of the best; while there is room for more, the worst infinity.
    has_room: whether there is.
    """
    improved = how.improves(value, worst_kept, Terms(mode))
    if how.first == "taken":
        return improved | has_room
    if how.ties:  # but not with the worst infinity, where nothing is kept
        return improved & better(value, worst(mode), mode)
    return improved
