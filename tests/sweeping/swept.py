"""What the tests of sweeps share: sweeps by the fast ways, and what they should give."""

import inspect
import itertools
from typing import Any

import numpy as np

import earlystop as es
from earlystop.replaying.tuning import Tuning
from earlystop.sweeping.sweep import run_sweep

SMALL = Tuning(few_steps=0)  # few runs are stepped one by one otherwise

_ARGUMENTS = {
    name
    for name, parameter in inspect.signature(es.sweep).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
}


def sweep(rule: es.Rule, history: Any, /, tuning: Tuning = SMALL, **options: Any) -> es.Sweep:
    """`es.sweep`, with the fast ways even for few runs."""
    arguments = {name: options.pop(name) for name in _ARGUMENTS if name in options}
    return run_sweep(rule, history, options, tuning=tuning, **arguments)


def expected(rule: es.Rule, save: es.Best, history: es.History) -> tuple[Any, ...]:
    """What replaying one setting gives, and the regret worked out run by run."""
    result = es.replay(rule, history, save=save)
    log = es.replay(es.Never(), history, save=save)
    values = history.metrics[save.monitor]
    best = [float(values[run, e]) if e >= 0 else np.nan for run, e in enumerate(result.saved_index)]
    regret = []
    for run, epoch in enumerate(log.saved_index):
        if epoch < 0:
            regret.append(np.nan)
        elif result.saved_epoch[run] < 0:
            regret.append(np.inf)
        else:
            of_log = float(values[run, epoch])
            worse = best[run] - of_log if save.mode == "min" else of_log - best[run]
            regret.append(0.0 if best[run] == of_log else float(worse))
    return result.epochs, result.stopped, result.saved_epoch, np.array(best), np.array(regret)


def check(table: es.Sweep, made: list[es.Rule], saves: list[es.Best], history: es.History) -> None:
    assert len(table) == len(made)
    for row, (rule, save) in enumerate(zip(made, saves, strict=True)):
        arrays = (table.epochs, table.stopped, table.best_epoch, table.best, table.regret)
        wanted = expected(rule, save, history)
        for array, want in zip(arrays, wanted, strict=True):
            np.testing.assert_array_equal(array[row], want.astype(array.dtype), err_msg=repr(rule))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(table.mean_epochs, table.epochs.mean(axis=1))
    assert all(table.regret[~np.isnan(table.regret)] >= 0)


GRIDS: dict[str, tuple[es.Rule, dict[str, list[Any]]]] = {
    "patience": (es.Patience("loss"), {"patience": [0, 1, 2, 3, 5, 9, 30]}),
    "patience and min_delta": (
        es.Patience("loss"),
        {"patience": [4, 1, 2], "min_delta": [0.0, 0.1, 0.5, 2.0]},
    ),
    "patience of a score": (es.Patience("loss", mode="max"), {"patience": [1, 2, 4]}),
    "patience with all it has": (
        es.Patience("loss", relative=True, min_delta=0.1),
        {"start_from_epoch": [0, 2], "baseline": [None, 0.0, 1.0], "patience": [3, 1]},
    ),
    "patience that grows": (
        es.Patience("loss", start_from_epoch=1),
        {"growth": [0.0, 0.3, 1.0], "min_delta": [0.0, 0.5], "patience": [3, 1, 2]},
    ),
    "patience that grows in an any-of": (
        es.Patience("loss", growth=0.5) | es.Threshold("val_loss", 0.2),
        {"patience": [1, 2, 5]},
    ),
    "patience in an any-of": (
        es.Patience("loss") | es.Threshold("val_loss", 0.2) | es.NonFinite("val_loss"),
        {"patience": [1, 2, 5]},
    ),
    "adaptive patience": (
        es.AdaptivePatience("loss", 1),
        {"patience": [1.0, 6.0, 2.0, 0.5, 3.3, 40.0, 6.0, 1e200]},
    ),
    "adaptive patience with all it has": (
        es.AdaptivePatience("loss", 1, mode="max"),
        {"min_gain": [0.0, 0.25], "patience": [1.0, 2.0, 5.5], "alpha": [0.1, 1.0]},
    ),
    "adaptive patience in an any-of": (
        es.AdaptivePatience("loss", 1) | es.Threshold("val_loss", 0.2) | es.NonFinite("val_loss"),
        {"patience": [1.0, 2.0, 5.5]},
    ),
    "adaptive patience under a warm-up": (
        es.Warmup(es.AdaptivePatience("loss", 1), 2),
        {"patience": [1.0, 2.0, 5.5]},
    ),
    "the other part of an any-of": (
        es.Patience("loss", 2) | es.Threshold("val_loss", 0.2),
        {"value": [-1.0, 0.2, 3.0]},
    ),
    "patience in an all-of": (es.Patience("loss") & es.MaxEpochs(3), {"patience": [1, 2, 5]}),
    "patience under a warm-up": (es.Warmup(es.Patience("loss"), 2), {"patience": [1, 2]}),
    "both levels": (es.Warmup(es.Patience("loss"), 2), {"epochs": [0, 3], "patience": [1, 2]}),
    "alpha": (es.GeneralizationLoss("loss"), {"alpha": [0.0, 5.0, 50.0]}),
    "windows": (es.Plateau("loss", 2, 0.1), {"window": [2, 3], "std": [0.0, 0.5]}),
    "the monitor": (es.Patience("loss"), {"monitor": ["loss", "val_loss"], "patience": [1, 3]}),
    "the mode": (es.Patience("loss"), {"mode": ["min", "max"], "patience": [1, 3]}),
    "two patiences": (
        es.Patience("loss") | es.Patience("val_loss"),
        {"0.patience": [1, 2], "1.patience": [2, 3]},
    ),
}


def arrays_of(table: es.Sweep) -> list[Any]:
    summaries = [table.mean_epochs, table.share_saved, table.mean_regret]
    summaries += [table.quantile_epochs(0.3), table.quantile_regret(0.7)]
    return [table.epochs, table.stopped, table.best_epoch, table.best, table.regret, *summaries]


def cut(history: es.History, cuts: list[int]) -> list[es.History]:
    """The same runs as several histories."""
    ends = itertools.pairwise([0, *cuts, len(history)])
    parts = [history[begin:end] for begin, end in ends]
    return [es.History(masked(part), part.lengths) for part in parts]  # without names


def masked(history: es.History) -> dict[str, Any]:
    return {
        name: np.ma.MaskedArray(array, ~history.reported(name))
        for name, array in history.metrics.items()
    }
