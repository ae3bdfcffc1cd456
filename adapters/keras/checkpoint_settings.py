"""The arguments of `ModelCheckpoint`, checked when it is made."""

from __future__ import annotations

import math
from typing import Any

from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleError, RuleTypeError
from earlystop.language.direction import direction
from earlystop.language.rule import Rule
from earlystop.language.settings import Positive, validated

from .files import formatted_path, path_fields

__all__ = ["check_mode", "check_numbers", "check_path", "check_rules"]


def check_rules(save: object, save_top_k: int | None, *, is_ranking: bool, is_plain: bool) -> None:
    """Raise RuleError for arguments that exclude each other.

    is_ranking: whether Keras's arguments or save_top_k decide what is saved.
    is_plain: whether save_freq and initial_value_threshold have been left out.
    """
    if not isinstance(save, (Rule, Stopper)) and save is not None:
        raise RuleTypeError(
            f"`ModelCheckpoint(save=...)` must be a rule or a Stopper, got {save!r}"
        )
    if save is not None and is_ranking:
        raise RuleError(
            "`ModelCheckpoint(save=...)` takes the place of save_best_only and save_top_k: "
            "give one of them"
        )
    if save_top_k and not is_plain:
        raise RuleError(
            "`ModelCheckpoint(save_top_k=...)` looks at whole epochs, and at all of them: "
            "leave out save_freq and initial_value_threshold"
        )


def check_numbers(save_freq: Any, threshold: Any) -> Any:
    """The checked `save_freq`. Raises RuleError for it, and for the threshold."""
    is_infinite = isinstance(threshold, float) and math.isinf(threshold)
    if threshold is not None and not is_infinite:
        validated(float, threshold, "ModelCheckpoint(initial_value_threshold=...)")
    if save_freq == "epoch":
        return save_freq
    return validated(Positive, save_freq, "ModelCheckpoint(save_freq=...)")


def check_mode(monitor: str, mode: str) -> None:
    """Raise RuleError for an unknown mode."""
    if mode not in ("auto", "min", "max"):
        direction(monitor, mode, "ModelCheckpoint")  # says what is wrong


def check_path(path: str, *, weights_only: bool, is_formatted: bool) -> None:
    """Raise RuleError for a path that cannot be saved to.

    is_formatted: whether the fields of the path are those of this library.
    """
    endings = (".weights.h5",) if weights_only else (".keras", ".h5", ".hdf5")
    if not path.endswith(endings):
        raise RuleError(
            f"`ModelCheckpoint(filepath=...)` must end in {' or '.join(endings)} with "
            f"save_weights_only={weights_only}, got {path!r}"
        )
    if is_formatted:
        formatted_path(path, {**dict.fromkeys(path_fields(path), 0.5), "epoch": 0, "batch": 0})
