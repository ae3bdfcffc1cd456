"""`replay`: the decisions that rules would have made on logged runs."""

from __future__ import annotations

from ..engine.stopper import Stopper
from ..errors import RuleTypeError
from ..history import History
from ..language.keywords import by_keyword
from ..language.rule import OnMissing, Rule
from ..language.settings import Positive, validated
from .decide import decide
from .missing import require_reported
from .result import Replay
from .stepping import checks_for

__all__ = ["Replay", "replay", "stopper_of"]


@by_keyword("save")
def replay(
    stop: Rule | Stopper,
    history: History,
    *,
    save: Rule | None = None,
    on_missing: OnMissing = "skip",
    unit: str | None = None,
    workers: int = 1,
    progress: bool = False,
) -> Replay:
    """Make the decisions of `stop` and `save` on every run of a history.

    The checks are the rows that report a metric the rules look at. Rows of training losses between
    validations, say, are none. (With on_missing="raise", every row is a check.) Where they stand is
    told by the coordinates `epoch` and `step` of the history, and by elapsed seconds.

    stop: a rule, or a `Stopper`, whose two rules are used; its state is neither used nor changed.
    save: the rule that decides which epochs to save; by default, none are. Not allowed with a
        Stopper, which has its own.
    on_missing: "skip": at a check without its metric a rule keeps its state and does not fire.
        "raise": a row without a metric is an error, as a `step` with it would be in a live run.
    unit: in what the cost of runs is told (see `Replay.used`): "checks", "epoch", "step",
        "elapsed_seconds", or a metric that never falls. By default the step, where every run tells
        it, else the epoch, else checks.
    workers: how many threads work on batches of up to about 16,000 runs. The decisions do not
        depend on it. Whether more threads are faster depends on the machine and the rule;
        `benchmarks/` measures it.
    progress: show a progress bar (needs tqdm: `pip install tqdm`).

    Beyond the history and the result, it needs at most 64 MB of memory per worker. (A single run is
    not split.)

    Raises MissingMetricError for a metric or unit that no row reports, and with "raise" for the
    first row that lacks one; HistoryError for a position or unit that goes back within a run;
    RuleTypeError for arguments that are not rules or not a history.

    >>> from earlystop import EarlyStopping, History, replay
    >>> history = History({"val_loss": [[4.0, 3.0, 3.5, 3.6, 2.0], [5.0, 4.0, 3.0, 2.0, 1.0]]})
    >>> result = replay(EarlyStopping("val_loss", patience=2), history)
    >>> result.epochs, result.stopped, result.saved_epoch
    (array([4, 5]), array([ True, False]), array([1, 4]))
    >>> print(result.decisions(0)[-1])
    epoch 3: stop: val_loss has not improved on 3 (epoch 1) by more than 0 for 2 epochs
    """
    stopper = stopper_of(stop, save, on_missing, "replay")
    if not isinstance(history, History):
        raise RuleTypeError(
            f"`replay` takes a History, got {type(history).__name__}: wrap the metrics in "
            "earlystop.History(...) or History.from_runs(...); several histories are for `sweep`"
        )
    workers = validated(Positive, workers, "replay(workers=...)")
    progress = validated(bool, progress, "replay(progress=...)")
    rules = stopper.stop, stopper.save
    checks = checks_for(stopper, history)
    needed = stopper.stop.all_metrics + stopper.save.all_metrics
    stepped = checks.positions.for_rules(needed)
    unit = validated(str | None, unit, "replay(unit=...)") or checks.positions.default_unit()
    checks.positions.amount(unit, stepped.lengths)  # refuses an unknown unit
    outcome = decide(*rules, stepped, workers=workers, progress=progress)
    if on_missing == "raise":
        require_reported(needed, stepped, outcome.epochs, slice(0, history.runs))
    return Replay(*outcome, *rules, on_missing, history, unit, checks)


def stopper_of(
    stop: Rule | Stopper, save: Rule | None, on_missing: OnMissing, owner: str
) -> Stopper:
    """A new stopper of these rules, or of those of a stopper.

    Raises RuleTypeError for what is no rule, and for a stopper with another save rule.
    """
    if not isinstance(stop, Stopper):
        return Stopper(stop, save, on_missing=on_missing)
    if save is not None:
        raise RuleTypeError(
            f"`{owner}(stop, save=...)`: a Stopper has its own save rule; "
            "to use another, pass `stopper.stop` as the rule"
        )
    return Stopper(stop.stop, stop.save, on_missing=on_missing)
