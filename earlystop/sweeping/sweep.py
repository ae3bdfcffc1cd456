"""`sweep`: what every combination of settings of a rule would have done on every run.

Settings that differ in one patience are answered together, by intervals (`by_interval.py`). All
others are stepped, many at a time (`by_stepping.py`). Runs are processed in batches whose results
are added exactly, so neither the batches nor the threads they run on change a number.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from .._arguments import argument
from ..datasets import Dataset
from ..datasets.working import Workers, check_workers
from ..errors import RuleTypeError
from ..history import History
from ..language.keywords import by_keyword
from ..language.rule import OnMissing, Rule
from ..language.settings import Positive, validated
from ..replaying.tuning import DEFAULT, Tuning
from ..rules import Best
from .grid import axes_of
from .jobs import SweepJob
from .merging import SweepWork
from .of_dataset import DatasetSweep
from .plan import default_best, plan_sweep
from .result import Sweep

__all__ = ["Sweep", "default_best", "run_sweep", "sweep"]


@by_keyword("patience")
def sweep(
    rule: Rule,
    history: History | Dataset | Iterable[History],
    /,
    *,
    save: Best | None = None,
    on_missing: OnMissing = "skip",
    unit: str | Iterable[str] | None = None,
    workers: Workers = 1,
    progress: bool = False,
    **grid: Iterable[Any],
) -> Sweep:
    """What every combination of settings would have done on every run of a history.

    rule: the stop rule.
    history: a history, or several that count as one: a list or any iterable, such as one that reads
        histories from files. For arrays and quantiles of large histories they are read again, so
        their values must not change. An iterator can be read only once, so for large histories it
        provides only the means. Or a data set, from `scan_history`: its parts are read and swept
        where the workers are. Its arrays are made only if they are asked for.
    save: decides which epoch is best; by default, a plain `Best` of the first metric that the rule
        monitors with a `mode`.
    on_missing: see `replay`. "raise" is checked for every setting.
    unit: the unit of cost; see `replay`. (Several units are values of the rule's field `unit`.)
    workers: how many threads work on batches of up to about 16,000 runs; for a data set, how many
        processes work on its parts, this one among them, or any `concurrent.futures.Executor` that
        does. The numbers do not depend on it. Whether more threads are faster depends on the
        machine and the rule; `benchmarks/` measures it.
    progress: show a progress bar (needs tqdm: `pip install tqdm`).
    grid: the fields of the rule to vary, each with its values. A field of a child rule is named in
        the same way if only one child has it, otherwise with the number of the child:
        `**{"0.patience": [5, 10]}`.

    Beyond the histories and the result, it needs at most 64 MB of memory per worker. (A single run
    is not split.)

    Raises RuleError for unknown fields and for values that a rule refuses, RuleTypeError for
    arguments of the wrong type, MissingMetricError for a metric that no epoch reports.

    >>> from earlystop import History, Patience, sweep
    >>> history = History({"val_loss": [[4.0, 3.0, 3.5, 3.6, 2.0], [5.0, 4.0, 3.0, 2.0, 1.0]]})
    >>> table = sweep(Patience("val_loss"), history, patience=[1, 2, 3])
    >>> table.settings[1], table.epochs[1], table.regret[1]
    ({'patience': 2}, array([4, 5]), array([1., 0.]))
    >>> table.mean_epochs, table.mean_regret
    (array([4. , 4.5, 5. ]), array([0.5, 0.5, 0. ]))
    """
    if unit is not None and not isinstance(unit, str):
        grid, unit = {**grid, "unit": unit}, None
    return run_sweep(
        rule,
        history,
        grid,
        save=save,
        on_missing=on_missing,
        unit=unit,
        workers=workers,
        progress=progress,
    )


def run_sweep(
    rule: Rule,
    history: History | Dataset | Iterable[History],
    grid: Mapping[str, Iterable[Any]],
    *,
    save: Best | None = None,
    on_missing: OnMissing = "skip",
    unit: str | None = None,
    workers: Workers = 1,
    progress: bool = False,
    tuning: Tuning = DEFAULT,
    are_all: bool = True,
) -> Sweep:
    """`sweep` with the grid as one mapping, and with tuning constants.

    are_all: whether a metric that none of the histories reports is an error; others may report it.
    """
    if not isinstance(rule, Rule):
        raise RuleTypeError(
            f"`sweep(rule)` must be a rule, such as Patience('val_loss'), got {rule!r}"
        )
    histories: Any = [history] if isinstance(history, History) else history
    if isinstance(histories, (str, Mapping)) or not isinstance(histories, Iterable):
        raise RuleTypeError(f"`sweep` takes a History, or several, got {type(history).__name__}")
    axes = axes_of(rule, grid)
    values = [axis.values for axis in axes.values()]
    settings = [dict(zip(axes, each, strict=True)) for each in itertools.product(*values)]
    if save is not None and (type(save) is not Best or save != Best(save.monitor, mode=save.mode)):
        raise RuleTypeError(
            f"{argument('save', owner='sweep')} must be a Best without min_delta, baseline or "
            f"dtype, got {save!r}"
        )
    on_missing = validated(OnMissing, on_missing, "sweep(on_missing=...)")
    progress = validated(bool, progress, "sweep(progress=...)")
    plan = plan_sweep(rule, axes, settings, save, tuning)
    if isinstance(history, Dataset):
        work = SweepWork(rule, settings, plan, on_missing, unit, tuning)
        return DatasetSweep(work, history, check_workers(workers, "sweep"), progress)
    threads = validated(Positive, workers, "sweep(workers=...)")
    job = SweepJob(histories, plan, on_missing, threads, progress, tuning, are_all=are_all)
    return Sweep(rule, settings, job, unit)
