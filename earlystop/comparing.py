"""`compare`: what each framework's early stopping would have done on the same logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ._plots import Kind, plotter
from .errors import RuleError, RuleTypeError
from .history.history import History
from .language.direction import Direction, Mode, direction
from .language.rule import OnMissing
from .peers.asked import askable, full_name, stopper_as
from .replaying.exact_sum import exact_mean
from .replaying.regret import regret_of, values_at
from .replaying.replay import replay
from .replaying.result import Floats, Replay, total
from .rules import Best, Never

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What each framework would have done on the same logs.

    results: the replay of each, by name.
    whole_log: the best of each whole log, by plain comparison.
    monitor, mode: what was watched.

    >>> from earlystop import History, compare
    >>> history = History({"loss": [0.5, 0.4, 0.41, 0.4, 0.42, 0.3]})
    >>> print(compare(history, "loss", patience=2, names=["keras", "flax", "mmengine"]))
    keras.early_stopping: stopped after 4 checks, keeps 0.4
    flax.early_stopping: stopped after 5 checks, keeps 0.4
    mmengine.early_stopping_hook: stopped after 4 checks, keeps 0.4
    """

    results: Mapping[str, Replay]
    whole_log: Replay = field(repr=False)
    monitor: str
    mode: Direction

    @property
    def history(self) -> History:
        """The logs."""
        return self.whole_log.history

    @property
    def unit(self) -> str:
        """The unit of `used`, such as "epoch"; see `Replay.unit`."""
        return self.whole_log.unit

    def short_name(self, name: str) -> str:
        """The framework alone, unless two of its classes are compared."""
        framework = name.partition(".")[0]
        same = [other for other in self.results if other.partition(".")[0] == framework]
        return framework if len(same) == 1 else name

    def kept(self, name: str) -> Floats:
        """The value that a framework keeps of each run, shape (runs,); NaN for none."""
        result = self.results[name]
        return values_at(self.history, self.monitor, result.saved_index, np.arange(len(result)))

    def regret(self, name: str) -> Floats:
        """How much worse the kept value is than the best of the whole log, shape (runs,).

        As `Replay.regret`, but NaN for a framework that keeps nothing itself.
        """
        if self.results[name].save == Never():
            return np.full(len(self.whole_log), np.nan)
        return regret_of(self.kept(name), self.whole_log.best, self.mode)

    def groups(self) -> list[list[str]]:
        """The names, in groups of those that do the same to all of these runs.

        >>> from earlystop import History, compare
        >>> history = History({"loss": [0.5, 0.4, 0.41, 0.4, 0.42, 0.3]})
        >>> names = ["keras", "lightning", "flax"]
        >>> compare(history, "loss", patience=2, names=names).groups()
        [['keras.early_stopping', 'lightning.early_stopping'], ['flax.early_stopping']]
        """
        groups: dict[bytes, list[str]] = {}
        for name, result in self.results.items():
            done = np.stack([result.checks, result.stopped, result.saved_check])
            groups.setdefault(done.tobytes(), []).append(name)
        return list(groups.values())

    def rows(self) -> list[dict[str, Any]]:
        """What each does over all runs, as plain data: a dict for each. None for unknown values."""
        rows = []
        for name, result in self.results.items():
            regret = self.regret(name)
            regret = regret[~np.isnan(regret)]
            known = {
                "mean_regret": exact_mean(regret) if len(regret) else None,
                "max_regret": float(regret.max()) if len(regret) else None,
            }
            rows.append({"name": name, **result.summary(), **known})
        return rows

    def plot(self, *, run: int | str | None = None, kind: Kind = "auto", ax: Any = None) -> Figure:
        """Plot what they do; those that do the same are drawn as one. See `Replay.plot`.

        Raises what `Replay.plot` raises.
        """
        draw: Callable[..., Figure] = plotter("plot_replays")
        groups = self.groups()
        results = [self.results[group[0]] for group in groups]
        labels = [self._label(group) for group in groups]
        return draw(results, run=run, kind=kind, metrics=(), labels=labels, ax=ax)

    def _label(self, group: Sequence[str]) -> str:
        names = [self.short_name(name) for name in group]
        more = [f"{len(names) - 3} more"] if len(names) > 4 else []
        return ", ".join([*(names[:3] if more else names), *more])

    def __str__(self) -> str:
        return "\n".join(f"{name}: {self._did(name)}" for name in self.results)

    def _did(self, name: str) -> str:
        result = self.results[name]
        used = f"{total(result.used):,} {result.unit}"
        if len(result) == 1:
            ended = "stopped after" if result.stopped[0] else "goes on to the end,"
            return f"{ended} {used}, keeps {self.kept(name)[0]:.6g}"
        return f"stopped {int(result.stopped.sum())} of {len(result)} runs, {used} used"

    def __repr__(self) -> str:
        return f"Comparison({len(self.results)} frameworks on {len(self.whole_log)} runs)"


def compare(
    history: History,
    monitor: str,
    *,
    patience: int | None = None,
    mode: Mode = "auto",
    min_delta: float | None = None,
    names: Iterable[str] | None = None,
    on_missing: OnMissing = "skip",
    unit: str | None = None,
) -> Comparison:
    """What the early stopping of each framework would have done on the same logs.

    history: the logs.
    monitor, mode: the metric, and whether it should fall or rise.
    patience, min_delta: passed to every framework as they are, where each understands them in its
        own way; None for each framework's own default.
    names: which frameworks, as in `earlystop.peers.names()`; if left out, all that wait for an
        improvement in this direction (without `patience`, those that have a default).
    on_missing, unit: see `replay`.

    Raises RuleError for an unknown name, or a setting that one of them does not have or refuses;
    what `replay` raises.

    >>> from earlystop import History, compare
    >>> history = History({"val_loss": [0.5, 0.4, 0.41, 0.4, 0.42, 0.3]})
    >>> comparison = compare(history, "val_loss", patience=2)
    >>> comparison.results["lightgbm.early_stopping"].checks
    array([4])
    """
    if not isinstance(history, History):
        raise RuleTypeError(f"`compare` takes a History, got {type(history).__name__}")
    if isinstance(names, str):
        raise RuleTypeError(f"`compare(names=...)` takes several names, got {names!r}")
    way = direction(monitor, mode, "compare")
    chosen = askable(way, patience=patience is not None) if names is None else list(names)
    if not chosen:
        raise RuleError("`compare(names=...)` names no framework: leave it out for all")
    results = {}
    for name in chosen:
        stopper = stopper_as(name, monitor, mode=way, patience=patience, min_delta=min_delta)
        results[full_name(name)] = replay(stopper, history, on_missing=on_missing, unit=unit)
    whole = replay(Never(), history, save=Best(monitor, mode=way), on_missing="skip", unit=unit)
    return Comparison(results, whole, monitor, way)
