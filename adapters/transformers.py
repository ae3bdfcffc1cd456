"""`EarlyStoppingCallback` with the Trainer's arguments and decisions, or with any rule.

Inside this module `import transformers` is transformers: imports are absolute unless they begin
with a dot.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import earlystop.peers.transformers as peer
from earlystop.engine.decision import Decision
from earlystop.engine.saved_state import SavedFormat
from earlystop.engine.session import Session, forget_decision
from earlystop.engine.stopper import Stopper
from earlystop.errors import MissingMetricError, RuleError
from earlystop.language.direction import Direction
from earlystop.language.ops import better, worst
from earlystop.language.positions import ELAPSED, EPOCH, STEP
from earlystop.language.rule import Rule
from earlystop.language.state import decode_state
from earlystop.rules import Never
from earlystop.rules.top_k import check_last_is_best

from .arguments import checked, known_arguments
from .chosen import Watched, chosen_stopper, of_these_rules, set_wait, wait_of

try:
    from transformers.trainer_callback import ExportableState, TrainerCallback
    from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
    from transformers.utils.logging import get_logger

    from .torch.metrics import numbers
    from .torch.ranks import TorchRanks
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"earlystop.adapters.transformers needs {error.name}: pip install transformers[torch]",
        name=error.name,
    ) from error

__all__ = ["EarlyStoppingCallback"]

_DEFAULTS: Mapping[str, Any] = {"early_stopping_patience": 1, "early_stopping_threshold": 0.0}
_KINDS: Mapping[str, Any] = {"early_stopping_patience": int, "early_stopping_threshold": float}
_SAVED = SavedFormat(
    "earlystop.transformers.EarlyStoppingCallback",
    1,
    "a state of earlystop's EarlyStoppingCallback for transformers",
)
_NO_METRICS = {EPOCH, STEP, ELAPSED}  # positions, which are not reported

RuleData = Mapping[str, Any]  # a rule as JSON, as `Rule.to_dict` writes it


class EarlyStoppingCallback(TrainerCallback, ExportableState):
    """The Trainer's `EarlyStoppingCallback`, which also accepts any rule.

    early_stopping_patience, early_stopping_threshold: as those of transformers; the metric is
        `metric_for_best_model` of the Trainer's arguments, its direction `greater_is_better`.
    stop: a rule that ends the training, in their place; or a `Stopper`, whose two rules are used.
        Rules look at the metrics of evaluations, such as "eval_loss", and at the last that were
        logged, such as "loss" (`logging_strategy="epoch"`: it is not logged at every evaluation
        by default). With several sets, those of all that are evaluated at a step.
    save: with a `stop` rule, the rule that decides which evaluation is the best. Each new best is
        saved (`control.should_save`), with any `save_strategy`, and is the best that
        `load_best_model_at_end` loads and `save_total_limit` keeps.
    changed_rules: resume from a checkpoint of rules of the same kinds with other numbers, such as
        more patience; it is refused otherwise.

    `stopped_reason` says why the training was stopped; `stopper` decides. The state is in the
    checkpoints of the Trainer and comes back with `train(resume_from_checkpoint=...)`, so that no
    evaluation is lost or counted twice. With `restore_callback_states_from_checkpoint=True` the
    Trainer makes the callback anew, with the arguments in the checkpoint: ask the callback in
    `trainer.callback_handler.callbacks` then, not the one that was passed.

    With transformers' arguments, decisions are those of transformers. Deliberate differences:

    - The wait goes on when training is resumed. (Theirs begins anew, unless
      `restore_callback_states_from_checkpoint` is set.)
    - An evaluation before training (`eval_on_start`) or after it is no check. (Theirs counts it.)
    - A missing metric is an error. (Theirs warns, and never stops.)
    - A checkpoint of other rules is refused. (Theirs takes over its patience.) From one of
      transformers' own callback the wait begins anew, with a warning.
    - A patience that is no whole number is an error, and a threshold that is no finite one, with
      which nothing would ever improve. (Theirs takes them, and fails for None in an evaluation.)

    Raises RuleError for arguments that do not fit together or are out of range; when training
    begins, RuleError without evaluations or a metric, StateError for a checkpoint of other rules;
    at an evaluation, what `Session.collect` and `Session.step` raise.

    >>> from earlystop import Best, NonFinite, Patience
    >>> callback = EarlyStoppingCallback(
    ...     stop=Patience("eval_loss", 3) | NonFinite("loss"), save=Best("eval_loss")
    ... )
    >>> callback.stopped_reason
    ''
    """

    @known_arguments
    def __init__(
        self,
        early_stopping_patience: int = 1,
        early_stopping_threshold: float | None = 0.0,
        *,
        stop: Rule | Stopper | RuleData | None = None,
        save: Rule | RuleData | None = None,
        changed_rules: bool = False,
    ) -> None:
        self.early_stopping_patience = early_stopping_patience
        self.early_stopping_threshold = early_stopping_threshold
        self._changed_rules, self._is_own = changed_rules, stop is None
        stopper = chosen_stopper(
            "EarlyStoppingCallback",
            _rule(stop),
            _rule(save),
            self._own,
            _DEFAULTS,
            (early_stopping_patience, early_stopping_threshold),
        )
        self._is_given = stopper is stop
        self._is_training = False  # steps are made
        self.saved: dict[str, Any] | None = None  # the state in a checkpoint, from the Trainer
        self._begin(stopper)

    def _own(self, monitor: str = "eval_loss", mode: Direction = "min") -> Stopper:
        """The stopper of transformers' arguments."""
        own = checked(type(self).__name__, _KINDS, vars(self))
        return peer.early_stopping_callback(*own.values(), monitor=monitor, mode=mode)

    def _begin(self, stopper: Stopper) -> None:
        """Begin a run with this stopper."""
        self._session = Session(
            stopper,
            "EarlyStoppingCallback",
            on_missing=None if self._is_given else "raise",
            to_floats=Watched(stopper, _NO_METRICS, numbers),
            ranks=TorchRanks(),
        )
        self._judged = frozenset(self._session.needed) - _NO_METRICS
        self._may_skip = self._is_given and stopper.on_missing == "skip"
        # Whether rules say what is the best; otherwise the Trainer's own best is the same.
        self._saves = not self._is_own and not isinstance(stopper.save, Never)
        self._reported: dict[str, Any] = {}  # at the step that is evaluated
        self._logged: dict[str, Any] = {}  # the last values of the training
        self._pending = False  # an evaluated step lacks metrics, which another set may have
        self._last: tuple[int, bool] = (-1, False)  # the step of the last check, and its save

    # The Trainer's events --------------------------------------------------------------------

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if args.eval_strategy == "no":
            raise RuleError(
                "EarlyStoppingCallback decides at evaluations, and there are none: pass "
                'eval_strategy="epoch" or "steps" to the TrainingArguments'
            )
        stopper = self._session.stopper
        if self._is_own:
            stopper = self._own(*_monitored(args))
        if args.load_best_model_at_end:
            check_last_is_best(stopper.save, "EarlyStoppingCallback beside load_best_model_at_end")
        stopper.reset()
        forget_decision(stopper)
        self._begin(stopper)
        self._is_training = False
        name = type(self).__name__
        if state.global_step > 0:
            self._resume(state.stateful_callbacks.get(name))
        state.stateful_callbacks.setdefault(name, self.state())  # the Trainer asks for it
        if stopper.checks == 0:
            self._session.count_from(int(state.epoch or 0), from_zero=False)
        if stopper.stopped:
            control.should_training_stop = True
            _logger.warning(
                "EarlyStoppingCallback: this run had stopped (%s); it ends after one more step",
                stopper.reason,
            )

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._is_training = True

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._pending:
            self._decide({**self._logged, **self._reported}, state, control)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] = {}, **kwargs: Any
    ) -> None:
        trained = (name for name in self._judged if name in logs and not name.startswith("eval_"))
        self._logged.update((name, logs[name]) for name in trained)

    def on_evaluate(
        self,
        args: Any,
        state: Any,
        control: Any,
        metrics: Mapping[str, Any] = {},
        **kwargs: Any,
    ) -> None:
        if not self._is_training:
            return
        if self._session.stopper.stopped:
            control.should_training_stop = True
        elif state.global_step != self._last[0]:
            seen = {**self._logged, **self._reported, **metrics}
            if seen.keys() >= self._judged:
                self._decide(seen, state, control)
            else:
                self._reported.update(metrics)
                self._pending = True
        if self._saves and state.global_step == self._last[0]:
            self._share_best(args, state, metrics)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._pending:
            self._decide({**self._logged, **self._reported}, state, control)
        self._is_training = False
        self._session.finish()

    # One check -------------------------------------------------------------------------------

    def _decide(self, seen: dict[str, Any], state: Any, control: Any) -> None:
        """Decide on what was reported at the last step that was evaluated."""
        session = self._session
        if self._pending:
            self._reported, self._pending = {}, False
        values = session.collect(seen)
        if self._may_skip and self._judged and self._judged.isdisjoint(values):
            return  # no check
        step = state.global_step
        decision = self._step(values, state)
        self._last = step, decision.save
        if decision.save and self._saves:
            control.should_save = True
        if decision.stop:
            control.should_training_stop = True
            if state.is_world_process_zero:
                _logger.info("EarlyStoppingCallback: %s", decision)

    def _step(self, values: dict[str, float], state: Any) -> Decision:
        at = state.global_step if self._is_given else None
        try:
            return self._session.step(values, epoch=state.epoch, step=state.global_step, at=at)
        except MissingMetricError as error:
            if "loss" not in self._judged or "loss" in values:
                raise
            raise MissingMetricError(
                f'{error}; the Trainer has not logged "loss" yet: pass logging_strategy="epoch", '
                "or logging_steps that are no more than the steps between evaluations"
            ) from None

    def _share_best(self, args: Any, state: Any, metrics: Mapping[str, Any]) -> None:
        """Set the best with which the Trainer compares the metric next to that of the rules.

        It takes the step for the best if the metric is better than `state.best_metric`.
        """
        if args.metric_for_best_model is None:
            return
        monitor, mode = _monitored(args)
        value, best = metrics.get(monitor), state.best_metric
        if self._last[1]:
            state.best_metric = worst(mode)
            if value == value and not state.is_hyper_param_search:  # as the Trainer will save it
                # With save_strategy="best", it does not say where before transformers 5.
                folder = f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
                state.best_model_checkpoint = os.path.join(args.output_dir, folder)
        elif value is not None and (best is None or better(value, best, mode)):
            state.best_metric = value

    # State -----------------------------------------------------------------------------------

    @property
    def stopper(self) -> Stopper:
        """The stopper that decides."""
        return self._session.stopper

    @property
    def early_stopping_patience_counter(self) -> int:
        """The evaluations without improvement; 0 for rules without a wait."""
        return wait_of(self.stopper)

    @early_stopping_patience_counter.setter
    def early_stopping_patience_counter(self, evaluations: int) -> None:
        set_wait(self.stopper, evaluations)

    @property
    def stopped_reason(self) -> str:
        """Why the training was stopped; "" if it was not."""
        return self.stopper.reason

    def state(self) -> dict[str, Any]:
        """The arguments and the state, as plain JSON data, for the Trainer's checkpoints."""
        stop, save = self.stopper.stop.to_dict(), self.stopper.save.to_dict()
        saved = {"step": self._last[0], **self._session.state_dict()}
        return {
            "args": {
                "early_stopping_patience": self.early_stopping_patience,
                "early_stopping_threshold": self.early_stopping_threshold,
                "stop": None if self._is_own else stop,
                "save": None if self._is_own else save,
                "changed_rules": self._changed_rules,
            },
            "attributes": {
                "early_stopping_patience_counter": self.early_stopping_patience_counter,
                "saved": _SAVED.wrap(saved),
            },
        }

    def _resume(self, states: Any) -> None:
        """Resume from what a checkpoint has of callbacks of this name; the last is the newest."""
        every = states if isinstance(states, list) else [states]
        kept = [one.get("attributes") for one in every if isinstance(one, Mapping)]
        saved = [one.get("saved") for one in kept if isinstance(one, Mapping)]
        bodies = [_SAVED.unwrap(one) for one in saved if _SAVED.matches(one)]
        if not bodies:
            _logger.warning(
                "EarlyStoppingCallback: the checkpoint has no state of it, so its wait begins anew"
            )
            return
        body = of_these_rules(self.stopper, bodies, type(self).__name__)
        step: int = decode_state(body.get("step"), 0, "step")
        self._session.load_state_dict(body, changed_rules=self._changed_rules)
        self._last = step, False


def _monitored(args: Any) -> tuple[str, Direction]:
    """The metric of the Trainer's arguments, and its direction."""
    name = args.metric_for_best_model
    if name is None:
        raise RuleError(
            "EarlyStoppingCallback needs a metric: pass metric_for_best_model to the "
            "TrainingArguments, or `stop=` to the callback"
        )
    name = name if name.startswith("eval_") else f"eval_{name}"
    return name, "max" if args.greater_is_better else "min"


def _rule(data: Any) -> Any:
    """The rule of a checkpoint; whatever else is passed, as it is."""
    return Rule.from_dict(data) if isinstance(data, Mapping) else data


_logger = get_logger("transformers.trainer_callback")  # theirs, whose level the user sets
