"""Whether stepping, replaying, sweeping and resuming agree: random rules on random histories.

Blocks, batches and numbers of threads are drawn at random, too, so that work crosses the borders of
its blocks, which are larger than these histories.
"""

from __future__ import annotations

import json
import math
import random
from fractions import Fraction
from typing import Any

import numpy as np

import earlystop as es
from earlystop.replaying.checks import looked_at
from earlystop.replaying.decide import decide
from earlystop.replaying.tuning import Tuning
from earlystop.sweeping.grid import apply_settings, axes_of
from earlystop.sweeping.sweep import run_sweep

from .positions import seen_by_rules
from .ragged import stored_ragged
from .random_rules import random_history, random_pair, random_patience, random_rule_of


def random_tuning(chance: random.Random) -> Tuning:
    """Sizes so small that work crosses the borders of its blocks even in these histories."""
    together = [1, 2, 3, 10**5]
    return Tuning(
        runs_per_batch=chance.choice([1, 2, 3, 7, 1000]),
        most_padding=chance.choice([0, 1, 3]),
        padding_ignored=chance.choice([0, 0, 2**22]),
        epochs_per_block=chance.choice([1, 2, 3, 7, 1000]),
        runs_per_tile=chance.choice([1, 2, 3, 7, 1000]),
        dense_share=chance.choice([0.6, 0.6, 1.0]),
        window_bytes=chance.choice([0, 100, 1000, 10**6]),
        intervals=chance.choice([1, 5, 50, 10**6]),
        references=chance.choice([10, 10**6]),
        notes=chance.choice([1, 10, 10**6]),
        few_runs=0,
        few_steps=chance.choice([0, 0, 0, 100]),
        rules_together=chance.choice(together),
        families_together=chance.choice(together),
        kept_bytes=chance.choice([0, 10**8]),
        intervals_at_a_time=chance.choice(together),
        table_entries=chance.choice(together),
        cells_checked=chance.choice([1, 10, 10**6]),
    )


def disagreements(histories: int, seed: int, rules_per_history: int = 1) -> list[str]:
    """Every disagreement found over `histories` single histories, with how to reproduce it."""
    rng, chance = np.random.default_rng(seed), random.Random(seed)
    found: list[str] = []
    done = 0
    while done < histories:
        runs = min(int(rng.integers(1, 60)), histories - done)
        history = random_history(rng, runs, int(rng.integers(1, 30)))
        history = stored_ragged(history) if chance.random() < 0.5 else history
        records, seen = [history.records(run) for run in range(runs)], seen_by_rules(history)
        for _ in range(rules_per_history):
            stopper = es.Stopper(*random_pair(chance), on_missing="skip")
            tuning, workers = random_tuning(chance), chance.choice([1, 1, 1, 3])
            stop, save = stopper.stop, stopper.save
            arrays = decide(stop, save, seen, workers=workers, tuning=tuning)
            for run in range(runs):
                live = _live(stopper, records[run])
                cut = chance.randint(0, len(live[0]))
                resumed = _resumed(stopper, records[run], cut, len(live[0]))
                replayed = tuple(array[run].item() for array in arrays)
                if live[1] != replayed or live[0] != resumed:
                    found.append(f"seed {seed}, history {done + run}: {stopper!r}, cut {cut}")
        done += runs
    return found


