"""`early_stopping` for Ultralytics: its decisions with its argument, or any rules.

The trainer is passed in, so Ultralytics itself is not imported.
"""

from __future__ import annotations

import functools
import json
import logging
import math
from collections.abc import Mapping
from typing import Any

from earlystop.engine.session import Session
from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleError, RuleTypeError, StateError, shortened, warn_caller
from earlystop.language.rule import Rule
from earlystop.language.settings import Count, validated
from earlystop.peers.ultralytics import early_stopping as own_early_stopping
from earlystop.rules import Never

from .arguments import known_arguments
from .chosen import Watched, chosen_stopper, wait_of

__all__ = ["TrainerStopper", "early_stopping"]

_DEFAULTS = {"patience": 50}
_KEY = "earlystop"  # in the `train_metrics` of a checkpoint
_log = logging.getLogger("ultralytics")  # Ultralytics's own


@known_arguments
def early_stopping(
    trainer: Any,
    patience: int | None = 50,
    *,
    stop: Rule | Stopper | None = None,
    save: Rule | None = None,
    changed_rules: bool = False,
) -> TrainerStopper:
    """Have a trainer of Ultralytics stop by its own rule with this patience, or by any rules.

    trainer: a trainer, or a model such as `YOLO("yolo11n.pt")`, before it is trained.
    patience: that of Ultralytics's `EarlyStopping`; 0 or None never stops. (Leave the trainer's own
        argument `patience` alone: what stands here takes its place.)
    stop: a rule in place of it, or a Stopper. It looks at "fitness" and the columns of results.csv,
        such as "val/box_loss" and "metrics/mAP50-95(B)". Epochs count from 1, as there.
    save: with a `stop` rule, which epoch becomes best.pt, in place of the best fitness.
    changed_rules: resume from a checkpoint that was saved under rules with other numbers.

    The state is part of last.pt, and a training that is resumed (`resume=True`, with the same call
    before) ends as if never interrupted. In a training on several devices, rank 0 decides for all;
    pass the trainer inside of each process, as Ultralytics starts new ones without a model's
    callbacks.

    With `patience`, decisions are those of Ultralytics 8.4, also that best.pt is written again on a
    tie. Deliberate differences: a patience that is negative or no whole number is refused.

    Raises RuleTypeError for what is neither trainer nor model, RuleError for arguments that do not
    fit together, and for a trainer or model that has been given one before. In the training,
    MissingMetricError for an unknown metric; StateError for a checkpoint of other rules.

    >>> import earlystop as es
    >>> class Trainer:  # what the adapter asks of one
    ...     callbacks, args, metrics, tloss = {}, None, {"val/box_loss": 0.5}, None
    ...     resume, best_fitness, fitness, start_epoch = False, 0.0, 0.0, 0
    ...     def add_callback(self, event, callback):
    ...         self.callbacks.setdefault(event, []).append(callback)
    ...     def label_loss_items(self, losses):
    ...         return {}
    >>> trainer = Trainer()
    >>> stopper = early_stopping(trainer, stop=es.Patience("val/box_loss", patience=2))
    >>> trainer.callbacks["on_pretrain_routine_end"][0](trainer)
    >>> [trainer.stopper(epoch, fitness=0.0) for epoch in (1, 2, 3)]
    [False, False, True]
    >>> stopper.stopped_reason
    'val/box_loss has not improved on 0.5 (epoch 1) by more than 0 for 2 epochs'
    """
    if not callable(getattr(trainer, "add_callback", None)):
        raise RuleTypeError(
            "`early_stopping(trainer)` must be a trainer of Ultralytics, or a model such as "
            f"YOLO('yolo11n.pt'), got {shortened(trainer)}"
        )
    begun = getattr(trainer, "callbacks", {}).get("on_pretrain_routine_end", ())
    if any(isinstance(getattr(one, "__self__", None), TrainerStopper) for one in begun):
        raise RuleError(
            "`early_stopping(trainer)`: this one has been given one before, which begins anew with "
            "each training, and Ultralytics asks no second: join the rules by | or &, or make "
            "another trainer or model"
        )
    own = functools.partial(_own_stopper, patience)
    chosen = chosen_stopper(
        "early_stopping", stop, save, own, _DEFAULTS, (patience,), last_is_best=True
    )
    stopper = TrainerStopper(chosen, patience if stop is None else None, changed_rules)
    stopper.keeps_best = stop is not None and not isinstance(chosen.save, Never)
    stopper.may_skip = chosen is stop  # whoever made the stopper has said what it does
    # Not before: until then the trainer makes a stopper of its own.
    trainer.add_callback("on_pretrain_routine_end", stopper.install)
    return stopper


