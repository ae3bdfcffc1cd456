"""`EarlyStopping` with ignite's arguments and decisions, or with any rule."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

from earlystop.engine.decision import Decision
from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleTypeError
from earlystop.language.direction import Direction
from earlystop.language.rule import Rule
from earlystop.language.settings import NonNegative, Positive
from earlystop.language.state import number_from_json
from earlystop.peers.ignite import early_stopping

from .arguments import checked, known_arguments
from .chosen import Watched, chosen_stopper, wait_of

try:
    from ignite.base.mixins import Serializable
    from ignite.engine import Engine, Events
    from ignite.utils import setup_logger

    from .torch.ranks import TorchRanks
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"earlystop.adapters.ignite needs {error.name}: pip install pytorch-ignite",
        name=error.name,
    ) from error

__all__ = ["EarlyStopping"]


def _old_name(old: str, new: str) -> property:
    """An attribute under its name before ignite 0.5.5."""

    def read(handler: Any) -> Any:
        text = f"`EarlyStopping.{old}` is the old name of `{new}`: read that"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return getattr(handler, new)

    return property(read)


_SCORE = "score"
_DEFAULTS = {
    **{"patience": None, "score_function": None, "threshold": 0.0, "cumulative": False},
    **{"threshold_mode": "abs", "mode": "max"},
}


class EarlyStopping(Serializable):
    """Ignite's `EarlyStopping` handler, which also accepts any rule.

    The first ten arguments and their defaults are those of ignite 0.5.5; the last three of them
    are the names before 0.5.5 of `threshold`, `threshold_mode` and `cumulative`. The others are:

    stop: a rule that ends the run, in place of ignite's arguments but `trainer`; or a `Stopper`,
        which several handlers may share. Rules look at the metrics of the engine that the handler
        is attached to, `evaluator.state.metrics`, and besides these at those of the trainer.
    save: with a `stop` rule, the rule that decides which evaluation is the best.
    changed_rules: resume from a state of rules of the same kinds with other numbers; it is refused
        otherwise.

    Attach it to the evaluator, `evaluator.add_event_handler(Events.COMPLETED, handler)`, and give
    it to ignite's `Checkpoint` as part of `to_save`. `is_best` is an event filter, with which a
    `Checkpoint` saves the best. `counter`, `best_score` and `stopped_reason` say how the run
    stands. Epochs and iterations are the trainer's. In a distributed run all ranks decide on the
    metrics of rank 0.

    With ignite's arguments, decisions are ignite's. Deliberate differences:

    - A stopped handler stays so: it ends a run that goes on at its next evaluation, until `reset`.
      (Ignite's forgets that it had stopped as soon as a score improves.)
    - It begins anew where the trainer does. (Ignite's goes on with the best of the run before.)
    - A second evaluation at one iteration decides nothing. (Ignite counts it.)
    - The attributes do not change a handler once it is made; `min_delta`, `min_delta_mode` and
      `cumulative_delta`, the old names of three of them, can only be read, as can `best_score`.
    - Its state is not ignite's: a checkpoint of ignite's handler is refused.
    - A patience that is no whole number is refused, and a threshold that is no finite one, with
      which nothing would ever improve. (Ignite takes them.)

    Raises RuleError for arguments that do not fit together or are out of range, RuleTypeError for
    those of a wrong type; when it is called, what `Session.collect` and `Session.step` raise.

    >>> import logging
    >>> from ignite.engine import Engine, Events
    >>> import earlystop as es
    >>> trainer = Engine(lambda engine, batch: None)
    >>> evaluator = Engine(lambda engine, batch: None)
    >>> @trainer.on(Events.EPOCH_COMPLETED)
    ... def evaluate(engine):
    ...     evaluator.state.metrics = {"nll": 1 / min(engine.state.epoch, 4)}
    ...     evaluator.fire_event(Events.COMPLETED)
    >>> handler = EarlyStopping(trainer=trainer, stop=es.Patience("nll", 3), save=es.Best("nll"))
    >>> handler.logger.setLevel(logging.ERROR)
    >>> _ = evaluator.add_event_handler(Events.COMPLETED, handler)
    >>> trainer.run([0] * 10, max_epochs=100).epoch
    7
    >>> handler.stopped_reason
    'nll has not improved on 0.25 (epoch 4, step 40) by more than 0 for 3 epochs'
    """

    @known_arguments
    def __init__(
        self,
        patience: int | None = None,
        score_function: Callable[[Engine], Any] | None = None,
        trainer: Engine | None = None,
        threshold: float = 0.0,
        cumulative: bool = False,
        threshold_mode: str = "abs",
        mode: str = "max",
        min_delta: float | None = None,
        min_delta_mode: str | None = None,
        cumulative_delta: bool | None = None,
        *,
        stop: Rule | Stopper | None = None,
        save: Rule | None = None,
        changed_rules: bool = False,
    ) -> None:
        threshold = _renamed("min_delta", min_delta, "threshold", threshold)
        threshold_mode = _renamed(
            "min_delta_mode", min_delta_mode, "threshold_mode", threshold_mode
        )
        cumulative = _renamed("cumulative_delta", cumulative_delta, "cumulative", cumulative)
        if not isinstance(trainer, Engine):
            raise RuleTypeError(
                "`EarlyStopping(trainer=...)` must be the Engine that trains, whose run is to end, "
                f"got {trainer!r}"
            )
        self.patience, self.score_function, self.trainer = patience, score_function, trainer
        self.threshold, self.cumulative = threshold, cumulative
        self.threshold_mode, self.mode = threshold_mode, mode
        self._changed_rules = changed_rules
        given = (patience, score_function, threshold, cumulative, threshold_mode, mode)
        stopper = chosen_stopper("EarlyStopping", stop, save, self._own, _DEFAULTS, given)
        self._by_score = stop is None
        self._session = Session(
            stopper,
            "EarlyStopping",
            on_missing=None if stopper is stop else "raise",
            to_floats=Watched(stopper),
            ranks=TorchRanks(),
        )
        self._last: Decision | None = None
        self.logger = setup_logger(f"{__name__}.{type(self).__name__}")

    def _own(self) -> Stopper:
        """The stopper of ignite's arguments."""
        if not callable(self.score_function):
            raise RuleTypeError(
                "`EarlyStopping(score_function=...)` must be a function that takes the engine and "
                "returns a number (or leave it out, and pass rules over metrics as stop=...), got "
                f"{self.score_function!r}"
            )
        kinds = {
            **{"patience": Positive, "threshold": NonNegative, "cumulative": bool},
            **{"threshold_mode": Literal["abs", "rel"], "mode": Direction},
        }
        return early_stopping(monitor=_SCORE, **checked("EarlyStopping", kinds, vars(self)))

    # Ignite's events --------------------------------------------------------------------------

    def __call__(self, engine: Engine) -> None:
        """Decide on one evaluation, and end the trainer's run if the decision is to stop."""
        session, iteration = self._session, self.trainer.state.iteration
        decision = session.decision_at(iteration)  # of another handler with the same stopper
        if decision is None:
            decision = self._decide(engine, iteration)
        if decision is not None:
            self._last = decision
        if session.stopper.stopped:
            self.trainer.terminate()

    def _decide(self, engine: Engine, iteration: int) -> Decision | None:
        """The decision on an evaluation at this iteration; None if it is no check."""
        session, last = self._session, self._session.place
        if last.step is not None and iteration < last.step:
            self.logger.info("EarlyStopping: begins anew, as the trainer does")
            self.reset()
            last = session.place
        elif session.stopper.stopped or iteration == last.step:
            return None
        values = session.collect(self._metrics(engine))
        epoch = self._epochs_done(iteration)
        if epoch is None:  # the trainer does not run: there is no place to tell
            decision = session.step(values)
        else:
            if last.epoch is None:
                session.count_from(0, from_zero=False)
            decision = session.step(values, epoch=epoch, step=iteration, at=iteration)
        if decision.stop:
            self.logger.info("EarlyStopping: Stop training: %s", decision.reason)
        return decision

    def _metrics(self, engine: Engine) -> Mapping[str, Any]:
        if self._by_score and self.score_function is not None:
            return {_SCORE: self.score_function(engine)}
        return {**self.trainer.state.metrics, **engine.state.metrics}

    def _epochs_done(self, iteration: int) -> float | None:
        """How many epochs of the trainer are done; None before its first iteration."""
        length = self.trainer.state.epoch_length
        if not iteration:
            return None
        return iteration / length if length else float(self.trainer.state.epoch)

    def is_best(self, engine: Engine, event: int) -> bool:
        """An event filter: whether the evaluation that was decided on last is the best so far.

        `evaluator.add_event_handler(Events.COMPLETED(handler.is_best), checkpoint)`, after the
        handler itself, saves the best.
        """
        return self._last is not None and self._last.save

    def attach(
        self,
        engine: Engine,
        event: Any = Events.COMPLETED,
        reset_engine: Engine | None = None,
        reset_event: Any = Events.STARTED,
    ) -> None:
        """Decide at `event` of an engine, and `reset` at `reset_event`, by default as it starts."""
        engine.add_event_handler(event, self)
        (reset_engine or engine).add_event_handler(reset_event, self.reset)

    min_delta = _old_name("min_delta", "threshold")
    min_delta_mode = _old_name("min_delta_mode", "threshold_mode")
    cumulative_delta = _old_name("cumulative_delta", "cumulative")

    # The run so far ---------------------------------------------------------------------------

    @property
    def stopper(self) -> Stopper:
        """The stopper that decides."""
        return self._session.stopper

    @property
    def counter(self) -> int:
        """The number of evaluations without improvement; 0 for rules without a wait."""
        return wait_of(self.stopper)

    @property
    def best_score(self) -> float | None:
        """The value that the next one is compared with; None before the first, or with rules."""
        if not self._by_score or not self.stopper.checks:
            return None
        state = self.stopper.state_dict()["stop_state"]
        return number_from_json(state["reference"], "reference")

    @property
    def stopped_reason(self) -> str:
        """Why it ended the run; "" if it has not. Epochs and steps count from 1."""
        return self.stopper.reason

    # State ------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Begin another run."""
        self._session.stopper.reset()
        self._last = None

    def state_dict(self) -> dict[str, Any]:  # type: ignore[override]  # theirs is ordered
        """The state needed to resume as if never interrupted, as plain JSON data."""
        return self._session.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Resume from `state_dict()`.

        Raises StateError for a state that is damaged or of other rules.
        """
        self._session.load_state_dict(state_dict, changed_rules=self._changed_rules)


def _renamed(old: str, value: Any, new: str, default: Any) -> Any:
    """The value of an argument that may be given under its old name."""
    if value is None:
        return default
    warnings.warn(
        f"`EarlyStopping({old}=...)` is the old name of `{new}`: pass it by that",
        DeprecationWarning,
        stacklevel=3,
    )
    return value
