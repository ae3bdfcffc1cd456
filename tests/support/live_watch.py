"""Watches and ends a live run, and compares what was decided with a replay of its log."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import earlystop as es
from earlystop.watching.followed import followed_run
from earlystop.watching.process import Process
from tests.support.live_logs import NAMES, PATTERN, accident_of

__all__ = ["Outcome", "rule_for", "watched_live"]

ROOT = Path(__file__).parents[2]
Outcome = tuple[list[es.Decision], list[es.Decision]]  # of the watch, of the replay


def rule_for(format: str, seed: int) -> es.Rule:
    """A rule that cannot stop before an accident."""
    rng = random.Random(seed)
    name = "eval_loss" if format == "trainer_state" else "val_loss"
    rule: es.Rule = es.Patience(name, rng.randint(3, 8), min_delta=rng.choice([0.0, 0.02]))
    if rng.random() < 0.3 and accident_of(format, seed) is None:
        rule = rule | es.Threshold("loss", rng.uniform(0.05, 0.3), mode="min")
    if rng.random() < 0.3:
        rule = rule | es.MaxEpochs(rng.randint(5, 40))
    return rule


def watched_live(format: str, folder: Path, seed: int) -> Outcome:
    """What is decided on a run of this format while it goes on, and on its log afterwards."""
    rule = rule_for(format, seed)
    source = folder / NAMES.get(format, "")
    how: dict[str, Any] = {"pattern": PATTERN} if format == "text" else {}
    command = [sys.executable, "-m", "tests.support.live_logs", format, str(folder), str(seed)]
    decisions: list[es.Decision] = []
    with subprocess.Popen(command, cwd=ROOT) as writer:
        process = Process(writer.pid)
        stopper = es.Stopper(rule, es.Best(rule.all_metrics[0]), on_missing="skip")
        watch = es.Watch(stopper, source, pid=writer.pid, interval=0.01, **how)
        while not watch.ended:
            for decision in watch.poll():
                decisions[decision.check :] = [decision]  # made anew after an accident
            watch._sleep(0.01)
        process.signal(signal.SIGTERM)
        assert process.wait(60)
    process.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.LogWarning)  # a file that was being written
        history = es.read_history(source, **how)
    run = followed_run(history, rule.all_metrics, None)
    return decisions, es.replay(stopper, history).decisions(run)
