"""`sweep`: what every combination of settings of a rule would have done on every run.

Settings go through the rules' own `step`, many at a time, over lanes (see `lanes.py`). For the
patience of a `Patience` there is a shorter way, for all values at once. Call the epochs that set
the reference t_1 < t_2 < ...: patience P stops at t_j + P for the first j whose gap to t_(j+1)
exceeds P. So only the gaps that are longer than all before them matter: each owns the patience
values between the longest gap before it and itself. A run has few of those, and they answer every
patience.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from . import lanes as lanes_module
from .errors import RuleError, RuleTypeError, name_advice
from .fields import Count, settled
from .history import Bools, History
from .lanes import Lanes, program_for
from .replaying import require_all
from .rule import AnyOf, Rule
from .rules import ELAPSED, Best, Never, Patience
from .trace import OnMissing

__all__ = ["Sweep", "sweep"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Type = TypeVar("Type", bound=np.generic)

# Settings that are stepped together: more share more, and keep more arrays in the cache.
_TOGETHER = 32


@dataclass
class Column:
    """What one setting did on every run: arrays of shape (runs,)."""

    epochs: Ints
    stopped: Bools
    best_epoch: Ints
    best: Floats
    regret: Floats


# The grid -----------------------------------------------------------------------------------------


def _places(rule: Rule, name: str) -> list[tuple[int, ...]]:
    """Where in a rule there is a field of this name: () is the rule, (1,) its second part."""
    if name in rule.settings:
        return [()]
    return [
        (number, *place) for number, part in enumerate(rule.parts) for place in _places(part, name)
    ]


def _axis(rule: Rule, name: str) -> tuple[tuple[int, ...], str]:
    """The place and the field that an axis of the grid names."""
    *numbers, field = name.split(".")
    if numbers:
        place = tuple(int(number) for number in numbers if number.isdecimal())
        part: Rule | None = rule
        for number in place:
            part = None if part is None or number >= len(part.parts) else part.parts[number]
        if len(place) == len(numbers) and part is not None and field in part.settings:
            return place, field
        raise RuleError(
            f"`sweep`: {rule!r} has nothing called {name!r}: write "
            "'0.patience' for the patience of its first part"
        )
    found = _places(rule, field)
    if not found:
        known = {f for part in _all_parts(rule) for f in part.settings}
        raise RuleError(
            f"`sweep`: {rule!r} has no field {name!r}: {name_advice(name, known, 'fields')}"
        )
    if len(found) > 1:
        paths = ", ".join(repr(".".join([*map(str, place), field])) for place in found)
        raise RuleError(
            f"`sweep`: {name!r} may be any of {paths} in {rule!r}: name the one you "
            "mean, as in sweep(rule, history, **{'0.patience': [5, 10]})"
        )
    return found[0], field


def _all_parts(rule: Rule) -> Iterator[Rule]:
    yield rule
    for part in rule.parts:
        yield from _all_parts(part)


def _with(rule: Rule, changes: Mapping[tuple[int, ...], Mapping[str, Any]]) -> Rule:
    """The rule with other settings, at the places given."""
    for place in sorted(changes, key=len, reverse=True):
        rule = _with_at(rule, place, changes[place])
    return rule


def _with_at(rule: Rule, place: tuple[int, ...], changes: Mapping[str, Any]) -> Rule:
    if not place:
        return rule.replace(**changes)
    parts = list(rule.parts)
    parts[place[0]] = _with_at(parts[place[0]], place[1:], changes)
    return rule.with_parts(tuple(parts))


def _judge(rule: Rule) -> Best:
    """The plain best of the first metric that a rule watches, in a direction if one does."""
    watching = [part.settings for part in _all_parts(rule) if "monitor" in part.settings]
    for settings in sorted(watching, key=lambda settings: "mode" not in settings):
        if settings["monitor"] != ELAPSED:
            return Best(settings["monitor"], mode=settings.get("mode", "auto"))
    raise RuleError(
        f"`sweep`: {rule!r} does not say which metric is to be best: pass save=Best('val_loss')"
    )


# Any rule: settings side by side ------------------------------------------------------------------


def _by_steps(stops: Sequence[Rule], judge: Best, history: History) -> list[Column]:
    """Every stop rule on every run, through the rules' own steps."""
    columns = [_untouched(history) for _ in stops]
    best_of_log = np.full(history.runs, -1, dtype=np.int64)
    program = program_for((*stops, judge), history)
    for lanes in _all_lanes(history):
        best = np.full(len(lanes), -1, dtype=np.int64)
        running = [np.ones(len(lanes), dtype=np.bool_) for _ in stops]
        program.start(len(lanes), lanes.longest)
        for epoch in itertools.chain.from_iterable(lanes.blocks()):
            *answers, improves = program(epoch)
            np.copyto(best, epoch.number, where=_inside(improves, epoch.inside))
            for column, on, fires in zip(columns, running, answers, strict=True):
                if fires is False:
                    continue
                ends = on & _inside(fires, epoch.inside)
                if np.count_nonzero(ends):
                    runs = lanes.runs[ends]
                    column.epochs[runs], column.stopped[runs] = epoch.number + 1, True
                    column.best_epoch[runs] = best[ends]
                    np.logical_and(on, ~ends, out=on)
        for column, on in zip(columns, running, strict=True):
            column.best_epoch[lanes.runs[on]] = best[on]
        best_of_log[lanes.runs] = best
    of_log = _values(history, judge.monitor, best_of_log)
    for column in columns:
        column.best = _values(history, judge.monitor, column.best_epoch)
        column.regret = _regret(column.best, of_log, judge.mode)
    return columns