def sweep_disagreements(pairs: int, seed: int) -> list[str]:
    """Every disagreement found over `pairs` settings on single runs, with how to reproduce it."""
    rng, chance = np.random.default_rng(seed), random.Random(seed)
    found: list[str] = []
    done = 0
    while done < pairs:
        history = random_history(rng, int(rng.integers(1, 40)), int(rng.integers(1, 30)))
        history = stored_ragged(history) if chance.random() < 0.5 else history
        rule = random_patience(chance)
        drawn = random_rule_of(es.Best, chance)
        assert isinstance(drawn, es.Best)
        best_rule = es.Best(drawn.monitor, mode=drawn.mode)
        kinds = [type(child) for child in rule.children]
        grid: dict[str, Any] = {"patience": [chance.randint(0, 12) for _ in range(4)]}
        if chance.random() < 0.6:
            grid["min_delta"] = [chance.choice([0.0, 0.1, 0.5, 1.0, 1e-310]) for _ in range(2)]
        if chance.random() < 0.2:
            grid["baseline"] = [None, chance.choice([-1.0, 0.0, 1.0])]
        if chance.random() < 0.2:
            grid["dtype"] = ["float64", "float32"]
        if kinds:
            grid = {f"{kinds.index(es.Patience)}.{name}": grid[name] for name in grid}
        tuning, workers = random_tuning(chance), chance.choice([1, 1, 1, 3])
        records = [history.records(run) for run in range(len(history))]
        table = run_sweep(rule, history, grid, save=best_rule, workers=workers, tuning=tuning)
        arrays = table.checks, table.stopped, table.best_check, table.best, table.regret
        means = table.mean_regret
        for number, setting in enumerate(table.settings):
            stop = apply_settings(rule, axes_of(rule, grid), setting)
            stopper = es.Stopper(stop, best_rule, on_missing="skip")
            judged = looked_at((stop, best_rule))
            for run, every_row in enumerate(records):
                record = [r for r in every_row if not judged or any(n in r for n in judged)]
                live = _live(stopper, record)[1]
                best = math.nan if stopper.best is None else stopper.best
                regret = _regret(best, _best_of(record, best_rule), best_rule.mode)
                swept = tuple(array[number, run].item() for array in arrays)
                if live != swept[:3] or not same(best, swept[3]) or not same(regret, swept[4]):
                    found.append(f"seed {seed}, after {done} pairs: {stopper!r} on run {run}")
            regrets = arrays[-1][number]
            if not same(means[number], exact_mean(regrets[~np.isnan(regrets)])):
                found.append(f"seed {seed}, after {done} pairs: mean regret of {stopper!r}")
        done += len(table) * len(history)
    return found


def _best_of(record: list[dict[str, float]], best_rule: es.Best) -> float:
    values = [x for m in record if not math.isnan(x := m.get(best_rule.monitor, math.nan))]
    if best_rule.mode == "min":
        return min((x for x in values if x < math.inf), default=math.nan)
    return max((x for x in values if x > -math.inf), default=math.nan)


def _regret(best: float, of_log: float, mode: str) -> float:
    if math.isnan(of_log) or best == of_log:
        return 0.0 if best == of_log else math.nan
    if math.isnan(best):
        return math.inf
    return best - of_log if mode == "min" else of_log - best


def exact_mean(values: Any) -> float:
    """The mean, rounded once; NaN of nothing."""
    if not len(values):
        return math.nan
    if np.isinf(values).any():
        return math.inf
    return float(sum(map(Fraction, values.tolist())) / len(values))


def same(one: float, other: float) -> bool:
    """Equal, or both NaN."""
    return one == other or (math.isnan(one) and math.isnan(other))


def _live(stopper: es.Stopper, epochs: list[dict[str, float]]) -> tuple[list[es.Decision], Any]:
    stopper.reset()
    decisions = []
    for metrics in epochs:
        decisions.append(stopper.step(metrics))
        if stopper.stopped:
            break
    best_check = -1 if stopper.best_check is None else stopper.best_check
    return decisions, (stopper.checks, stopper.stopped, best_check)


def _resumed(
    stopper: es.Stopper, epochs: list[dict[str, float]], cut: int, end: int
) -> list[es.Decision]:
    stopper.reset()
    before = [stopper.step(metrics) for metrics in epochs[:cut]]
    text = json.dumps(stopper.state_dict(), allow_nan=False)
    other = es.Stopper(stopper.stop, stopper.save, on_missing="skip")
    other.load_state_dict(json.loads(text))
    return before + [other.step(metrics) for metrics in epochs[cut:end]]
