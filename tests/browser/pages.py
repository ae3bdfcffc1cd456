"""The pages that are opened, with what they were made of."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

import earlystop as es
from earlystop.report.report import write_report

PATIENCES = range(1, 61)


class Made(NamedTuple):
    """A page, and the answers that it shows."""

    path: Path
    history: es.History
    replays: tuple[es.Replay, ...]
    sweep: es.Sweep
    advice: es.Advice


def runs(many: int, *, name: str = "runs/2024/{}/metrics.csv") -> es.History:
    """Noisy runs that fall at paces of their own, and report their time."""
    rng = np.random.default_rng(1)
    epochs = np.arange(80)
    losses = 0.3 + np.exp(-epochs / rng.uniform(3, 25, (many, 1)))
    losses += 0.02 * rng.standard_normal(losses.shape)
    seconds = (epochs + 1) * rng.uniform(20, 90, (many, 1))
    return es.History(
        {"val_loss": losses, "elapsed_seconds": seconds},
        lengths=rng.integers(40, 81, many),
        names=[name.format(number) for number in range(many)],
    )


@functools.cache
def page_of(many: int, name: str = "runs/2024/{}/metrics.csv") -> Made:
    """A report on so many runs, on two rules, with advice and two sliders."""
    history = runs(many, name=name)
    replays = tuple(es.replay(es.EarlyStopping("val_loss", patience=n), history) for n in (5, 20))
    table = es.sweep(es.Patience("val_loss"), history, patience=PATIENCES)
    advice = es.advise(history, "val_loss", max_regret=0.05, complete=True)
    advised = advice.rule.settings.get("patience", 1.0)
    dials = sorted({*map(float, range(1, 101)), advised})
    adaptive = es.sweep(es.AdaptivePatience("val_loss", 1.0), history, patience=dials)
    path = Path(tempfile.mkdtemp()) / f"report-{many}.html"
    command = "earlystop report runs/ --monitor val_loss --patience 5,20 -o report.html"
    write_report(
        *(path, *replays), sweep=[table, adaptive], advice=advice, cost="$2.5/h", command=command
    )
    return Made(path, history, replays, table, advice)
