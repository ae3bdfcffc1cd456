"""The saved state of a stopper as plain JSON data; every entry is checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RuleError, StateError, shortened
from ..language.positions import DERIVED
from ..language.rule import Rule, advance
from ..language.state import decode_state, encode_state, flatten, unflatten
from ..rules import Best
from .changed_rules import carried_over, kind_difference
from .metrics import MissingAsNaN
from .position import Position, explained
from .positions import Positions, seen_by_rules
from .saved_positions import (
    metrics_from_json,
    metrics_to_json,
    positions_from_json,
    positions_to_json,
)
from .saved_state import SavedFormat
from .state_version_1 import migrated_from_1

__all__ = ["dump", "load"]

_SAVED = SavedFormat(
    "earlystop.Stopper", 2, "a state from `Stopper.state_dict()`", {1: migrated_from_1}
)
_ENTRIES = {
    *("stop", "save", "checks", "stopped", "reason", "best_check", "best_metrics", "positions"),
    *("stop_state", "save_state"),
}


def dump(position: Position, stop: Rule, save: Rule) -> dict[str, Any]:
    """The position of a stopper with these rules as plain JSON data."""
    body = {
        "stop": stop.to_dict(),
        "save": save.to_dict(),
        "checks": position.checks,
        "stopped": position.stopped,
        "reason": position.reason,
        "best_check": position.best_check,
        "best_metrics": metrics_to_json(position.best_metrics),
        "positions": positions_to_json(position.positions),
        **_states_to_json(position.leaves, stop, save),
    }
    if position.last_check is not None:
        leaves, metrics = position.last_check
        before = _states_to_json(leaves, stop, save)
        reported = {name: value for name, value in metrics.items() if name not in DERIVED}
        body["last_check"] = {**before, "metrics": metrics_to_json(reported)}
    return _SAVED.wrap(body)


def load(data: object, stop: Rule, save: Rule, *, changed_rules: bool = False) -> Position:
    """The position that `dump` wrote, for a stopper with these rules.

    changed_rules: accept data of rules of the same kinds and metrics, with other numbers.

    Raises StateError for data of other rules, of a newer version, or that is damaged.
    """
    body = _SAVED.unwrap(data)
    missing = sorted(_ENTRIES - set(body))
    if missing:
        raise StateError(f"the state is damaged: it lacks {', '.join(missing)}")
    saved_stop = _checked_rule("stop", body["stop"], stop, changed_rules)
    saved_save = _checked_rule("save", body["save"], save, changed_rules)
    position = _position(body, saved_stop, saved_save)
    if (saved_stop, saved_save) == (stop, save):
        return position
    return _under_changed_rules(position, (saved_stop, saved_save), (stop, save))


def _position(body: Mapping[str, Any], stop: Rule, save: Rule) -> Position:
    checks = decode_state(body["checks"], 0, "checks")
    stopped = decode_state(body["stopped"], False, "stopped")
    reason = body["reason"]
    if not isinstance(reason, str) or bool(reason) != stopped:
        raise StateError(f"reason should be a text, empty unless stopped, got {shortened(reason)}")
    best_check, best_metrics = _best(body["best_check"], body["best_metrics"], save)
    if checks < 0 or (stopped and checks == 0) or (best_check or 0) >= max(checks, 1):
        raise StateError(f"checks {checks} does not fit best_check {best_check}, stopped {stopped}")
    leaves, positions = _leaves(body, stop, save), positions_from_json(body["positions"])
    last_check = None
    if stopped:
        last_check = _last_check(body.get("last_check"), stop, save, positions)
    best = best_check, best_metrics
    return Position(leaves, checks, stopped, reason, *best, last_check, positions)


def _last_check(
    data: object, stop: Rule, save: Rule, positions: Positions | None
) -> tuple[tuple[Any, ...], dict[str, float]] | None:
    if data is None:  # saved by a version that did not keep it
        return None
    if not isinstance(data, Mapping) or set(data) != {"stop_state", "save_state", "metrics"}:
        raise StateError(f"last_check should have states and metrics, got {shortened(data)}")
    metrics = metrics_from_json(data["metrics"], "last_check.metrics")
    seen = metrics if positions is None else seen_by_rules(metrics, positions)
    return _leaves(data, stop, save, "last_check."), seen


def _under_changed_rules(
    position: Position, saved: tuple[Rule, Rule], rules: tuple[Rule, Rule]
) -> Position:
    """The position for rules with other numbers.

    If the run has stopped, its last check is decided on again.
    """

    def carried(leaves: tuple[Any, ...]) -> tuple[Any, ...]:
        split = len(flatten(saved[0].init()))
        parts = (leaves[:split], leaves[split:])
        return tuple(
            leaf
            for role, part, old, new in zip(("stop", "save"), parts, saved, rules, strict=True)
            for leaf in carried_over(part, old, new, f"{role}_state")
        )

    leaves = carried(position.leaves)
    if position.last_check is None:
        return position._replace(leaves=leaves, stopped=False, reason="")
    before, metrics = carried(position.last_check[0]), position.last_check[1]
    stop, check = rules[0], position.checks - 1
    state = unflatten(stop.init(), iter(before))
    after, fires = advance(stop, state, MissingAsNaN(metrics), check)
    after_stop = flatten(after)
    leaves = (*after_stop, *leaves[len(after_stop) :])
    if not fires:
        return position._replace(leaves=leaves, stopped=False, reason="", last_check=None)
    reason = explained(stop, before, metrics, check)
    return position._replace(leaves=leaves, reason=reason, last_check=(before, metrics))


def _checked_rule(role: str, data: Any, rule: Rule, changed_rules: bool) -> Rule:
    """The rule that saved the state, if it is this one or changed in an accepted way."""
    try:
        saved = Rule.from_dict(data)
    except RuleError:
        difference = text = shortened(data)
    else:
        if saved == rule:  # perhaps saved before the rule gained some of its settings
            return rule
        text, difference = shortened(saved, 2000), kind_difference(saved, rule)
        if changed_rules and not difference:
            return saved
    way_out = "make the stopper with the rules it was saved with"
    if not difference:
        way_out += ", or pass `changed_rules=True` to go on with the numbers of this one"
    elif changed_rules:
        way_out += f" (`changed_rules=True` takes other numbers only: {difference})"
    raise StateError(
        f"the state was saved by other rules: its {role} rule is {text}, this stopper's is "
        f"{shortened(rule, 2000)}; {way_out}"
    )


def _states_to_json(leaves: tuple[Any, ...], stop: Rule, save: Rule) -> dict[str, Any]:
    stop_state, save_state = unflatten((stop.init(), save.init()), iter(leaves))
    return {"stop_state": encode_state(stop_state), "save_state": encode_state(save_state)}


def _leaves(body: Mapping[str, Any], stop: Rule, save: Rule, where: str = "") -> tuple[Any, ...]:
    stop_state = decode_state(body["stop_state"], stop.init(), f"{where}stop_state")
    save_state = decode_state(body["save_state"], save.init(), f"{where}save_state")
    return tuple(flatten((stop_state, save_state)))


def _best(check: Any, metrics: Any, save: Rule) -> tuple[int | None, dict[str, float] | None]:
    """The entries best_check and best_metrics; either both are null or neither is."""
    if check is None and metrics is None:
        return None, None
    if not isinstance(metrics, Mapping):
        raise StateError(
            f"best_metrics should go with best_check {shortened(check)}, got {shortened(metrics)}"
        )
    values = metrics_from_json(metrics, "best_metrics")
    best_check: int = decode_state(check, 0, "best_check")
    if best_check < 0:
        raise StateError(f"best_check should be at least 0, got {best_check}")
    if isinstance(save, Best) and save.monitor not in values:
        raise StateError(f"best_metrics lacks {save.monitor!r}, got {shortened(values)}")
    return best_check, values
