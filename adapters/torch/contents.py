"""What a file of a run holds: the model, its parts and the random states, saved and loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from earlystop.engine.session import Session
from earlystop.errors import StateError

from . import files
from .parts import check_names, checked_parts, load_states, states_of
from .rng import check_random_states, random_state, set_random_state
from .weights import check_not_sharded, load_weights, unwrapped, weights_of

__all__ = ["Contents"]


class Contents:
    """The objects of a training whose states a file holds.

    model: the model itself, without wrappers.
    parts: the other objects, by name.
    rng: whether the random states are saved and taken back, too.

    Raises RuleTypeError for a part without a state, RuleError for a sharded model.
    """

    def __init__(self, model: torch.nn.Module, parts: Mapping[str, Any], rng: bool) -> None:
        self.model = unwrapped(model)
        check_not_sharded(self.model)
        self.parts = checked_parts(parts)
        self.rng = rng
        self._verified = False

    def weights(self) -> dict[str, Any]:
        """The weights of the model as they are now."""
        return weights_of(self.model)

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Load weights into the model. Raises StateError for those of another model."""
        load_weights(self.model, weights)

    def writer(
        self,
        session: Session,
        state: dict[str, Any] | None = None,
        best: Callable[[], dict[str, Any] | None] = lambda: None,
    ) -> Callable[[Path], None]:
        """A function that writes a file. All ranks ask for it, rank 0 calls it.

        state: the session's state; None for a file in the folder, whose ledger holds it.
        best: returns the weights of the best epoch, where the file is to hold them.
        """
        rng = session.ranks.gather(random_state()) if self.rng else None

        def write(path: Path) -> None:
            body = {
                "epoch": session.stopper.epoch - 1,
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

    def resume(self, session: Session, saved: Mapping[str, Any], state: Any, where: str) -> None:
        """Resume from the entries of a file and the session's state that was saved with them."""
        if not isinstance(state, dict):
            raise StateError(f"the run {where} was not saved by a Training")
        ranks = session.ranks
        check_names(self.parts, saved["parts"], where)
        if self.rng:
            check_random_states(saved["rng"], ranks.size, where)
        before = session.snapshot()
        try:
            session.load_state_dict(state)
            self.load_weights(saved["model"])
        except StateError as error:
            session.restore(before)
            raise StateError(f"the run {where}: {error}") from None
        load_states(self.parts, saved["parts"])
        if self.rng:
            set_random_state(saved["rng"][ranks.rank])
