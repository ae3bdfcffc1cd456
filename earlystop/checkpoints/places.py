"""Where a check that is saved stands in its run, and what of that its file name may say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..engine.decision import Place
from ..engine.metrics import as_floats
from ..errors import CheckpointError, RuleError
from ..language.positions import CHECK, EPOCH, STEP
from ..language.settings import Count, validated
from .ledger import Checkpoint
from .templates import template_fields

__all__ = ["checked_place", "entry_of", "numbers_of", "refuse_earlier", "taken_name"]


def checked_place(epoch: Any, step: Any, check: Any, owner: str) -> Place:
    """Where a check stands, by the arguments of `Checkpoints.save`.

    Without `check`, the epoch is the number of the check.

    Raises RuleError or RuleTypeError, naming `owner`, for other values than positions.
    """
    if check is not None:
        number: int = validated(Count, check, f"{owner}(check=...)")
        return Place(number, _position(EPOCH, epoch, owner), _position(STEP, step, owner))
    if isinstance(epoch, float) and epoch % 1:
        raise RuleError(
            f"`{owner}(epoch={epoch!r})` is within an epoch: pass the number of the check, too, "
            "`check=decision.check`"
        )
    whole = int(epoch) if isinstance(epoch, float) and math.isfinite(epoch) else epoch
    number = validated(Count, whole, f"{owner}(epoch=...)")
    return Place(number) if step is None else Place(number, number, _position(STEP, step, owner))


def refuse_earlier(place: Place, check: Any, last: Checkpoint | None, folder: Path) -> None:
    """Raise CheckpointError for a place that is not after the last one saved in the folder.

    check: the number of the check, if it was passed.
    """
    if last is None or place.check > last.check:
        return
    saved = f"{last.where}, which is saved in {str(folder)!r}"
    if check is None:
        raise CheckpointError(
            f"epoch {place.check} is not after {saved}: to do epochs again, call "
            f"`rewind({place.check - 1})` first; where an epoch has several checks, pass "
            "`check=decision.check` with each"
        )
    raise CheckpointError(
        f"check {place.check} is not after check {last.check}, {saved}: to do checks again, call "
        "`rewind(epoch)` first, with the epoch to go back to"
    )


def entry_of(
    place: Place, file: str | None, best: bool, metrics: dict[str, float], state: Any = None
) -> Checkpoint:
    """The entry of a check."""
    epoch = place.check if place.epoch is None else place.epoch
    told = None if place == Place(place.check) else place
    return Checkpoint(epoch, file, bool(best), metrics, state, told)


def taken_name(template: str, file: str, listed: Checkpoint, entry: Checkpoint) -> str:
    """The error for a check whose file name is that of an earlier one."""
    if entry.place is None:
        return f"`Checkpoints(name={template!r})` gives {file!r} to more than one epoch"
    by_step = entry.step is not None and STEP not in template_fields(template)
    field = STEP if by_step else CHECK
    return (
        f"the file name {template!r} gives {file!r} to {listed.where} and to {entry.where}: put "
        f"{{{field}}} into it"
    )


def numbers_of(place: Place, count_from: int) -> dict[str, float]:
    """The values of the fields {epoch}, {step} and {check} in a file name."""
    epoch = place.check if place.epoch is None else place.epoch
    numbers = {EPOCH: epoch + count_from, CHECK: place.check + count_from}
    return numbers if place.step is None else {**numbers, STEP: place.step}


def _position(name: str, value: Any, owner: str) -> float | None:
    if value is None:
        return None
    number = as_floats({name: value})[name]
    if not math.isfinite(number):
        raise RuleError(f"`{owner}({name}=...)` must be a finite number, got {number}")
    return int(number) if number % 1 == 0 else number
