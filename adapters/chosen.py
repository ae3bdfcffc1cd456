"""What the adapters share: their framework's own arguments, or the user's rules in their place."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from earlystop.engine.metrics import as_floats
from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleError, StateError, shortened
from earlystop.language.rule import Rule
from earlystop.rules import Never
from earlystop.rules.top_k import check_last_is_best

__all__ = [
    "Watched",
    "check_names_best",
    "check_saves",
    "chosen_stopper",
    "of_these_rules",
    "set_wait",
    "wait_of",
]


def chosen_stopper(
    owner: str,
    stop: Rule | Stopper | None,
    save: Rule | None,
    own: Callable[[], Stopper],
    defaults: Mapping[str, Any],
    given: Sequence[Any],
    *,
    last_is_best: bool = False,
) -> Stopper:
    """The stopper of an adapter: of the framework's own arguments, or of the user's rules.

    owner: the name of the adapter that the user called, for messages.
    stop: a rule, or a stopper that several adapters may share; None for the framework's arguments.
    save: with a rule, the rule that decides what is the best.
    own: makes the stopper of the framework's own arguments.
    defaults: those arguments, which `stop` takes the place of, and their defaults.
    given: their values as they were passed, in the same order.
    last_is_best: whether the adapter takes what is saved last for the best, so that a `TopK`, by
        which it need not be, is refused.

    Raises RuleError for rules beside the framework's arguments, for `save` without `stop`, and for
    `save` beside a stopper, which has its own.
    """
    if stop is None:
        if save is not None:
            raise RuleError(f"`{owner}(save=...)` goes with `stop=...`: give that, too")
        return own()
    twice = [name for name, value in zip(defaults, given, strict=True) if value != defaults[name]]
    if twice:
        raise RuleError(
            f"`{owner}(stop=...)` takes the place of {', '.join(defaults)}: leave out "
            f"{', '.join(twice)}"
        )
    if isinstance(stop, Stopper):
        if save is not None:
            raise RuleError(f"`{owner}(stop=..., save=...)`: a Stopper has its own save")
        chosen = stop
    else:
        chosen = Stopper(stop, save, on_missing="skip")
    if last_is_best:
        check_last_is_best(chosen.save, f"{owner}(stop=..., save=...)")
    return chosen


def check_saves(save: Rule, what: str, example: str = "val_loss") -> None:
    """Refuse a save rule that never fires, for a caller that saves or restores the best.

    what: what saves or restores it, for the message.
    example: a metric of the framework.

    Raises RuleError.
    """
    if isinstance(save, Never):
        raise RuleError(
            f"`{what}` needs to know which is the best, and this stopper never saves: pass "
            f"save=Best({example!r}), or whichever it is"
        )


def check_names_best(save: Rule, what: str, example: str = "val_loss") -> None:
    """Refuse a save rule that does not say which check is best, for a caller that restores it.

    what, example: as in `check_saves`.

    Raises RuleError for one that never fires, and for a `TopK`.
    """
    check_saves(save, what, example)
    check_last_is_best(save, what)


def of_these_rules(
    stopper: Stopper, states: Sequence[Mapping[str, Any]], owner: str
) -> Mapping[str, Any]:
    """The state that the rules of a stopper have saved, among those of several callbacks.

    If none is of these rules but all are of the same, the last: whether it may be gone on from is
    for `load_state_dict` to say.

    states: those of sessions, the newest last; at least one.
    owner: the name of the callbacks, for messages.

    Raises StateError where there are several rules, and none is these.
    """
    these = stopper.stop.to_dict(), stopper.save.to_dict()
    told = [state.get("stopper") for state in states]
    rules = [(one.get("stop"), one.get("save")) if isinstance(one, Mapping) else () for one in told]
    if these in rules:
        return states[len(rules) - 1 - rules[::-1].index(these)]
    if any(other != rules[-1] for other in rules):
        others = [each for i, each in enumerate(rules) if each not in rules[:i]]
        raise StateError(
            f"{owner}: the checkpoint was saved by other rules, those of {len(others)} callbacks: "
            f"{shortened(others, 2000)}; which of them goes on is not clear: make the callbacks "
            "with the rules they were saved with"
        )
    return states[-1]


class Watched:
    """Converts what a framework reports: what the rules look at, and whatever else is a number.

    A framework may report other things than numbers, such as a tuple: those are left out. It is
    the `to_floats` of a `Session`.

    stopper: has the rules.
    hidden: what is no metric.
    to_floats: converts what is left, where not all of it is floats.

    >>> from earlystop import Patience
    >>> watched = Watched(Stopper(Patience("f1", 3)), hidden=["epoch"])
    >>> watched({"loss": 0.5, "f1": "0.25", "epoch": 3, "confusion": [[1, 0]]})
    Traceback (most recent call last):
        ...
    earlystop.errors.MetricError: the metric 'f1' must be one real number, got the text '0.25'
    >>> watched({"loss": 0.5, "f1": 1, "epoch": 3, "confusion": [[1, 0]]})
    {'loss': 0.5, 'f1': 1.0}
    """

    def __init__(
        self,
        stopper: Stopper,
        hidden: Collection[str] = (),
        to_floats: Callable[[Mapping[str, Any]], dict[str, float]] = as_floats,
    ) -> None:
        self._needed = frozenset(stopper.stop.all_metrics + stopper.save.all_metrics)
        self._hidden, self._to_floats = hidden, to_floats

    def __call__(self, metrics: Mapping[str, Any]) -> dict[str, float]:
        values, are_floats, hidden = {}, True, self._hidden
        for name, value in metrics.items():
            if name in hidden:
                continue
            if type(value) is float and type(name) is str:  # the usual case
                values[name] = value
            elif name in self._needed or _is_number(value):
                values[name] = value
                are_floats = False
        return values if are_floats else self._to_floats(values)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def wait_of(stopper: Stopper) -> int:
    """The checks without improvement, of the first rule that waits; 0 if none does.

    >>> from earlystop import NonFinite, Patience
    >>> stopper = Stopper(NonFinite("loss") | Patience("loss", 3))
    >>> decisions = [stopper.step({"loss": value}) for value in (0.5, 0.6, 0.6)]
    >>> wait_of(stopper)
    2
    """
    waiting = _waiting(stopper.state_dict()["stop_state"])
    return 0 if waiting is None else int(waiting["wait"])


def set_wait(stopper: Stopper, checks: int) -> None:
    """Set what `wait_of` returns; does nothing for a stopper without a rule that waits.

    Raises StateError for what is no number of checks.
    """
    state = stopper.state_dict()
    waiting = _waiting(state["stop_state"])
    if waiting is not None:
        waiting["wait"] = checks
        stopper.load_state_dict(state)


def _waiting(state: Any) -> dict[str, Any] | None:
    """The first part of a rule's state that has a wait, in the order of the rules."""
    if isinstance(state, dict) and "wait" in state:
        return state
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, list) else ()
    return next((found for found in map(_waiting, parts) if found is not None), None)
