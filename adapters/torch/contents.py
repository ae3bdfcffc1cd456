"""What a file of a run holds: the models, their parts and the random states, saved and loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import torch

from earlystop.engine.ranks import Ranks
from earlystop.engine.session import Session
from earlystop.errors import RuleTypeError, StateError
from earlystop.language.settings import validated

from ..loop import LoopError
from . import files
from .averaged import averages_of, weights_in_training
from .parts import check_names, checked_parts, load_states, models_of, states_of
from .rng import load_random_state, random_state
from .sharded import CONTENTS, has_shards, like_optimizer, split, stager, write_shards
from .weights import (
    ModelWeights,
    check_weights,
    copied,
    load_weights,
    unwrapped,
    weights_of,
)

__all__ = ["Contents", "Models", "Writer"]

Body = tuple[dict[str, Any], dict[str, torch.Tensor]]
Models = torch.nn.Module | Mapping[str, torch.nn.Module]


class Writer(NamedTuple):
    """Functions that write a checkpoint at a path.

    first: writes it on rank 0; of a sharded model, all but the shards.
    shards: writes the shards, on all ranks together, in the process group that it is given (None
        for the default one); None if the model is not sharded.
    """

    first: Callable[[Path], None]
    shards: Callable[[Path, Any], None] | None = None


class Contents:
    """The objects of a training whose states a file holds.

    model: the model itself, without wrappers; a dict of them if there are several.
    parts: the other objects, by name.
    rng: whether the random states are saved and loaded, too.
    changed_rules: take files that were saved under rules with other numbers, as
        `Stopper.load_state_dict` does.
    changed_parts: take files of other parts, and load those that the file and this have in common.
    averaged: an average of the model's weights, kept in place of them; the weights in training are
        then a part, "averaged". Of several models, a dict of averages.

    sharded: whether the weights are shared out over the ranks.

    Raises RuleTypeError for what is no model and for a part without a state, RuleError for a model
    in FSDP1.
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
        averaged: Any = None,
    ) -> None:
        self._session = session
        self.model: Any = _checked_models(model)
        self._averages = averages_of(averaged, self.model)
        self.parts: dict[str, Any] = {**checked_parts(parts), **self._averages}
        self.rng = rng
        self.changed_rules = validated(bool, changed_rules, "Training(changed_rules=...)")
        self.changed_parts = validated(bool, changed_parts, "Training(changed_parts=...)")
        self._verified = False
        self._copy: dict[str, Any] | None = None
        self._stager: Any = None
        models = list(self.model.values()) if isinstance(self.model, dict) else [self.model]
        models += [part for part in self.parts.values() if isinstance(part, torch.nn.Module)]
        self.sharded = any(list(map(has_shards, models)))

    def kinds(self) -> str:
        """The class of the model, or of each of several."""
        if not isinstance(self.model, dict):
            return type(self.model).__name__
        models = (f"{name!r}: {type(model).__name__}" for name, model in self.model.items())
        return f"{{{', '.join(models)}}}"

    # Saving ----------------------------------------------------------------------------------

    def weights(self) -> dict[str, Any]:
        """The weights as they are now, of a model or its average; of several models, by name."""
        if isinstance(self.model, dict):
            return {name: self._weights(model) for name, model in self.model.items()}
        return self._weights(self.model)

    def _weights(self, model: torch.nn.Module) -> dict[str, Any]:
        averages = (average for average in self._averages.values() if average.model is model)
        average = next(averages, None)
        return weights_of(model) if average is None else average.weights()

    def writer(
        self,
        state: dict[str, Any] | None = None,
        best: Callable[[], dict[str, Any] | None] = lambda: None,
        *,
        of_copy: bool = False,
    ) -> Writer:
        """The functions that write a file, or the folder of a sharded model. All ranks call this.

        state: the session's state; None for a file in the folder, whose ledger holds it.
        best: returns the weights of the best epoch, where the file is to hold them.
        of_copy: write a copy of what there is now, whatever becomes of it before it is written; the
            copy takes the memory of the previous one. `will_copy` must have been called.

        Raises LoopError for a sharded model that is to be written to a file of its own.
        """
        if self.sharded and state is not None:
            raise LoopError(
                "`Training.save` writes one file, each rank has only a part of this model: give "
                "the Training a folder, to which every `step` saves all of it"
            )
        rng = self._session.ranks.gather(random_state()) if self.rng else None
        place = self._session.place
        epoch = place.check if place.epoch is None else place.epoch
        now = self._copied_body() if of_copy else None

        def body() -> Body:
            return self._body() if now is None else now

        def write(path: Path) -> None:
            if self.sharded:
                path.mkdir()
                path = path / CONTENTS
            rest = {"rng": rng, "state": state, "best": best()}
            files.write(path, {"epoch": epoch, **body()[0], **rest})
            if not self._verified:
                files.verify(path)
                self._verified = True

        def write_all_shards(path: Path, group: Any) -> None:
            write_shards(body()[1], path, group)

        return Writer(write, write_all_shards if self.sharded else None)

    def will_copy(self) -> None:
        """Prepare for copies. Raises RuleError if this PyTorch cannot copy shards."""
        self._stager = stager() if self.sharded else None

    def _body(self) -> Body:
        """The states of the models and the parts, and the shards that are not in them."""
        saved = {"model": self.weights(), "parts": states_of(self.parts)}
        shards: dict[str, torch.Tensor] = {}
        if self.sharded:
            saved = {name: split(tree, name, shards) for name, tree in saved.items()}
        return saved, shards

    def _copied_body(self) -> Body:
        """The same, copied to the CPU; what is not sharded only on rank 0, which writes it."""
        first = self._session.ranks.rank == 0
        saved, shards = self._body() if first or self.sharded else ({}, {})
        if first:
            self._copy = copied(saved, self._copy, to_cpu=True)
        if shards:
            shards = self._stager.stage(shards)
        return self._copy or {}, shards

    def like(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        """States like saved ones, whose tensors are sharded as those of this training are."""
        parts = states_of(self.parts)
        of_parts = saved.get("parts", {})
        for name, part in self.parts.items():
            if isinstance(part, torch.optim.Optimizer):
                parts[name] = like_optimizer(part, of_parts.get(name))
        return {"model": self.weights(), "parts": parts}

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
        parts, states, models = dict(parts), dict(states), self._models(weights)
        for name, average in self._averages.items():
            saved = states.get(name) if name in parts else None
            at = next(i for i, each in enumerate(models) if each.model is average.model)
            averaged = models[at].weights
            if saved is not None:  # the model goes on in training
                models[at] = models[at]._replace(weights=weights_in_training(saved))
            parts[name], states[name] = average.average, average.state_with(averaged, saved)
        load_states(parts, states, undo)
        return load_weights([*models_of(parts, states), *models], undo)

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
        return unwrapped(model)
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
        once all ranks have succeeded.
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