def _untouched(history: History) -> Column:
    """The column of a rule that never fires; what is best is still to be said."""
    stopped, best_epoch = np.zeros(history.runs, np.bool_), np.full(history.runs, -1, np.int64)
    return Column(history.lengths.copy(), stopped, best_epoch, np.empty(0), np.empty(0))


def _regret(best: Floats, of_log: Floats, mode: str) -> Floats:
    """How much worse `best` is than the best of the log."""
    worse = best - of_log if mode == "min" else of_log - best
    worse = np.where(best == of_log, 0.0, worse)  # infinities, too
    result: Floats = np.where(np.isnan(best) & ~np.isnan(of_log), np.inf, worse)
    return result


def _all_lanes(history: History) -> Iterator[Lanes]:
    for first in range(0, history.runs, lanes_module.LANES):
        lanes = Lanes(history, slice(first, first + lanes_module.LANES))
        if lanes.longest:
            yield lanes


def _inside(fires: Any, inside: Bools | None) -> Any:
    return fires if inside is None else fires & inside


def _values(history: History, monitor: str, epochs: Ints, runs: Ints | None = None) -> Floats:
    """The values of a metric at these epochs, one for each run given; NaN for epoch -1."""
    if runs is None:
        runs = np.arange(history.runs)
    values = history.metrics[monitor][runs, np.maximum(epochs, 0)].astype(np.float64)
    return np.where(epochs < 0, np.nan, values)


# Patience: all values at once ---------------------------------------------------------------------


class _Pieces(NamedTuple):
    """Which epoch answers for which patience: arrays of shape (pieces,), ordered by `first`."""

    run: Ints
    first: Ints  # the smallest patience that the piece is about
    last: Ints  # and the largest
    reference_epoch: Ints  # the stop comes so many epochs after it as the patience says
    best_epoch: Ints
    best: Floats
    regret: Floats


