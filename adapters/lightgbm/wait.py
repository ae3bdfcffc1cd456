"""A stopper in a training of LightGBM."""

from __future__ import annotations

import numbers
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from lightgbm import CVBooster
from lightgbm.callback import CallbackEnv

from earlystop.engine.decision import Decision
from earlystop.engine.stopper import Stopper
from earlystop.errors import StateError

from ..boosting import Rounds, reported_metrics
from .results import DEVIATION, VALUE, BestRound, best_from_json, best_to_json

__all__ = ["Wait"]


class Wait:
    """A stopper in a training, with the best results: of rules, or of one metric of a data set.

    pairs: the data set and the metric of each result.
    own: whether LightGBM's arguments decide.
    shared: whether the user passed the stopper.
    """

    def __init__(
        self,
        stopper: Stopper,
        env: CallbackEnv,
        pairs: Sequence[tuple[str, str]],
        *,
        own: bool,
        shared: bool = False,
    ) -> None:
        self.rounds = Rounds(
            stopper,
            "early_stopping",
            shared=shared,
            training=weakref.ref(env.model),
            first=env.begin_iteration,
        )
        self.best: BestRound = (None, [])
        needed, folds = self.rounds.session.needed, isinstance(env.model, CVBooster)
        self._needed = frozenset(needed)
        found = reported_metrics("early_stopping", needed, pairs, folds=folds)
        self.metric = found[needed[0]].metric if own else ""
        indices = {pair: i for i, pair in enumerate(pairs)}
        self._fields = [
            (name, indices[at.data, at.metric], DEVIATION if at.part == 1 else VALUE)
            for name, at in found.items()
            if name in needed or not own
        ]

    def decide(self, env: CallbackEnv) -> Decision:
        results: Any = env.evaluation_result_list
        values = {}
        for name, i, field in self._fields:
            value = results[i][field]
            if type(value) is float or name in self._needed or isinstance(value, numbers.Real):
                values[name] = value  # whatever else it is, nobody has asked for it
        decision = self.rounds.decide(values, env.iteration)
        if decision.save:
            self.best = env.iteration, results
        return decision

    def state_dict(self) -> dict[str, Any]:
        return {**self.rounds.session.state_dict(), "best": best_to_json(self.best)}

    def load_state_dict(self, state: Any, begin: int, *, changed_rules: bool) -> None:
        """Go on from `state_dict()` in a training that begins with this round.

        Raises StateError, and changes nothing, for one of other rules or of another model.
        """
        if not self.rounds.begins:  # another callback has loaded it
            return
        best = best_from_json(state.get("best") if isinstance(state, Mapping) else None)
        session = self.rounds.session
        before, stopper = session.snapshot(), session.stopper
        session.load_state_dict(state, changed_rules=changed_rules)
        done = stopper.epoch
        if done != begin and not stopper.stopped:
            session.restore(before)
            raise StateError(
                f"early_stopping: the state is of a model with {done:.0f} rounds, this training "
                f"goes on after {begin}: pass the model that was saved with it as init_model (the "
                "one that `train` returns is cut after its best round, unless "
                "keep_training_booster=True)"
            )
        self.best = best
