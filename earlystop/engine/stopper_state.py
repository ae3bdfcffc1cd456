"""The saved state of a stopper as plain JSON data; every entry is checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import RuleError, StateError, shortened
from ..language.rule import Rule
from ..language.state import (
    decode_state,
    encode_state,
    flatten,
    number_from_json,
    number_to_json,
    unflatten,
)
from ..rules import Best
from .saved_state import SavedFormat

__all__ = ["Position", "dump", "load"]

_SAVED = SavedFormat("earlystop.Stopper", 1, "a state from `Stopper.state_dict()`")
_ENTRIES = {
    "stop",
    "save",
    "epoch",
    "stopped",
    "reason",
    "best_epoch",
    "best_metrics",
    "stop_state",
    "save_state",
}


class Position(NamedTuple):
    """The position of a run: everything in a stopper that a step changes.

    state: the leaves of both rules' states.
    epoch: how many epochs have been taken.
    stopped: whether the stop rule has ended the run.
    reason: why it has; "" otherwise.
    best_epoch: the last epoch that was saved; None before the first.
    best_metrics: the metrics of that epoch; None before the first.
    """

    state: tuple[Any, ...]
    epoch: int
    stopped: bool
    reason: str
    best_epoch: int | None
    best_metrics: dict[str, float] | None


def dump(position: Position, stop: Rule, save: Rule) -> dict[str, Any]:
    """The position of a stopper with these rules as plain JSON data."""
    stop_state, save_state = unflatten((stop.init(), save.init()), iter(position.state))
    best: dict[str, Any] | None = None
    if position.best_metrics is not None:
        best = {name: number_to_json(value) for name, value in position.best_metrics.items()}
    return _SAVED.wrap(
        {
            "stop": stop.to_dict(),
            "save": save.to_dict(),
            "epoch": position.epoch,
            "stopped": position.stopped,
            "reason": position.reason,
            "best_epoch": position.best_epoch,
            "best_metrics": best,
            "stop_state": encode_state(stop_state),
            "save_state": encode_state(save_state),
        }
    )


def load(data: object, stop: Rule, save: Rule) -> Position:
    """The position that `dump` wrote, for a stopper with these rules.

    Raises StateError for data of other rules, of a newer version, or that is damaged.
    """
    body = _SAVED.unwrap(data)
    missing = sorted(_ENTRIES - set(body))
    if missing:
        raise StateError(f"the state is damaged: it lacks {', '.join(missing)}")
    _check_rule("stop", body["stop"], stop)
    _check_rule("save", body["save"], save)
    epoch = decode_state(body["epoch"], 0, "epoch")
    stopped = decode_state(body["stopped"], False, "stopped")
    reason = body["reason"]
    if not isinstance(reason, str) or bool(reason) != stopped:
        raise StateError(f"reason should be a text, empty unless stopped, got {shortened(reason)}")
    best_epoch, best_metrics = _best(body["best_epoch"], body["best_metrics"], save)
    if epoch < 0 or (stopped and epoch == 0) or (best_epoch or 0) >= max(epoch, 1):
        raise StateError(f"epoch {epoch} does not fit best_epoch {best_epoch}, stopped {stopped}")
    stop_state = decode_state(body["stop_state"], stop.init(), "stop_state")
    save_state = decode_state(body["save_state"], save.init(), "save_state")
    leaves = tuple(flatten((stop_state, save_state)))
    return Position(leaves, epoch, stopped, reason, best_epoch, best_metrics)


def _check_rule(role: str, data: Any, rule: Rule) -> None:
    if data == rule.to_dict():
        return
    try:
        saved = Rule.from_dict(data)
    except RuleError:
        text = shortened(data)
    else:
        if saved == rule:  # saved before the rule gained some of its settings
            return
        text = repr(saved)
    raise StateError(
        f"the state was saved by other rules: its {role} rule is {text}, this stopper's is "
        f"{rule!r}; make the stopper with the rules it was saved with"
    )


def _best(epoch: Any, metrics: Any, save: Rule) -> tuple[int | None, dict[str, float] | None]:
    """The entries best_epoch and best_metrics; either both are null or neither is."""
    if epoch is None and metrics is None:
        return None, None
    if not isinstance(metrics, Mapping) or not all(isinstance(name, str) for name in metrics):
        raise StateError(
            f"best_metrics should go with best_epoch {shortened(epoch)}, got {shortened(metrics)}"
        )
    values = {name: number_from_json(x, f"best_metrics.{name}") for name, x in metrics.items()}
    best_epoch: int = decode_state(epoch, 0, "best_epoch")
    if best_epoch < 0:
        raise StateError(f"best_epoch should be at least 0, got {best_epoch}")
    if isinstance(save, Best) and save.monitor not in values:
        raise StateError(f"best_metrics lacks {save.monitor!r}, got {shortened(values)}")
    return best_epoch, values