class _Walker:
    """Follows the reference of a `Patience` over lanes; notes the gaps longer than all before."""

    def __init__(self, rule: Patience, lanes: Lanes) -> None:
        self._rule, self._lanes = rule, lanes
        self._start = min(rule.start_from_epoch, lanes.longest)
        self._reference = np.full(len(lanes), rule.init().reference)
        self._since = np.full(len(lanes), self._start - 1, dtype=np.int64)
        self._longest = np.zeros(len(lanes), dtype=np.int64)
        self._found: list[tuple[Any, ...]] = []

    def step(self, values: Any, epoch: int, inside: Bools | None) -> None:
        if epoch < self._start:
            return
        lanes = np.flatnonzero(_inside(self._rule.improves(values, self._reference), inside))
        if len(lanes):
            self._note(lanes, epoch)
            self._reference[lanes] = values[lanes]
            self._since[lanes] = epoch

    def _note(self, lanes: Any, end: Any) -> None:
        """The reference of these lanes has lasted up to before epoch `end`."""
        since, before = self._since[lanes], self._longest[lanes]
        waited = end - 1 - since
        longer = waited > before
        lanes, since, waited = lanes[longer], since[longer], waited[longer]
        self._found.append((self._lanes.runs[lanes], before[longer] + 1, waited, since))
        self._longest[lanes] = waited

    def finish(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Runs, smallest and largest patience, and the epoch that answers for them."""
        self._note(np.arange(len(self._lanes)), self._lanes.lengths)
        run, first, last, since = (np.concatenate(part) for part in zip(*self._found, strict=True))
        return run, first, last, since


class _PatienceFamily:
    """Settings that differ in the patience of one `Patience`, which may stand in an any-of."""

    def __init__(self, pieces: _Pieces, otherwise: Column) -> None:
        self._pieces = pieces
        self._otherwise = otherwise  # for a patience that no piece is about

    def columns(self, patience_values: Sequence[int]) -> Iterator[_PatienceColumn]:
        """What each patience did; the values must rise. A column is good until the next."""
        pieces = self._pieces
        now = _PatienceColumn(self._otherwise)
        begun = 0
        for patience in patience_values:
            upto = int(np.searchsorted(pieces.first, patience, side="right"))
            now.take(pieces, slice(begun, upto))
            begun, now.patience = upto, patience
            yield now


class _PatienceColumn:
    """A `Column` of which nothing is worked out before it is asked for."""

    def __init__(self, otherwise: Column) -> None:
        self.patience = 0
        self._otherwise = otherwise
        self._since, self._last = otherwise.epochs.copy(), np.zeros(len(otherwise.epochs), np.int64)
        self._best_epoch = otherwise.best_epoch.copy()
        self._best, self._regret = otherwise.best.copy(), otherwise.regret.copy()

    def take(self, pieces: _Pieces, new: slice) -> None:
        """Go on to these pieces; of several of a run, the later one stays."""
        runs = pieces.run[new]
        self._since[runs], self._last[runs] = pieces.reference_epoch[new], pieces.last[new]
        self._best_epoch[runs], self._best[runs] = pieces.best_epoch[new], pieces.best[new]
        self._regret[runs] = pieces.regret[new]

    def _where_waited(
        self, array: npt.NDArray[Type], otherwise: npt.NDArray[Type]
    ) -> npt.NDArray[Type]:
        result: npt.NDArray[Type] = np.where(self._last >= self.patience, array, otherwise)
        return result

    @property
    def epochs(self) -> Ints:
        return self._where_waited(self._since + (self.patience + 1), self._otherwise.epochs)

    @property
    def stopped(self) -> Bools:
        return (self._last >= self.patience) | self._otherwise.stopped

    @property
    def best_epoch(self) -> Ints:
        return self._where_waited(self._best_epoch, self._otherwise.best_epoch)

    @property
    def best(self) -> Floats:
        return self._where_waited(self._best, self._otherwise.best)

    @property
    def regret(self) -> Floats:
        return self._where_waited(self._regret, self._otherwise.regret)


def _patience_families(
    rules: Sequence[Patience], rest: Rule, judge: Best, history: History
) -> list[_PatienceFamily]:
    """For every `Patience` (its patience aside), together with the rest of an any-of."""
    program = program_for((rest, judge), history)
    otherwise = _untouched(history)
    nothing = (np.empty(0, dtype=np.int64),) * 4
    found: list[list[tuple[Any, ...]]] = [[nothing] for _ in rules]
    records: list[tuple[Any, Any]] = []
    for lanes in _all_lanes(history):
        walkers = [_Walker(rule, lanes) for rule in rules]
        running = np.ones(len(lanes), dtype=np.bool_)
        program.start(len(lanes), lanes.longest)
        for epoch in itertools.chain.from_iterable(lanes.blocks()):
            stops, improves = program(epoch)
            bests = lanes.runs[np.flatnonzero(_inside(improves, epoch.inside))]
            records.append((bests, np.full(len(bests), epoch.number)))
            otherwise.best_epoch[bests] = epoch.number
            if stops is not False:
                ends = running & _inside(stops, epoch.inside)
                if np.count_nonzero(ends):
                    runs = lanes.runs[ends]
                    otherwise.epochs[runs], otherwise.stopped[runs] = epoch.number + 1, True
                    running &= ~ends
            for walker, rule in zip(walkers, rules, strict=True):
                walker.step(epoch.row(rule.monitor), epoch.number, epoch.inside)
        for walker, parts in zip(walkers, found, strict=True):
            parts.append(walker.finish())
    bests_of = _Bests(records, history, judge)
    limit = np.where(otherwise.stopped, otherwise.epochs - 1, history.epochs)
    otherwise.best_epoch = bests_of.at(np.arange(history.runs), otherwise.epochs - 1)
    otherwise.best = _values(history, judge.monitor, otherwise.best_epoch)
    otherwise.regret = _regret(otherwise.best, bests_of.of_log, judge.mode)
    families = []
    for parts in found:
        run, first, last, since = (np.concatenate(part) for part in zip(*parts, strict=True))
        last = np.minimum(last, limit[run] - since)  # beyond it, the rest stops first
        keep = first <= last
        pieces = bests_of.split(run[keep], first[keep], last[keep], since[keep])
        families.append(_PatienceFamily(pieces, otherwise))
    return families


class _Bests:
    """The epochs at which a plain best was reached, of all runs."""

    def __init__(self, records: list[tuple[Any, Any]], history: History, judge: Best) -> None:
        self._history, self._judge = history, judge
        self._stride = history.epochs + 1
        runs = np.concatenate([runs for runs, _ in records] or [np.empty(0, np.int64)])
        epochs = np.concatenate([epochs for _, epochs in records] or [np.empty(0, np.int64)])
        # One that is of no run makes sure that there is one to find.
        self._keys = np.sort(np.append(runs * self._stride + epochs, -self._stride))
        last = self.at(np.arange(history.runs), history.lengths - 1)
        self.of_log = _values(history, judge.monitor, last)

    def at(self, runs: Ints, epochs: Ints) -> Ints:
        """The best epoch of these runs up to these epochs; -1 for none."""
        place = np.searchsorted(self._keys, runs * self._stride + epochs, side="right") - 1
        run, epoch = np.divmod(self._keys[place], self._stride)
        result: Ints = np.where(run == runs, epoch, -1)
        return result

    def split(self, run: Ints, first: Ints, last: Ints, since: Ints) -> _Pieces:
        """Pieces such that each has one best epoch, whatever patience of its own it stops with."""
        begin = np.searchsorted(self._keys, run * self._stride + since + first, side="right")
        end = np.searchsorted(self._keys, run * self._stride + since + last, side="right")
        count = end - begin + 1
        piece = np.repeat(np.arange(len(run)), count)
        number = np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)
        run, since = run[piece], since[piece]
        # The number-th best after the piece's first stop begins its number-th part.
        inner = self._keys[begin[piece] + number - 1] % self._stride - since
        begins = np.where(number > 0, inner, first[piece])
        is_last = number == count[piece] - 1
        ends = np.where(is_last, last[piece], np.append(begins[1:], 0) - 1)
        order = np.argsort(begins, kind="stable")
        run, begins, ends, since = run[order], begins[order], ends[order], since[order]
        best_epoch = self.at(run, since + begins)
        best = _values(self._history, self._judge.monitor, best_epoch, run)
        regret = _regret(best, self.of_log[run], self._judge.mode)
        return _Pieces(run, begins, ends, since, best_epoch, best, regret)


def _split_patience(rule: Rule, history: History) -> tuple[Patience, Rule] | None:
    """The one `Patience` whose values can be answered together, and the rest of the rule."""
    parts = rule.rules if type(rule) is AnyOf else (rule,)
    ours = [part for part in parts if type(part) is Patience]  # a subclass may decide otherwise
    if len(ours) != 1 or history.gaps(ours[0].monitor) is not None:
        return None
    rest = tuple(part for part in parts if part is not ours[0])
    return ours[0].replace(patience=0), AnyOf(*rest) if rest else Never()


# The result ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Group:
    """Settings that are judged alike, and what tells of each in turn."""

    places: list[int]  # of the settings
    columns: Callable[[], Iterator[Any]]  # gives a Column for each place, in order
    needs: tuple[str, ...]  # the metrics that the rules and what judges them ask for


class Sweep:
    """What every setting of a grid would have done on every run.

    settings: a list of dicts, the product of the grid in its order.
    epochs, stopped, best_epoch, best, regret: arrays of shape (settings, runs), made when first
        asked for. The summaries (`mean_epochs`, ...) do without them.

    >>> from earlystop import History, Patience, sweep
    >>> table = sweep(Patience("loss"), History({"loss": [[3.0, 4.0, 1.0]]}), patience=[1, 2])
    >>> table
    Sweep(Patience('loss', mode='min'): 2 settings of patience, 1 runs)
    >>> table.best.tolist(), table.share_saved.round(2).tolist()
    ([[3.0], [1.0]], [0.33, 0.0])
    >>> table.to_dict()["mean_regret"]
    [2.0, 0.0]
    """

    def __init__(
        self, rule: Rule, settings: list[dict[str, Any]], groups: list[_Group], history: History
    ) -> None:
        self.rule, self.settings = rule, settings
        self.lengths, self.names = history.lengths, history.names
        self._groups = groups

    def __len__(self) -> int:
        return len(self.settings)

    def __repr__(self) -> str:
        axes = ", ".join(self.settings[0])
        return f"Sweep({self.rule!r}: {len(self)} settings of {axes}, {len(self.names)} runs)"

    def _columns(self) -> Iterator[tuple[int, Column]]:
        """Every setting's place, and what it did."""
        for group in self._groups:
            yield from zip(group.places, group.columns(), strict=True)

    @functools.cached_property
    def _arrays(self) -> Column:
        """All columns, one above the other: arrays of shape (settings, runs)."""
        shape = (len(self.settings), len(self.names))
        made = Column(
            epochs=np.empty(shape, dtype=np.int64),
            stopped=np.empty(shape, dtype=np.bool_),
            best_epoch=np.empty(shape, dtype=np.int64),
            best=np.empty(shape),
            regret=np.empty(shape),
        )
        for place, column in self._columns():
            for name, array in vars(made).items():
                array[place] = getattr(column, name)
        return made

    @property
    def epochs(self) -> Ints:
        """How many epochs each run would have lasted, int64, shape (settings, runs)."""
        return self._arrays.epochs

    @property
    def stopped(self) -> Bools:
        """Whether the rule ended the run, else its log did, shape (settings, runs)."""
        return self._arrays.stopped

    @property
    def best_epoch(self) -> Ints:
        """The best epoch up to the stop, by plain comparison; -1: none, shape (settings, runs)."""
        return self._arrays.best_epoch

    @property
    def best(self) -> Floats:
        """The value at the best epoch; NaN for none, shape (settings, runs)."""
        return self._arrays.best

    @property
    def regret(self) -> Floats:
        """How much worse `best` is than the best of the whole log: at least 0, the metric's unit.

        Infinite where a run was stopped before it had any best, NaN where its log has none.
        """
        return self._arrays.regret

    @property
    def mean_epochs(self) -> Floats:
        """Epochs used, the mean over runs, shape (settings,)."""
        return self._summed(lambda column: column.epochs.mean())

    @property
    def share_saved(self) -> Floats:
        """The share of all logged epochs that would have been saved, shape (settings,)."""
        logged = max(int(self.lengths.sum()), 1)
        return self._summed(lambda column: 1 - int(column.epochs.sum()) / logged)

    @property
    def mean_regret(self) -> Floats:
        """Regret, the mean over the runs whose log has a best, shape (settings,)."""
        return self._summed(lambda column: _mean(column.regret))

    def quantile_epochs(self, q: float) -> Floats:
        """Epochs used, a quantile over runs, shape (settings,)."""
        return self._summed(lambda column: np.quantile(column.epochs, q))

    def quantile_regret(self, q: float) -> Floats:
        """Regret, a quantile over the runs whose log has a best, shape (settings,)."""
        return self._summed(lambda column: _quantile(column.regret, q))

    def to_dict(self) -> dict[str, list[Any]]:
        """One row a setting, as columns: the settings, mean epochs, share saved, mean regret.

        `pandas.DataFrame(table.to_dict())`, or polars' or pyarrow's, makes a frame of it.
        """
        columns: dict[str, list[Any]] = {
            name: [setting[name] for setting in self.settings] for name in self.settings[0]
        }
        for name in ("mean_epochs", "share_saved", "mean_regret"):
            columns[name] = getattr(self, name).tolist()
        return columns

    def _summed(self, summary: Any) -> Floats:
        result = np.empty(len(self.settings))
        for place, column in self._columns():
            result[place] = summary(column)
        return result


def _mean(regret: Floats) -> float:
    there = regret[~np.isnan(regret)]
    return float(there.mean()) if len(there) else np.nan


def _quantile(regret: Floats, q: float) -> float:
    there = np.sort(regret[~np.isnan(regret)])
    if not len(there):
        return np.nan
    # As np.quantile has it, but for neighbours that are infinite, between which it finds NaN.
    below, share = divmod(q * (len(there) - 1), 1.0)
    low, high = there[int(below)], there[min(int(below) + 1, len(there) - 1)]
    return float(low if share == 0 or low == high else low + (high - low) * share)


def sweep(
    rule: Rule,
    history: History,
    /,
    *,
    save: Best | None = None,
    on_missing: OnMissing = "skip",
    **grid: Iterable[Any],
) -> Sweep:
    """What every combination of settings would have done on every run of a history.

    rule: the stop rule.
    save: says which epoch is best; the plain best of the first metric that the rule watches in a
        direction, if left out.
    on_missing: see `replay`. "raise" is checked for every setting.
    grid: fields of the rule, each with its values. A field of a part is named likewise where only
        one part has it, else with the place of the part: `**{"0.patience": [5, 10]}`.

    Raises RuleError for fields that there are not and values that a rule cannot have,
    MissingMetricError for a metric that no epoch of the history reports.

    >>> from earlystop import History, Patience, sweep
    >>> history = History({"val_loss": [[4.0, 3.0, 3.5, 3.6, 2.0], [5.0, 4.0, 3.0, 2.0, 1.0]]})
    >>> table = sweep(Patience("val_loss"), history, patience=[1, 2, 3])
    >>> table.settings[1], table.epochs[1], table.regret[1]
    ({'patience': 2}, array([4, 5]), array([1., 0.]))
    >>> table.mean_epochs, table.mean_regret
    (array([4. , 4.5, 5. ]), array([0.5, 0.5, 0. ]))
    """
    if not isinstance(rule, Rule):
        raise RuleTypeError(
            f"`sweep(rule)` must be a rule, such as Patience('val_loss'), got {rule!r}"
        )
    if not isinstance(history, History):
        raise RuleTypeError(f"`sweep` takes a History, got {type(history).__name__}")
    axes = {name: (_axis(rule, name), _axis_values(name, each)) for name, each in grid.items()}
    _check_axes(rule, axes)
    if not axes or not all(values for _, values in axes.values()):
        raise RuleError(
            "`sweep` needs at least one field, with at least one value each, such as "
            "patience=range(1, 201)"
        )
    values = [each for _, each in axes.values()]
    settings = [dict(zip(axes, each, strict=True)) for each in itertools.product(*values)]
    if save is not None and (not isinstance(save, Best) or save.min_delta):
        raise RuleTypeError(f"`sweep(save=...)` must be a Best without min_delta, got {save!r}")
    if on_missing not in ("raise", "skip"):
        raise RuleError(f'`sweep(on_missing=...)` must be "raise" or "skip", got {on_missing!r}')
    families, alone = _sorted_out(rule, axes, settings, save, history)
    with np.errstate(all="ignore"):
        groups = [*_patience_groups(families, history), *_stepped_groups(alone, history)]
    if on_missing == "raise":
        for group in groups:
            for column in group.columns():
                require_all(group.needs, history, column.epochs)
    return Sweep(rule, settings, groups, history)


def _axis_values(name: str, values: Any) -> list[Any]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise RuleTypeError(f"`sweep({name}=...)` must be a sequence of values, got {values!r}")
    return list(values)


def _check_axes(rule: Rule, axes: Mapping[str, Any]) -> None:
    """Refuse axes of which one would undo the other."""
    for (one, ((place, field), _)), (other, ((below, its_field), _)) in itertools.permutations(
        axes.items(), 2
    ):
        part = rule
        for number in place:
            part = part.parts[number]
        value = getattr(part, field)
        holds_rules = any(
            isinstance(x, Rule) for x in (value if isinstance(value, tuple) else [value])
        )
        inside = len(below) > len(place) and below[: len(place)] == place
        if (place, field) == (below, its_field) or (holds_rules and inside):
            raise RuleError(f"`sweep`: {one!r} and {other!r} change the same part of {rule!r}")


def _settled(rule: Rule, axes: Mapping[str, Any], setting: Mapping[str, Any]) -> Rule:
    changes: dict[tuple[int, ...], dict[str, Any]] = {}
    for name, value in setting.items():
        (place, field), _ = axes[name]
        changes.setdefault(place, {})[field] = value
    return _with(rule, changes)


# (the Patience, its patience aside; the rest of the rule; the judge) -> (patience, place) ...
Families = dict[tuple[Patience, Rule, Best], list[tuple[int, int]]]


def _sorted_out(
    rule: Rule,
    axes: Mapping[str, Any],
    settings: list[dict[str, Any]],
    save: Best | None,
    history: History,
) -> tuple[Families, dict[Best, list[tuple[Rule, int]]]]:
    """Which settings are answered together, by their patience, and which are stepped."""
    quick = _patience_axis(rule, axes)
    bases: dict[tuple[Any, ...], tuple[Best, tuple[Patience, Rule] | None]] = {}
    families: Families = {}
    alone: dict[Best, list[tuple[Rule, int]]] = {}
    most = history.epochs + 1  # a longer patience is no longer
    patience_of = {}
    if quick is not None:
        values = axes[quick][1]
        patience_of = {place: _patience(value, most) for place, value in enumerate(values)}
    numbers = itertools.product(*(range(len(values)) for _, values in axes.values()))
    for place, (number, setting) in enumerate(zip(numbers, settings, strict=True)):
        at = dict(zip(axes, number, strict=True))
        patience = patience_of.get(at.pop(quick or "", -1))  # the other axes make a base of it
        base, made = tuple(at.items()), None
        if base not in bases:
            made = _settled(rule, axes, setting)
            judge = _judge(made) if save is None else save
            for part in (made, judge):
                history.require(part.all_needs, repr(part))
            bases[base] = judge, None if patience is None else _split_patience(made, history)
        judge, split = bases[base]
        if split is None or patience is None:
            made = _settled(rule, axes, setting) if made is None else made
            alone.setdefault(judge, []).append((made, place))
        else:
            families.setdefault((*split, judge), []).append((patience, place))
    return families, alone


def _patience(value: Any, most: int) -> int:
    given: int = settled(Count, value, "Patience(patience=...)")
    return min(max(given, 1), most)


def _patience_axis(rule: Rule, axes: Mapping[str, Any]) -> str | None:
    """Which axis is the patience of the rule, or of a part of an any-of."""
    for name, ((place, field), _) in axes.items():
        part = rule
        if len(place) == 1 and type(rule) is AnyOf:
            part = rule.parts[place[0]]
        elif place:
            continue
        if field == "patience" and type(part) is Patience:
            return name
    return None


def _patience_groups(families: Families, history: History) -> Iterator[_Group]:
    for rest, judge in dict.fromkeys((rest, judge) for _, rest, judge in families):
        ours = [patience for patience, *other in families if other == [rest, judge]]
        made = _patience_families(ours, rest, judge, history)
        for patience, family in zip(ours, made, strict=True):
            members = sorted(families[patience, rest, judge])
            values = [value for value, _ in members]
            columns = functools.partial(family.columns, values)
            needs = AnyOf(patience, rest, judge).all_needs
            yield _Group([place for _, place in members], columns, needs)


def _stepped_groups(
    alone: Mapping[Best, list[tuple[Rule, int]]], history: History
) -> Iterator[_Group]:
    for judge, members in alone.items():
        for first in range(0, len(members), _TOGETHER):
            chunk = members[first : first + _TOGETHER]
            made = _by_steps([rule for rule, _ in chunk], judge, history)
            for column, (rule, place) in zip(made, chunk, strict=True):
                needs = AnyOf(rule, judge).all_needs
                yield _Group([place], functools.partial(iter, [column]), needs)
