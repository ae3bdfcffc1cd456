"""A replay in words: where runs stop, what they cost, and whether their amounts compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import count, duration
from ..language.positions import CHECKS, EPOCH, STEP, place_text
from ..language.units import amount_cell, unit_of_amount, unit_words
from .positions import LoggedPositions

if TYPE_CHECKING:
    from .checks import Checks
    from .price import Price
    from .result import Replay

__all__ = ["hours_cells", "hours_text", "mixed_units_text", "places_of", "used_text"]

Ints = np.typing.NDArray[np.int64]


def places_of(positions: LoggedPositions, checks: Ints, runs: Any = slice(None)) -> list[str]:
    """Where one check of each run stands, as its log counts; "-" for -1, which is none.

    runs: the numbers of the runs, or a slice of them; by default all.

    >>> from earlystop import EarlyStopping, History, replay
    >>> log = {"val_loss": [4.0, 3.0, 3.5, 2.0]}
    >>> places = {"epoch": [0, 1, 2, 3], "step": [500, 1000, 1500, 2000]}
    >>> for known in ({}, {"step": places["step"]}, places):
    ...     result = replay(EarlyStopping("val_loss"), History(log, coordinates=known))
    ...     places_of(result.replayed.positions, result.checks - 1)
    ['check 2']
    ['step 1,500']
    ['epoch 2, step 1,500']
    """
    epochs, steps = positions.at(EPOCH, checks, runs), positions.at(STEP, checks, runs)
    told = zip(checks.tolist(), epochs.tolist(), steps.tolist(), strict=True)
    return [_place(*each) for each in told]


def _place(check: int, epoch: float, step: float) -> str:
    if check < 0:
        return "-"
    at = [None if position != position else position for position in (epoch, step)]
    return f"check {check:,}" if at == [None, None] else place_text(check, *at)


def used_text(summary: dict[str, Any]) -> str:
    """How much of what was logged is used, by `Replay.summary()`.

    >>> used_text({"unit": "step", "used": 500, "logged": 1500})
    '500 of 1,500 steps'
    """
    unit, logged = summary["unit"], summary["logged"]
    text = f"{amount_cell(summary['used'], unit)} of {amount_cell(logged, unit)}"
    named = unit_of_amount(logged, unit)
    return text if named == "time" else f"{text} {named}"


def hours_text(result: Replay, price: Price | None = None) -> str:
    """The hours that are used and saved, of the runs that report their time, and what they cost.

    >>> from earlystop import EarlyStopping, History, replay
    >>> from earlystop.replaying.price import Price
    >>> hours = {"elapsed_seconds": [3600, 7200, 10800, 14400]}
    >>> log = History({"val_loss": [4.0, 3.0, 3.5, 2.0], **hours})
    >>> hours_text(replay(EarlyStopping("val_loss"), log), Price(2.0, "$"))
    '3 h of 4 h used, 1 h saved ($2.00 of $8.00)'
    """
    used, saved = hours_cells(result)
    text = f"{used} used, {saved} saved"
    told = ~np.isnan(result.hours_logged)
    if price is not None:
        hours, logged = float(result.hours[told].sum()), float(result.hours_logged[told].sum())
        text += f" ({price.text(logged - hours)} of {price.text(logged)})"
    return text if told.all() else f"{text}, of the {count(int(told.sum()), 'run')} that report it"


def hours_cells(result: Replay, price: Price | None = None) -> tuple[str, str]:
    """The hours that are used, and those that are saved with what they cost, for a table."""
    told = ~np.isnan(result.hours_logged)
    used, logged = float(result.hours[told].sum()), float(result.hours_logged[told].sum())
    saved = duration(3600 * (logged - used))
    if price is not None:
        saved += f" ({price.text(logged - used)})"
    return f"{duration(3600 * used)} of {duration(3600 * logged)}", saved


def mixed_units_text(checks: Checks, unit: str) -> str | None:
    """A sentence if only some runs report a unit, so that amounts cannot all be compared; or None.

    checks: of the runs. unit: of the amounts.

    >>> from earlystop import EarlyStopping, History, replay
    >>> steps = [[500, 1000], [float("nan")] * 2]
    >>> log = History({"val_loss": [[2.0, 1.0], [2.0, 1.0]]}, coordinates={"step": steps})
    >>> result = replay(EarlyStopping("val_loss"), log)
    >>> mixed_units_text(result.replayed, result.unit)
    '1 of 2 runs reports no steps: amounts are in checks, compare shares instead'
    """
    positions, lengths = checks.positions, checks.history.lengths
    judged = lengths > 0
    for name in {CHECKS: (STEP, EPOCH), EPOCH: (EPOCH, STEP)}.get(unit, (unit,)):
        untold = int(np.isnan(positions.at(name, lengths - 1))[judged].sum())
        if 0 < untold < int(judged.sum()):
            report = "reports" if untold == 1 else "report"
            which = f"{untold:,} of {count(int(judged.sum()), 'run')} {report}"
            return f"{which} no {unit_words(name)}: {_consequence(name, unit)}"
    return None


def _consequence(missing: str, unit: str) -> str:
    if unit == CHECKS:
        return "amounts are in checks, compare shares instead"
    if unit == EPOCH:
        return "amounts are in epochs" if missing == STEP else "each check counts as an epoch there"
    return "totals and shares are of the other runs"
