"""`EarlyStopping` with Lightning's arguments and decisions, or with any rule."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from typing import Any

import torch

import earlystop.peers.lightning as peer
from earlystop.engine.stopper import Stopper
from earlystop.errors import RuleError
from earlystop.language.direction import Direction
from earlystop.language.ops import Dtype
from earlystop.language.rule import Rule

from ..arguments import checked, known_arguments
from ..chosen import check_names_best, chosen_stopper, wait_of
from .callback import Checks
from .installed import MODULES

__all__ = ["EarlyStopping"]

_DEFAULTS: Mapping[str, Any] = {
    **{"monitor": None, "min_delta": 0.0, "patience": 3, "mode": "min", "check_finite": True},
    **{"stopping_threshold": None, "divergence_threshold": None},
}
_KINDS: Mapping[str, Any] = {
    **{"monitor": str | None, "min_delta": float, "patience": int, "mode": Direction},
    **{"stopping_threshold": float | None, "divergence_threshold": float | None},
}


class EarlyStopping(Checks, *(module.EarlyStopping for module in MODULES)):  # type: ignore[misc]  # as installed
    """Lightning's `EarlyStopping`, which also accepts any rule.

    The first eleven arguments and their defaults are those of Lightning. The others are:

    stop: a rule that ends the fit, in place of Lightning's arguments for decisions; or a `Stopper`,
        whose two rules are used. Rules look at `trainer.callback_metrics`.
    save: with a `stop` rule, the rule that decides which check is the best.
    best_path: where to save the best, by `trainer.save_checkpoint`: a path, or an address that
        Lightning writes to. A `ModelCheckpoint` may be used beside it, or instead of it.
    changed_rules: resume from a checkpoint of rules of the same kinds with other numbers, such as
        more patience; it is refused otherwise.

    `strict=True` says that a check without a metric of the rules is an error; a `Stopper` has its
    own `on_missing`. A validation without any of their metrics is no check.

    It has the attributes of Lightning's callback, `best_score`, `wait_count`, `stopped_epoch`,
    `stopping_reason` and `stopping_reason_message`, and also `stopper` and `stopped_reason`. Its
    state is in the Trainer's checkpoints; a fit that resumes from one neither loses nor repeats a
    check. With Lightning's arguments, decisions are Lightning's, in the type of the logged tensor.
    They differ deliberately in these cases:

    - All ranks decide on the metrics of rank 0. (Lightning: each on its own, and the first that
      stops ends the fit. The same with `self.log(..., sync_dist=True)`.)
    - A fit that has stopped stays so: where `min_epochs` trains on, nothing more is decided, and a
      checkpoint of it trains nothing. (Lightning decides on, and goes on until the next check.)
    - A fit from the beginning begins anew. (Lightning's keeps the wait and best of the one before.)
    - A checkpoint of other rules is refused. (Lightning's takes over its patience.)
    - Its state is not Lightning's: from a checkpoint of Lightning's own callback, which Lightning
      then warns of, the wait begins anew; `load_state_dict` refuses it.
    - `stopping_reason_message` names the best and where it was. It, `stopping_reason`, `best_score`
      and `wait_count` can only be read.
    - A negative patience is an error (Lightning: 0), and so is one that is no whole number. A
      `min_delta` and thresholds are finite numbers: with others nothing would ever improve, or the
      bound be none. (Lightning takes them.)

    Raises RuleError for arguments that do not fit together or are out of range; in a fit, what
    `Session.collect` and `Session.step` raise, StateError for a checkpoint of other rules.

    >>> import torch
    >>> from earlystop.adapters.lightning import EarlyStopping
    >>> callback = EarlyStopping("val_loss", patience=2, stopping_threshold=0.1)
    >>> callback.stopped_reason, callback.wait_count
    ('', 0)
    """

    @known_arguments
    def __init__(
        self,
        monitor: str | None = None,
        min_delta: float = 0.0,
        patience: int = 3,
        verbose: bool = False,
        mode: str = "min",
        strict: bool = True,
        check_finite: bool = True,
        stopping_threshold: float | None = None,
        divergence_threshold: float | None = None,
        check_on_train_epoch_end: bool | None = None,
        log_rank_zero_only: bool = False,
        *,
        stop: Rule | Stopper | None = None,
        save: Rule | None = None,
        best_path: str | os.PathLike[str] | None = None,
        changed_rules: bool = False,
    ) -> None:
        given = (monitor, min_delta, patience, mode, check_finite)
        bounds = (stopping_threshold, divergence_threshold)
        told = dict(zip(_DEFAULTS, (*given, *bounds), strict=True))
        checked("EarlyStopping", _KINDS, told)
        # Lightning's own __init__ is not called: where both are installed, there are two.
        self.monitor, self.mode, self.patience = monitor, mode, patience
        self.min_delta = min_delta if mode == "max" else -min_delta  # as Lightning's attribute
        self.verbose, self.strict, self.check_finite = verbose, strict, check_finite
        self.stopping_threshold, self.divergence_threshold = (
            stopping_threshold,
            divergence_threshold,
        )
        self.log_rank_zero_only = log_rank_zero_only
        self._check_on_train_epoch_end = check_on_train_epoch_end
        self.best_path = None if best_path is None else os.fspath(best_path)
        self._changed_rules, self._is_own, self._min_delta = changed_rules, stop is None, min_delta
        own, owner = self._own, "EarlyStopping"
        stopper = chosen_stopper(owner, stop, save, own, _DEFAULTS, [*told.values()])
        if self.best_path is not None:
            check_names_best(stopper.save, "EarlyStopping(stop=..., best_path=...)")
            if self.best_path.endswith(("/", os.sep)):
                raise RuleError(
                    f"`EarlyStopping(best_path=...)` is the path of a checkpoint, got the folder "
                    f"{self.best_path!r}: name one in it, such as "
                    f"{self.best_path + 'best.ckpt'!r}"
                )
        self._is_given = stopper is stop
        arguments = {name: value for name, value in told.items() if value != _DEFAULTS[name]}
        rules = {"stop": repr(stopper.stop), "save": repr(stopper.save)}
        self._prepare(stopper, arguments if self._is_own else rules)

    def _own(self, dtype: Dtype = "float32") -> Stopper:
        """The stopper of Lightning's arguments."""
        if self.monitor is None:
            raise RuleError(
                "`EarlyStopping(monitor=...)` is missing: name the metric to watch, or pass `stop=`"
            )
        if self.patience < 0:
            raise RuleError(f"`EarlyStopping(patience=...)` is below 0: {self.patience}")
        return peer.early_stopping(
            self.monitor,
            self._min_delta,
            self.patience,
            mode=self.mode,  # type: ignore[arg-type]  # validated
            check_finite=self.check_finite,
            stopping_threshold=self.stopping_threshold,
            divergence_threshold=self.divergence_threshold,
            dtype=dtype,
        )

    # Attributes ------------------------------------------------------------------------------

    @property
    def stopper(self) -> Stopper:
        """The stopper that decides."""
        return self._session.stopper

    @property
    def wait_count(self) -> int:
        """The checks without improvement; 0 for rules without a wait.

        As in Lightning, a check that ends the fit for another reason does not count.
        """
        return wait_of(self.stopper) if self._waited is None else self._waited

    @property
    def best_score(self) -> Any:
        """The value of `monitor` at the best check, as a tensor; before the first, the worst."""
        worst = -math.inf if self.mode == "max" else math.inf
        best = (self.stopper.best_metrics or {}).get(str(self.monitor))
        if best is None:
            return torch.tensor(worst)
        return torch.tensor(best, dtype=getattr(torch, self._dtype))

    @property
    def stopping_reason(self) -> Any:
        """Why the fit was stopped, as Lightning's `EarlyStoppingReason`.

        Rules in place of Lightning's arguments have PATIENCE_EXHAUSTED.
        """
        return sys.modules[self._module].EarlyStoppingReason[self._kind]

    @property
    def stopping_reason_message(self) -> str | None:
        """Why the fit was stopped, in words; None if it was not."""
        return self.stopped_reason or None
