"""The best few checkpoints by each of some metrics: a pure function of the ledger's entries."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import RuleError, RuleTypeError, name_advice, shortened
from ..language.direction import Direction, Mode, direction
from ..language.improvement import Improvement
from ..language.ops import as_float32, better, worst
from ..language.rule import Rule
from ..language.settings import Positive, validated
from ..rules.best import bests_within
from ..rules.top_k import admits
from .ledger import Checkpoint

__all__ = [
    "Drops",
    "KeepBest",
    "Modes",
    "Monitors",
    "Ranking",
    "Ties",
    "ranking_settings",
    "rankings",
]

Ties = Literal["earlier", "later"]
Drops = Literal["oldest", "newest"]
Monitors = str | Sequence[str]
Modes = Mode | Mapping[str, Mode]
KeepBest = int | Mapping[str, int]


@dataclass(frozen=True)
class Ranking:
    """Ranks checkpoints by one metric.

    keep: how many of the best to keep.
    ties: which of equal values ranks first, the earlier or the later.
    admits_ties: whether a value that equals the worst of the best gets in; by default, only if the
        later ranks first.
    drops: which of several that are equally bad is dropped when a better one gets in, the "oldest"
        or the "newest"; by default, the one that `ties` ranks last.
    improvement: how values compare: `first="taken"`: while there is room, any value ranks, a NaN as
        the worst; `arithmetic="float32"`: in that type.

    >>> losses = [0.9, 0.5, float("nan"), 0.5, 0.7]
    >>> entries = [Checkpoint(epoch, "", False, {"loss": x}) for epoch, x in enumerate(losses)]
    >>> [entry.epoch for entry in Ranking("loss", "min", keep=3).top(entries)]
    [1, 3, 4]
    """

    monitor: str
    mode: Direction
    keep: int = 1
    ties: Ties = "earlier"
    admits_ties: bool | None = None
    drops: Drops | None = None
    improvement: Improvement = field(default_factory=Improvement)

    def top(self, entries: Iterable[Checkpoint]) -> list[Checkpoint]:
        """The `keep` best of the entries, which are in their order; the best comes first.

        Entries without a file, without the metric, or for which it is NaN or the worst infinity,
        do not rank.
        """
        candidates = [
            entry
            for entry in entries
            if entry.file is not None
            and self.monitor in entry.metrics
            and (self.improvement.first == "taken" or self._is_better(entry, worst(self.mode)))
        ]
        if self._in_turn:
            candidates = self._admitted(candidates)
        if self.ties == "later":
            candidates.reverse()
        # Sorting leaves equal values in their order.
        candidates.sort(key=self._value, reverse=self.mode == "max")
        return candidates[: self.keep]

    def _value(self, entry: Checkpoint) -> float:
        value = entry.metrics[self.monitor]
        if math.isnan(value):
            return worst(self.mode)
        return as_float32(value) if self.improvement.arithmetic == "float32" else value

    def _is_better(self, entry: Checkpoint, value: float) -> bool:
        return bool(better(self._value(entry), value, self.mode))

    @property
    def _in_turn(self) -> bool:
        """Does the order in which the entries came matter, and not only their ranks?"""
        by_rank = self.ties == "later", "oldest" if self.ties == "later" else "newest"
        return self.improvement.first == "taken" or self._ways != by_rank

    @property
    def _ways(self) -> tuple[bool, Drops]:
        """Whether it admits ties, and which of equals it drops."""
        later = self.ties == "later"
        admits = later if self.admits_ties is None else self.admits_ties
        by_default: Drops = "oldest" if later else "newest"
        return admits, by_default if self.drops is None else self.drops

    def _admitted(self, candidates: Iterable[Checkpoint]) -> list[Checkpoint]:
        """The candidates that are among the best when they come, and stay so to the last."""
        kept: list[Checkpoint] = []
        admits_ties, drops = self._ways
        how = self.improvement.replace(ties=admits_ties)
        for entry in candidates:
            if len(kept) == self.keep:
                values = list(map(self._value, kept))
                most = max(values) if self.mode == "min" else min(values)
                if not admits(entry.metrics[self.monitor], most, False, how, self.mode):
                    continue
                if drops == "newest":
                    values.reverse()
                place = values.index(most)
                del kept[place if drops == "oldest" else len(kept) - 1 - place]
            kept.append(entry)
        return kept


def rankings(
    monitor: Monitors | None,
    mode: Modes,
    keep_best: KeepBest,
    ties: Ties,
    drops: Drops | None = None,
    improvement: Improvement | None = None,
) -> tuple[Ranking, ...]:
    """The rankings that these arguments of `Checkpoints` ask for.

    >>> [ranking.mode for ranking in rankings(None, "auto", {"loss": 2, "acc": 1}, "earlier")]
    ['min', 'max']

    Raises RuleError for arguments that are invalid or do not fit together.
    """
    ties = validated(Ties, ties, "Checkpoints(ties=...)")
    drops = validated(Drops | None, drops, "Checkpoints(drops=...)")
    how = _checked_improvement(improvement)
    admits = True if how.ties else None
    names = _names(monitor, keep_best)
    modes = mode if isinstance(mode, Mapping) else dict.fromkeys(names, mode)
    for name in modes:
        if name not in names:
            raise RuleError(
                f"`Checkpoints(mode=...)` names {shortened(name)}, by which nothing is ranked: "
                f"{name_advice(str(name), names)}"
            )
    return tuple(
        Ranking(
            name,
            direction(name, modes.get(name, "auto"), "Checkpoints"),
            *(keep, ties, admits, drops, how),
        )
        for name, keep in names.items()
    )


def _checked_improvement(improvement: Improvement | None) -> Improvement:
    """The improvement, refused if it has settings that do not concern a ranking."""
    how: Improvement = validated(
        Improvement, improvement or Improvement(), "Checkpoints(improvement=...)"
    )
    how.check_ranks("Checkpoints")
    return how


def ranking_settings(save: Rule) -> dict[str, Any]:
    """The arguments of `Checkpoints` that rank by the metrics a save rule saves by.

    These are the metrics of the `Best` rules that it is, wraps or combines. There are none if there
    is no `Best`, or if a metric is to fall by one of them and to rise by another.

    >>> from earlystop import Best
    >>> ranking_settings(Best("val_loss") | Best("val_accuracy"))
    {'monitor': ['val_loss', 'val_accuracy'], 'mode': {'val_loss': 'min', 'val_accuracy': 'max'}}
    """
    bests = bests_within(save)
    modes = {best.monitor: best.mode for best in bests}
    if not bests or any(modes[best.monitor] != best.mode for best in bests):
        return {}
    if len(modes) == 1:
        return {"monitor": bests[0].monitor, "mode": bests[0].mode}
    return {"monitor": list(modes), "mode": modes}


def _names(monitor: Monitors | None, keep_best: KeepBest) -> dict[str, int]:
    """The metrics to rank by, each with how many of its best to keep."""
    monitors = _monitors(monitor)
    if not isinstance(keep_best, Mapping):
        keep = validated(Positive, keep_best, "Checkpoints(keep_best=...)")
        if not monitors and keep > 1:
            raise RuleError(
                f"`Checkpoints(keep_best={keep})` needs a metric to rank checkpoints by: pass "
                "monitor='val_loss', or another metric"
            )
        return dict.fromkeys(monitors, keep)
    names = {
        validated(str, name, "Checkpoints(keep_best=...)"): validated(
            Positive, keep, f"Checkpoints(keep_best[{shortened(name)}]=...)"
        )
        for name, keep in keep_best.items()
    }
    if not names:
        raise RuleError("`Checkpoints(keep_best={})` names no metric: leave it out for none")
    if monitors and set(monitors) != set(names):
        raise RuleError(
            f"`Checkpoints(monitor=..., keep_best=...)` name different metrics, "
            f"{', '.join(monitors)} and {', '.join(names)}: `keep_best` alone is enough"
        )
    return names


def _monitors(monitor: Monitors | None) -> list[str]:
    if monitor is None:
        return []
    if isinstance(monitor, str):
        return [validated(str, monitor, "Checkpoints(monitor=...)")]
    if not isinstance(monitor, Sequence):
        raise RuleTypeError(
            f"`Checkpoints(monitor=...)` must be a string, or a list of them, got "
            f"{shortened(monitor)}"
        )
    monitors = [validated(str, name, "Checkpoints(monitor=[...])") for name in monitor]
    if not monitors or len(set(monitors)) < len(monitors):
        raise RuleError(
            "`Checkpoints(monitor=[...])` must name one metric or more, each once, got "
            f"{shortened(monitor)}"
        )
    return monitors
