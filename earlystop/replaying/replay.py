"""`replay`: the decisions that rules would have made on logged runs."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..errors import RuleTypeError
from ..history import History
from ..language.keywords import by_keyword
from ..language.rule import OnMissing, Rule
from ..language.settings import Positive, validated
from .checks import Checks, checks_of
from .decide import decide
from .missing import require_reported
from .result import Replay

__all__ = ["Replay", "replay"]


@by_keyword("save")
def replay(
    stop: Rule | Stopper,
    history: History,
    *,
    save: Rule | None = None,
    on_missing: OnMissing = "skip",
    workers: int = 1,
    progress: bool = False,
) -> Replay:
    """Make the decisions of `stop` and `save` on every run of a history.

    Epochs are the rows of the history. Only where a log numbers steps, or several rows of an epoch,
    is it checks that are counted: the rows that report a metric the rules look at. Those of
    training losses between validations are none.

    stop: a rule, or a `Stopper`, whose two rules are used; its state is neither used nor changed.
    save: the rule that decides which epochs to save; by default, none are. Not allowed with a
        Stopper, which has its own.
    on_missing: "skip": at a check without its metric a rule keeps its state and does not fire.
        "raise": a row without a metric is an error, as a `step` with it would be in a live run.
    workers: how many threads work on batches of up to about 16,000 runs. The decisions do not
        depend on it. Whether more threads are faster depends on the machine and the rule;
        `benchmarks/` measures it.
    progress: show a progress bar (needs tqdm: `pip install tqdm`).

    Beyond the history and the result, it needs at most 64 MB of memory per worker. (A single run is
    not split.)

    Raises MissingMetricError for a metric that no epoch reports, and with "raise" for the first
    epoch that lacks one; RuleTypeError for arguments that are not rules or not a history.

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
                "`replay(stop, save=...)`: a Stopper has its own save rule; "
                "to use another, pass `stopper.stop` as the rule"
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
    for each in (stopper.stop, stopper.save):
        history.require(each.all_metrics, repr(each))
    metrics = stopper.stop.all_metrics + stopper.save.all_metrics
    checks = Checks(history) if on_missing == "raise" else checks_of(history, metrics)
    rules = stopper.stop, stopper.save
    outcome = decide(*rules, checks.history, workers=workers, progress=progress)
    if on_missing == "raise":
        require_reported(metrics, history, outcome.epochs, slice(0, history.runs))
    return Replay(*outcome, *rules, on_missing, history, checks)
