"""`replay`: the decisions that rules would have taken over logged runs."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..errors import RuleTypeError
from ..history import History
from ..language.rule import OnMissing, Rule
from ..language.settings import Positive, validated
from .decide import decide
from .missing import require_reported
from .result import Replay

__all__ = ["Replay", "replay"]


def replay(
    stop: Rule | Stopper,
    history: History,
    *,
    save: Rule | None = None,
    on_missing: OnMissing = "skip",
    workers: int = 1,
    progress: bool = False,
) -> Replay:
    """Take the decisions of `stop` and `save` over every run of a history.

    stop: a rule, or a `Stopper`, whose two rules are taken; its state is neither used nor changed.
    save: the rule that says what is kept (never, if left out); not together with a Stopper.
    on_missing: "skip": at an epoch without its metric a rule keeps its state and does not fire.
        "raise": such an epoch is an error, as in a live run.
    workers: threads to work on blocks of some 16,000 runs. The decisions do not depend on it.
        Whether they pay depends on the machine and the rule: `benchmarks/` measures it.
    progress: show a progress bar (needs tqdm: `pip install "earlystop[progress]"`).

    Above the history and the result it takes at most 64 MB with one worker, and about as much more
    for each other. (A single run is not taken in parts.)

    Raises MissingMetricError for a metric that no epoch reports, and in "raise" mode for the first
    epoch that lacks one; RuleTypeError for arguments that are no rules or no history.

    >>> from earlystop import EarlyStopping, History, replay
    >>> history = History({"val_loss": [[4.0, 3.0, 3.5, 3.6, 2.0], [5.0, 4.0, 3.0, 2.0, 1.0]]})
    >>> result = replay(EarlyStopping("val_loss", patience=2), history)
    >>> result.epochs, result.stopped, result.saved_epoch
    (array([4, 5]), array([ True, False]), array([1, 4]))
    >>> print(result.decisions(0)[-1])
    epoch 3: stop: val_loss has not improved on 3 (epoch 1) by more than 0 for 2 epochs
    """
    if isinstance(stop, Stopper):
        if save is not None:
            raise RuleTypeError(
                "`replay(stop, save=...)`: a Stopper brings its own save rule; "
                "pass `stopper.stop` as the rule to give another"
            )
        rule, save = stop.stop, stop.save
    else:
        rule = stop
    if not isinstance(history, History):
        raise RuleTypeError(
            f"`replay` takes a History, got {type(history).__name__}: wrap the metrics in "
            "earlystop.History(...) or History.from_runs(...); several histories are for `sweep`"
        )
    stopper = Stopper(rule, save, on_missing=on_missing)  # checks the arguments
    workers = validated(Positive, workers, "replay(workers=...)")
    progress = validated(bool, progress, "replay(progress=...)")
    for part in (stopper.stop, stopper.save):
        history.require(part.all_metrics, repr(part))
    outcome = decide(stopper.stop, stopper.save, history, workers=workers, progress=progress)
    if on_missing == "raise":
        metrics = stopper.stop.all_metrics + stopper.save.all_metrics
        require_reported(metrics, history, outcome.epochs, slice(0, history.runs))
    return Replay(*outcome, stopper.stop, stopper.save, on_missing, history)
