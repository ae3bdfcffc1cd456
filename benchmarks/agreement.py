"""Do stepping, replaying, sweeping and resuming agree? Random rules over random histories.

    python benchmarks/agreement.py --histories 100000 --seed 1
    python benchmarks/agreement.py --sweeps 1000000 --seed 1

Histories are ragged and hold gaps, ties, NaN, infinities, denormals and neighbouring floats; rules
are drawn from all there are, nested, and those with a fast path of their own more often.

--histories: for so many pairs of a rule and a run, three ways are compared: stepping, replaying in
lanes (what is stopped and saved, and when), and stepping cut at a random epoch, sent through JSON
and resumed, decision by decision. --sweeps: for so many pairs of a setting and a run, stepping and
sweeping; means of regret are compared with exact fractions. Blocks and threads have random sizes.
Prints the count and every disagreement; exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import sys
import time
import typing
import unittest.mock
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

import earlystop as es
from earlystop.language.config import field_annotations
from earlystop.language.direction import Mode
from earlystop.language.registry import registered
from earlystop.language.settings import AtLeast
from earlystop.replaying import batches as lanes
from earlystop.replaying import patience as waiting
from earlystop.replaying import replay as replaying
from earlystop.sweeping import sweep as sweeping
from earlystop.sweeping.grid import apply_settings, axes_of

METRICS = ("loss", "val_loss", "elapsed_seconds")
TELLING = [0.0, -0.0, 1.0, 2.0, 3.0, 0.1, 0.3, 0.1 + 0.2, -1.0, -0.5, 1e308, 1e-310, 5e-324]
TELLING += [-5e-324, math.nextafter(1, 2), math.nextafter(1, 0), math.nan, math.inf, -math.inf]
TELLING += [1 + 1e-9, 1 - 1e-9, 0.1 + 1e-9, 1e39, 3.4028235677973366e38]  # as float32 sees them


def random_history(rng: np.random.Generator, runs: int, epochs: int) -> es.History:
    """Ragged runs: telling values, or a rounded walk; with gaps or without."""
    metrics: dict[str, Any] = {}
    for name in METRICS:
        telling = rng.choice(TELLING, size=(runs, epochs))
        walk = np.round(rng.normal(size=(runs, epochs)).cumsum(axis=1), int(rng.integers(0, 4)))
        values = np.where(rng.random((runs, 1)) < 0.5, telling, walk)
        gaps = rng.random((runs, epochs)) < rng.choice([0.0, 0.3])
        gaps[0, 0] = False
        dtype, order = rng.choice(["f8", "f8", "f8", ">f8", "f4"]), rng.choice(["C", "F"])
        with np.errstate(over="ignore"):
            values = np.asarray(values.astype(dtype), order=order)
        metrics[name] = np.ma.MaskedArray(values, mask=gaps)
    lengths = rng.integers(0, epochs + 1, size=runs)
    lengths[0] = epochs
    return es.History(metrics, lengths=lengths)


def library_rules() -> list[type[es.Rule]]:
    """Every rule that the library registers, found by itself; not those of adapters."""
    packages = "earlystop.language.rule", "earlystop.rules"
    return [
        cls
        for cls in registered()
        if cls.__module__ in packages or cls.__module__.startswith("earlystop.rules.")
    ]


def random_rule(chance: random.Random, depth: int = 2) -> es.Rule:
    """Any rule, with parts nested at most `depth` deep."""
    classes = [cls for cls in library_rules() if depth > 0 or not has_parts(cls)]
    return random_rule_of(chance.choice(classes), chance, depth)


def random_rule_of(cls: type[es.Rule], chance: random.Random, depth: int = 1) -> es.Rule:
    """A rule of one class, with settings made from the annotations of its fields."""
    while True:
        fields = field_annotations(cls)
        settings = {name: _setting(chance, a, depth) for name, a in fields.items()}
        if "window" in settings and "alpha" in settings:  # either of the two
            settings[chance.choice(["window", "alpha"])] = None
        if "growth" in settings and chance.random() < 0.5:
            settings["growth"] = 0.0  # most rules have none
        try:
            return cls.from_settings(settings)
        except es.RuleError:
            continue


def has_parts(cls: type[es.Rule]) -> bool:
    """Is it a rule made of rules?"""
    annotations = field_annotations(cls).values()
    return any(a is es.Rule or es.Rule in typing.get_args(a) for a in annotations)


def _setting(chance: random.Random, annotation: Any, depth: int) -> Any:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is es.Rule:
        return random_rule(chance, depth - 1)
    if annotation == Mode:
        return chance.choice(["min", "max"])
    if origin is typing.Literal:
        return chance.choice(arguments)
    if origin is typing.Annotated:
        bounds = [bound for bound in arguments[1:] if isinstance(bound, AtLeast)]
        while True:
            value = _setting(chance, arguments[0], depth)
            if all(bound.allows(value) for bound in bounds):
                return value
    if type(None) in arguments:
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return chance.choice([None, _setting(chance, inner, depth)])
    if origin is tuple:
        return tuple(_setting(chance, arguments[0], depth) for _ in range(chance.randint(1, 3)))
    if annotation is str:
        return chance.choice(METRICS)
    if annotation is bool:
        return chance.random() < 0.5
    if annotation is int:
        return chance.randint(0, 6)
    assert annotation is float, annotation  # a new kind of setting: say here what it may be
    return chance.choice([0.0, 0.1, 0.125, 0.5, 1.0, 2.0, 1e-310])


def random_pair(chance: random.Random) -> tuple[es.Rule, es.Rule]:
    """A rule to stop by and one to save by; often of the kind that has a fast path."""
    if chance.random() < 0.5:
        return random_rule(chance), random_rule(chance, 1)
    stop, save = random_patience(chance), random_rule_of(es.Best, chance)
    return stop, chance.choice([save, save, es.Never()])


def random_patience(chance: random.Random) -> es.Rule:
    """A `Patience`, alone or in an any-of."""
    rule = random_rule_of(es.Patience, chance)
    if chance.random() < 0.6:
        return rule
    parts = [rule, random_rule(chance, 1)]
    chance.shuffle(parts)
    return es.AnyOf(*parts)


@contextlib.contextmanager
def blocks_of_all_sizes(chance: random.Random) -> Iterator[None]:
    """Lets work cross the borders of its blocks, which are larger than these histories."""
    sizes: dict[str, Any] = {
        name: chance.choice([1, 2, 3, 7, 1000]) for name in ("LANES", "BLOCK", "TILE")
    }
    sizes["_MOST_KEPT"] = chance.choice([0, 100, 1000, 10**6])
    room: dict[str, Any] = {
        "_MOST_PIECES": chance.choice([1, 5, 50, 10**6]),
        "_MOST_TRACKS": chance.choice([10, 10**6]),
        "_MOST_NOTES": chance.choice([1, 10, 10**6]),
    }
    together: dict[str, Any] = {
        name: chance.choice([1, 2, 3, 10**5])
        for name in ("_TOGETHER", "_FAMILIES_TOGETHER", "_PIECES_AT_A_TIME", "_LARGEST_TABLE")
    }
    with (
        unittest.mock.patch.multiple(lanes, **sizes),
        unittest.mock.patch.multiple(waiting, **room),
        unittest.mock.patch.multiple(sweeping, **together),
        unittest.mock.patch.object(sweeping, "_KEEP", chance.choice([0, 10**8])),
        unittest.mock.patch.object(sweeping, "_FEW", chance.choice([0, 0, 0, 100])),
    ):
        yield


def disagreements(histories: int, seed: int, rules_per_history: int = 1) -> list[str]:
    """Every disagreement found over so many single histories, with what shows it again."""
    rng, chance = np.random.default_rng(seed), random.Random(seed)
    found: list[str] = []
    done = 0
    while done < histories:
        runs = min(int(rng.integers(1, 60)), histories - done)
        history = random_history(rng, runs, int(rng.integers(1, 30)))
        records = [history.records(run) for run in range(runs)]
        for _ in range(rules_per_history):
            stopper = es.Stopper(*random_pair(chance), on_missing="skip")
            with blocks_of_all_sizes(chance):
                workers = chance.choice([1, 1, 1, 3])
                arrays = replaying._in_blocks(stopper, history, workers, progress=False)
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
    """Every disagreement found over so many settings on single runs, with what shows it again."""
    rng, chance = np.random.default_rng(seed), random.Random(seed)
    found: list[str] = []
    done = 0
    while done < pairs:
        history = random_history(rng, int(rng.integers(1, 40)), int(rng.integers(1, 30)))
        records = [history.records(run) for run in range(len(history))]
        rule = random_patience(chance)
        judge = random_rule_of(es.Best, chance)
        assert isinstance(judge, es.Best)
        judge = es.Best(judge.monitor, mode=judge.mode)
        place = [type(part) for part in rule.children].index(es.Patience) if rule.children else None
        grid: dict[str, Any] = {"patience": [chance.randint(0, 12) for _ in range(4)]}
        if chance.random() < 0.6:
            grid["min_delta"] = [chance.choice([0.0, 0.1, 0.5, 1.0, 1e-310]) for _ in range(2)]
        if chance.random() < 0.2:
            grid["baseline"] = [None, chance.choice([-1.0, 0.0, 1.0])]
        if chance.random() < 0.2:
            grid["dtype"] = ["float64", "float32"]
        if place is not None:
            grid = {f"{place}.{name}": values for name, values in grid.items()}
        with blocks_of_all_sizes(chance):
            workers = chance.choice([1, 1, 1, 3])
            table = es.sweep(rule, history, save=judge, workers=workers, **grid)
            arrays = table.epochs, table.stopped, table.best_epoch, table.best, table.regret
            means = table.mean_regret
        for number, setting in enumerate(table.settings):
            stop = apply_settings(rule, axes_of(rule, grid), setting)
            stopper = es.Stopper(stop, judge, on_missing="skip")
            for run, record in enumerate(records):
                live = _live(stopper, record)[1]
                best = math.nan if stopper.best is None else stopper.best
                regret = _regret(best, _best_of(record, judge), judge.mode)
                swept = tuple(array[number, run].item() for array in arrays)
                if live != swept[:3] or not same(best, swept[3]) or not same(regret, swept[4]):
                    found.append(f"seed {seed}, after {done} pairs: {stopper!r} on run {run}")
            regrets = arrays[-1][number]
            if not same(means[number], exact_mean(regrets[~np.isnan(regrets)])):
                found.append(f"seed {seed}, after {done} pairs: mean regret of {stopper!r}")
        done += len(table) * len(history)
    return found


def _best_of(record: list[dict[str, float]], judge: es.Best) -> float:
    values = [x for m in record if not math.isnan(x := m.get(judge.monitor, math.nan))]
    if judge.mode == "min":
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
    best_epoch = -1 if stopper.best_epoch is None else stopper.best_epoch
    return decisions, (stopper.epoch, stopper.stopped, best_epoch)


def _resumed(
    stopper: es.Stopper, epochs: list[dict[str, float]], cut: int, end: int
) -> list[es.Decision]:
    stopper.reset()
    before = [stopper.step(metrics) for metrics in epochs[:cut]]
    text = json.dumps(stopper.state_dict(), allow_nan=False)
    other = es.Stopper(stopper.stop, stopper.save, on_missing="skip")
    other.load_state_dict(json.loads(text))
    return before + [other.step(metrics) for metrics in epochs[cut:end]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--histories", type=int, default=0)
    parser.add_argument("--sweeps", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if not arguments.histories and not arguments.sweeps:
        arguments.histories = 10_000
    everything = []
    for count, look, what in (
        (arguments.histories, disagreements, "stepping, replaying and resuming"),
        (arguments.sweeps, sweep_disagreements, "stepping and sweeping"),
    ):
        if count:
            began = time.perf_counter()
            found = look(count, arguments.seed)
            print(*found, sep="\n", end="\n" if found else "")
            print(
                f"{count} pairs of a rule and a run, seed {arguments.seed}: {len(found)} "
                f"disagreements between {what} ({time.perf_counter() - began:.0f} s)"
            )
            everything += found
    sys.exit(1 if everything else 0)


if __name__ == "__main__":
    main()