class TrainerStopper:
    """What `early_stopping` puts in the place of `trainer.stopper`.

    stopper: decides. keeps_best: whether its save rule says which epoch becomes best.pt.
    may_skip: whether the stopper says what an epoch without a metric means; else it is an error.
    possible_stop: whether the next epoch may be the last, which Ultralytics then validates.

    >>> import earlystop as es
    >>> TrainerStopper(es.Stopper(es.MaxEpochs(3))).stopped_reason
    ''
    """

    def __init__(
        self, stopper: Stopper, patience: int | None = None, changed_rules: bool = False
    ) -> None:
        self.stopper = stopper
        self.keeps_best = self.may_skip = self.possible_stop = False
        self._patience = patience or math.inf
        self._changed_rules = changed_rules
        self._session: Session | None = None
        self._trainer: Any = None

    @property
    def stopped_reason(self) -> str:
        """Why the training was stopped; "" if it was not."""
        return self.stopper.reason

    @property
    def best_epoch(self) -> int:
        """The best epoch, from 1; 0 before the first. Ultralytics saves it."""
        best = self.stopper.best_epoch
        return 0 if best is None else int(best)

    @property
    def best_fitness(self) -> float:
        """What the save rule monitors, at the best epoch. Ultralytics saves it."""
        best = self.stopper.best
        return 0.0 if best is None else float(best)

    def install(self, trainer: Any) -> None:
        """Take the place of the trainer's own stopper, for Ultralytics."""
        self.stopper.reset()
        on_missing: Any = None if self.may_skip else "raise"
        self._session = Session(
            self.stopper,
            "early_stopping",
            on_missing=on_missing,
            to_floats=Watched(self.stopper),
        )
        self._trainer = trainer
        if trainer.resume:
            self._load(str(trainer.args.resume))
        else:
            self._session.count_from(trainer.start_epoch, from_zero=False)
        for event in ("on_model_save", "on_fit_epoch_end"):  # before loggers look at the metrics
            trainer.callbacks.setdefault(event, []).insert(0, _forget_state)
        trainer.stopper = self

    def _load(self, path: str) -> None:
        import torch

        # It is the file that Ultralytics has just read itself, in the same way.
        checkpoint = torch.load(path, map_location="cpu", weights_only=False)
        text = (checkpoint.get("train_metrics") or {}).get(_KEY)
        if text is None:
            warn_caller(
                f"{path} has no state of `early_stopping`: it begins anew with the next epoch",
                UserWarning,
            )
            return
        try:
            state = json.loads(text)
        except (TypeError, ValueError) as error:
            raise StateError(f"the state of `early_stopping` in {path} is damaged: {error}") from (
                error
            )
        assert self._session is not None  # noqa: S101  # made by `install`
        self._session.load_state_dict(state, changed_rules=self._changed_rules)

    def __call__(self, epoch: int, fitness: float | None) -> bool:
        """Whether to stop after this epoch, for Ultralytics."""
        session, trainer = self._session, self._trainer
        if session is None or fitness is None:  # not validated
            return False
        losses = trainer.label_loss_items(trainer.tloss)
        metrics: Mapping[str, Any] = {**losses, **(trainer.metrics or {}), "fitness": fitness}
        values = session.collect(metrics)
        decision = session.step(values, epoch=epoch)
        if self.keeps_best:  # best.pt is written where these two are equal
            trainer.best_fitness = trainer.fitness if decision.save else math.inf
        self.possible_stop = wait_of(self.stopper) >= self._patience - 1
        trainer.metrics = {**(trainer.metrics or {}), _KEY: json.dumps(session.state_dict())}
        if decision.stop:
            _log.info(f"EarlyStopping: {decision.reason}.")
        return decision.stop


def _forget_state(trainer: Any) -> None:
    """Remove the state, which is saved by now if ever, from the metrics: it is none."""
    trainer.metrics.pop(_KEY, None)


def _own_stopper(patience: Any) -> Stopper:
    return own_early_stopping(
        validated(Count | None, patience, "early_stopping(patience=...)"), monitor="fitness"
    )
