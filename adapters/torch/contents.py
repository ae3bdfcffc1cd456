"""What a file of a run holds: the models, their parts and the random states, saved and loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from earlystop.engine.ranks import Ranks
from earlystop.engine.session import Session
from earlystop.errors import RuleTypeError, StateError
from earlystop.language.settings import validated

from . import files
from .parts import check_names, checked_parts, load_states, models_of, states_of
from .rng import load_random_state, random_state
from .weights import (
    ModelWeights,
    check_not_sharded,
    check_weights,
    load_weights,
    unwrapped,
    weights_of,
)

__all__ = ["Contents", "Models"]

Models = torch.nn.Module | Mapping[str, torch.nn.Module]


class Contents:
    """The objects of a training whose states a file holds.

    model: the model itself, without wrappers; a dict of them if there are several.
    parts: the other objects, by name.
    rng: whether the random states are saved and loaded, too.
    changed_rules: take files of other numbers in the rules, as `Stopper.load_state_dict` does.
    changed_parts: take files of other parts, and load those that the file and this have in common.

    Raises RuleTypeError for what is no model and for a part without a state, RuleError for a
    sharded model.
    """

    def __init__(
        self,
        session: Session,
        model: Models,
        parts: Mapping[str, Any],
        *,
        rng: bool,
        changed_rules: bool,
        changed_parts: bool,
    ) -> None:
        self._session = session
        self.model: Any = _checked_models(model)
        self.parts = checked_parts(parts)
        self.rng = rng
        self.changed_rules = validated(bool, changed_rules, "Training(changed_rules=...)")
        self.changed_parts = validated(bool, changed_parts, "Training(changed_parts=...)")
        self._verified = False

    # Saving ----------------------------------------------------------------------------------

    def weights(self) -> dict[str, Any]:
        """The weights as they are now; of several models, by the name of the model."""
        if isinstance(self.model, dict):
            return {name: weights_of(model) for name, model in self.model.items()}
        return weights_of(self.model)

    def writer(
        self,
        state: dict[str, Any] | None = None,
        best: Callable[[], dict[str, Any] | None] = lambda: None,
    ) -> Callable[[Path], None]:
        """A function that writes a file. All ranks ask for it, rank 0 calls it.

        state: the session's state; None for a file in the folder, whose ledger holds it.
        best: returns the weights of the best epoch, where the file is to hold them.
        """
        rng = self._session.ranks.gather(random_state()) if self.rng else None

        def write(path: Path) -> None:
            body = {
                "epoch": self._session.stopper.epoch - 1,
                "model": self.weights(),
                "parts": states_of(self.parts),
                "rng": rng,
                "state": state,
                "best": best(),
            }
            files.write(path, body)
            if not self._verified:
                files.verify(path)
                self._verified = True

        return write

    # Loading: all of it or nothing -----------------------------------------------------------

    def resume(self, saved: Mapping[str, Any], state: Any, where: str) -> None:
        """Resume from the entries of a file and the session's state that was saved with them.

        Raises StateError, on all ranks, if anything does not fit; then everything is as it was.
        """

        session = self._session

        def load(undo: ExitStack) -> Callable[[], None]:
            if not isinstance(state, dict):
                raise StateError("it was not saved by a Training")
            if not self.changed_parts:
                check_names(self.parts, saved["parts"])
            if saved.get("best") is not None:
                check_weights(self._models(saved["best"]))
            undo.callback(session.restore, session.snapshot())
            session.load_state_dict(state, changed_rules=self.changed_rules)
            if self.rng:
                load_random_state(saved["rng"], session.ranks, undo)
            return self._load(saved["model"], self.parts, saved["parts"], undo)

        _all_or_nothing(load, session.ranks, f"the run {where}")

    def restore(self, saved: Mapping[str, Any], parts: Mapping[str, Any], where: str) -> None:
        """Load the weights in the entries of a file, and the states of these parts.

        Raises StateError, on all ranks, if anything does not fit; then everything is as it was.
        """

        def load(undo: ExitStack) -> Callable[[], None]:
            lacking = [name for name in parts if name not in saved["parts"]]
            if lacking:
                raise StateError(f"it was saved without {', '.join(lacking)}")
            return self._load(saved["model"], parts, saved["parts"], undo)

        _all_or_nothing(load, self._session.ranks, where)

    def _load(
        self, weights: Any, parts: Mapping[str, Any], states: Mapping[str, Any], undo: ExitStack
    ) -> Callable[[], None]:
        load_states(parts, states, undo)
        return load_weights([*models_of(parts, states), *self._models(weights)], undo)

    def _models(self, weights: Any) -> list[ModelWeights]:
        """The models, each with its own of the weights that `weights` returned."""
        if not isinstance(self.model, dict):
            return [ModelWeights(self.model, weights)]
        if set(weights) != set(self.model):
            raise StateError(
                f"it saved the weights of {', '.join(map(str, weights))}, the models of this "
                f"Training are {', '.join(self.model)}"
            )
        return [ModelWeights(self.model[name], weights[name], f"{name!r}: ") for name in self.model]


def _checked_models(model: Any) -> Any:
    """The model without its wrappers, or the dict of models."""
    if isinstance(model, torch.nn.Module):
        inner = unwrapped(model)
        check_not_sharded(inner)
        return inner
    named = isinstance(model, Mapping) and all(isinstance(name, str) for name in model)
    if not named or not model or not all(isinstance(m, torch.nn.Module) for m in model.values()):
        raise RuleTypeError(
            "`Training(model)` must be a torch.nn.Module, or a dict of several by their names, got "
            f"{model!r:.80}"
        )
    return {name: _checked_models(each) for name, each in model.items()}


def _all_or_nothing(
    load: Callable[[ExitStack], Callable[[], None]], ranks: Ranks, where: str
) -> None:
    """Load on all ranks, or, if it fails on one of them, take it back on all.

    load: is given a stack, to which it adds what takes each of its changes back; returns what to do
        when all has gone well.
    """
    with ExitStack() as undo:
        failed: StateError | None = None
        try:
            finish = load(undo)
        except StateError as error:
            failed = error
        for rank, problem in enumerate(ranks.gather(None if failed is None else str(failed))):
            if problem is not None:
                of_rank = f" on rank {rank}" if ranks.size > 1 else ""
                raise StateError(f"{where}{of_rank}: {problem}") from failed
        finish()
        undo.pop_all()
