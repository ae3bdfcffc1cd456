"""`watch`: follows a log that is being written, and decides as `replay` does once it is over."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

from ..engine.decision import Decision
from ..engine.stopper import Stopper
from ..errors import HistoryError, LogError, LogWarning, MissingMetricError, warn_caller
from ..history import History
from ..language.keywords import by_keyword
from ..language.positions import ELAPSED
from ..language.rule import OnMissing, Rule
from ..language.settings import NonNegative, validated
from ..logs.read import read_as, reading
from ..replaying.checks import looked_at
from ..replaying.replay import stopper_of
from ..replaying.stepping import LoggedStep, checks_for, steps_of
from ..rules.best import best_of
from .files import Watched, watched
from .followed import followed_run
from .outlook import checks_left, outlook
from .process import Process
from .revised import Revision, revision_of
from .settled import beginning_of, settled_rows

__all__ = ["Watch", "watch"]

Ended = Literal["", "stopped", "complete", "quiet"]

_NOT_YET = (HistoryError, MissingMetricError, OSError)  # what a log that is being written may raise
_IDLE = 20  # times as long as it takes to read the log: then it is not read
_RECENT = 10  # checks that tell how long one takes


@by_keyword("save")
def watch(
    stop: Rule | Stopper,
    source: Any,
    *,
    save: Rule | None = None,
    on_missing: OnMissing = "skip",
    run: str | None = None,
    pid: int | None = None,
    interval: float = 1.0,
    settle: float = 10.0,
    timeout: float | None = None,
    **how: Any,
) -> Watch:
    """Follow the log of a run while it is written, and decide on every check as it comes.

    Iterate over it: each item is the `Decision` on one check, and the last one says stop, if the
    rule does before the run ends. The decisions are those of `replay` on the finished log: a check
    is decided on when nothing that is still to come can change it. The log is read, never written,
    and need not be there yet. Halves of lines are waited for; a log that is begun anew, or whose
    run is resumed from an earlier epoch, is decided on anew, with a LogWarning.

    stop, save, on_missing: as in `replay`.
    source: a file, a folder, a glob pattern, or an open file such as `sys.stdin.buffer`, in any
        format that `read_history` reads.
    run: the name of the run, where there are several; by default, the last one in the file that was
        changed last.
    pid: the process that trains, on this machine: when it has ended, the log is complete.
    interval: seconds between looks at the log; more if reading it takes longer than a twentieth.
    settle: seconds for which the last check must not have changed, to be decided on. Where the next
        check has begun, it is decided on at once.
    timeout: give up when the log has not changed for this many seconds. By default, never.
    how: arguments of `read_history`, such as `format`, `pattern` or `rename`.

    Raises what `replay` raises for invalid rules and `read_history` for invalid arguments, at once;
    RuleError for a process that is not there. When a log ends, or times out, that never had what
    the rules look at, or could not be read, the error that says so is raised then.

    >>> import earlystop as es, pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> log = pathlib.Path(folder.name, "metrics.csv")
    >>> _ = log.write_text("epoch,val_loss\\n0,0.9\\n1,0.5\\n2,0.6\\n3,0.7\\n")  # by a training
    >>> for decision in es.watch(es.EarlyStopping("val_loss", patience=2), log, settle=0):
    ...     print(decision)
    epoch 0: save, continue
    epoch 1: save, continue
    epoch 2: continue
    epoch 3: stop: val_loss has not improved on 0.5 (epoch 1) by more than 0 for 2 epochs
    >>> folder.cleanup()
    """
    stopper = stopper_of(stop, save, on_missing, "watch")
    return Watch(
        stopper,
        source,
        run=run,
        pid=pid,
        interval=interval,
        settle=settle,
        timeout=timeout,
        **how,
    )


class Watch:
    """A run that is watched; see `watch`, which makes one.

    stopper: what decides; ask it for its best, and by `explain` where the run stands.
    history: what was read of the run last; None before anything was.
    run: the name of the run that is followed; "" before there is one.
    ended: "" while it goes on; "stopped" by a rule; "complete": the process has ended or the
        stream was closed; "quiet": timed out.
    trouble: why the log cannot be read, or decided on, at the moment; None if it can.
    notes: what happened to the log: begun anew, resumed. Whoever shows them takes them out.
    steps: the metrics and the place of every check that was decided on.

    >>> import earlystop as es, pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> log = pathlib.Path(folder.name, "metrics.csv")
    >>> watch = es.watch(es.EarlyStopping("val_loss", patience=5), log, settle=0)
    >>> watch.poll(), type(watch.trouble).__name__
    ([], 'FileNotFoundError')
    >>> _ = log.write_text("epoch,val_loss\\n0,0.9\\n1,0.5\\n2,0.6\\n")  # by a training
    >>> [decision.save for decision in watch.poll()], watch.explain()
    ([True, True, False], 'val_loss: 1 of 5 epochs without improvement, needs < 0.5')
    >>> folder.cleanup()
    """

    def __init__(
        self,
        stopper: Stopper,
        source: Any,
        *,
        run: str | None = None,
        pid: int | None = None,
        interval: float = 1.0,
        settle: float = 10.0,
        timeout: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        **how: Any,
    ) -> None:
        self.interval = validated(NonNegative, interval, "watch(interval=...)")
        self.settle = validated(NonNegative, settle, "watch(settle=...)")
        self.timeout = validated(NonNegative | None, timeout, "watch(timeout=...)")
        self.stopper = Stopper(stopper.stop, stopper.save, on_missing=stopper.on_missing)
        self._reading = reading({**how, "growing": True})
        self._log = _log(source)
        self._process = None if pid is None else Process(validated(int, pid, "watch(pid=...)"))
        self._name, self._clock, self._sleep = run, clock, sleep
        self._metrics = looked_at((self.stopper.stop, self.stopper.save))
        self.history: History | None = None
        self.run = ""
        self.ended: Ended = ""
        self.trouble: Exception | None = None
        self.notes: list[str] = []
        self.steps: list[LoggedStep] = []
        self._state: object = None
        self._changed = clock()
        self._cost = 0.0  # seconds that reading took last
        self._reads = 0
        self._decided = (0, False)  # after which reading, and in which way
        self._arrivals: list[float] = []  # when checks came, but for those that were there
        self._logged_seconds: list[float] = []

    # Following ---------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Decision]:
        while not self.ended:
            for decision in self.look():
                self._warn_of_notes()
                yield decision
            self._warn_of_notes()
            if not self.ended:
                self._sleep(self.pause)

    def _warn_of_notes(self) -> None:
        while self.notes:
            warn_caller(f"{self._log.name}: {self.notes.pop(0)}", LogWarning)

    @property
    def pause(self) -> float:
        """How many seconds to wait before the next look."""
        return max(float(self.interval), _IDLE * self._cost)

    def poll(self) -> list[Decision]:
        """Look at the log now, and decide on the checks that have come, without waiting.

        Raises, when the log has ended, the error that kept it from being read or decided on.
        """
        return list(self.look())

    def look(self) -> Iterator[Decision]:
        """As `poll`, but yields one decision after another.

        At each, the stopper and `explain` say where the run stood at that check. Checks that are
        not consumed are decided on at the next look.
        """
        if self.ended:
            return
        complete = self._log.complete or (self._process is not None and self._process.ended)
        state = self._log.state()
        changed = state != self._state
        if changed:
            self._state, self._changed = state, self._clock()
        quiet = self._clock() - self._changed
        final = complete or (self.timeout is not None and quiet >= self.timeout)
        if changed or final:
            self._read(growing=not final)
        yield from self._decide(last_counts=final or quiet >= self.settle)
        if final and not self.ended:
            if self.trouble is not None:
                raise self.trouble
            self.ended = "complete" if complete else "quiet"

    def _read(self, *, growing: bool) -> None:
        options = dataclasses.replace(self._reading.options, growing=growing)
        began = time.perf_counter()
        try:
            how = self._reading._replace(options=options)
            # Of a folder, files that are being written are left out until they can be read.
            history = read_as(self._log.source(), how, warns=not growing)
            row = followed_run(history, self._metrics, self._name)
        except _NOT_YET as error:
            self.trouble = error
            return
        finally:
            self._cost = time.perf_counter() - began
        self.trouble = None
        self._reads += 1
        if history.names[row] != self.run and history.runs > 1:
            self.notes.append(f"follows {history.names[row]!r}, one of {history.runs:,} runs")
        self.run, self.history = history.names[row], history[[row]]

    def _decide(self, *, last_counts: bool) -> Iterator[Decision]:
        last_counts = last_counts and self.trouble is None  # else there is more, not yet read
        if self.history is None or self._decided == (self._reads, last_counts):
            return
        try:
            rows = settled_rows(self.history, self._metrics, last_counts=last_counts)
            steps = self._steps_of(rows)
        except _NOT_YET as error:
            self.trouble = error
        else:
            yield from self._take(steps)
        self._decided = self._reads, last_counts

    def _steps_of(self, rows: int) -> list[LoggedStep]:
        """The steps of the first rows. Raises MissingMetricError for a metric not yet reported."""
        if self.history is None:
            return []
        whole = checks_for(self.stopper, self.history)
        settled = beginning_of(self.history, rows)
        if settled is None:
            return []
        checks = whole if settled is self.history else checks_for(self.stopper, settled)
        seconds = checks.positions.column(ELAPSED)
        self._logged_seconds = [] if seconds is None else seconds[-_RECENT - 1 :].tolist()
        return list(steps_of(self.stopper, checks, 0))

    def _take(self, steps: list[LoggedStep]) -> Iterator[Decision]:
        """Decide on the steps that are new or have changed."""
        known = len(self.steps)
        revision: Revision = revision_of(self.steps, steps)
        if revision.note and revision.note not in self.notes:
            self.notes.append(revision.note)
        if revision.shorter:
            return
        if revision.again:
            self.stopper.reset()
            self.steps = []
        new = steps[len(self.steps) :]
        if known and new:
            self._arrivals.append(self._clock())
        for step in new:
            self.steps.append(step)
            decision = self.stopper.step(step.metrics, **step.place)
            if decision.stop:
                self.ended = "stopped"
            if decision.check >= revision.first or decision.stop:
                yield decision
            if decision.stop:
                return

    # What to show ------------------------------------------------------------------------------

    @property
    def monitor(self) -> str | None:
        """The metric that says which check is best, or else the first that rules look at."""
        best = best_of(self.stopper.save)
        return best.monitor if best is not None else next(iter(self._metrics), None)

    @property
    def values(self) -> list[float]:
        """The values of the monitor at the checks that were decided on and report it."""
        found = (step.metrics.get(self.monitor or "") for step in self.steps)
        return [value for value in found if value is not None]

    def values_at(self, check: int) -> float | None:
        """The value of the monitor at a check; None if the check did not report it."""
        return self.steps[check].metrics.get(self.monitor or "")

    @property
    def title(self) -> str:
        """What is watched, as a title: the metric, the log, and the run in it."""
        name, run = self._log.name, self.run
        which = "" if run in ("", "run 0", name) or run in name else f", {run}"
        return f"{self.monitor or 'checks'} in {name}{which}"

    def explain(self) -> str:
        """Where the run stands, in words; see `Stopper.explain`."""
        if not self.steps:
            why = "its first check" if self.trouble is None else str(self.trouble)
            return f"waits for {why}" if self.trouble is None else f"waits: {why}"
        return self.stopper.explain(self.steps[-1].metrics)

    def outlook(self) -> str:
        """What comes next, in words; "" when it has ended or nothing is known."""
        if self.ended or not self.steps:
            return ""
        seconds = self._seconds_a_check()
        left = checks_left(self.stopper, self.steps[-2:], seconds)
        since = self._clock() - self._arrivals[-1] if self._arrivals else 0.0
        return outlook(left, seconds if self._arrivals else None, since)

    def _seconds_a_check(self) -> float | None:
        """How long a check takes in seconds, by the time in the log, else by when checks came."""
        for times in (self._logged_seconds, self._arrivals[-_RECENT - 1 :]):
            gaps = [after - before for before, after in itertools.pairwise(times)]
            if gaps and all(gap > 0 for gap in gaps):
                return statistics.median(gaps)
        return None


def _log(source: Any) -> Watched:
    try:
        return watched(source)
    except TypeError:
        raise LogError(
            "expected a file, a folder, a glob pattern or an open file to watch, got "
            f"{type(source).__name__}"
        ) from None
