"""How much runs logged: epochs, steps, time and rows, and how often a metric was reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._text import count, duration

if TYPE_CHECKING:
    from ..history.history import History

__all__ = ["LoggedExtent"]


class LoggedExtent:
    """What the rows of the runs of a history span.

    rows: of each run, shape (runs,).
    epochs, steps, seconds: of each run; NaN for one that does not report it, None if no run does.
    """

    def __init__(self, history: History) -> None:
        from ..language.positions import ELAPSED, EPOCH, STEP
        from ..replaying.position_columns import row_positions

        self.rows: Any = history.lengths
        self._ends = self.rows.cumsum()
        self._intervals: dict[tuple[int, int, int], str] = {}
        self._epochs, self._steps, seconds = (
            row_positions(history, name) for name in (EPOCH, STEP, ELAPSED)
        )
        self.epochs = self._of_runs(self._epochs, _epochs_done)
        self.steps = self._of_runs(self._steps, lambda steps: steps.max())
        self.seconds = self._of_runs(seconds, _time_taken)

    def _of_runs(self, values: Any, how: Any) -> Any:
        import numpy as np

        if values is None:
            return None
        parts = (values[self._cells(run)] for run in range(len(self.rows)))
        told = [how(part) if len(part) and not np.isnan(part).any() else np.nan for part in parts]
        amounts = np.array(told, dtype=np.float64)
        return None if np.isnan(amounts).all() else amounts

    def _cells(self, run: int) -> slice:
        return slice(int(self._ends[run] - self.rows[run]), int(self._ends[run]))

    def of_run(self, run: int) -> dict[str, Any]:
        """What one run spans, None for what it does not report."""
        amounts = {"epochs": self.epochs, "steps": self.steps, "elapsed_seconds": self.seconds}
        told = {
            name: None if each is None or each[run] != each[run] else _whole(float(each[run]))
            for name, each in amounts.items()
        }
        return {**told, "rows": int(self.rows[run])}

    def totals(self) -> dict[str, Any]:
        """The sums over runs, None for what no run reports."""
        runs = [self.of_run(run) for run in range(len(self.rows))]
        sums: dict[str, Any] = {}
        for name in ("epochs", "steps", "elapsed_seconds", "rows"):
            told = [row[name] for row in runs if row[name] is not None]
            sums[name] = sum(told) if told else None
        return sums

    def columns(self) -> dict[str, list[str]]:
        """What each run spans, in words, by heading; no heading for what no run reports."""
        from ..language.positions import number_text

        told = {
            name: ["-" if each != each else number_text(each) for each in amounts.tolist()]
            for name, amounts in self._counts().items()
        }
        if self.seconds is not None:
            told["time"] = [duration(each) for each in self.seconds.tolist()]
        return told

    def _counts(self) -> dict[str, Any]:
        """The numbers that runs report, by name; rows only if they are not the epochs."""
        amounts = {"epochs": self.epochs, "steps": self.steps, "rows": self.rows}
        if self.epochs is not None and (self.epochs == self.rows).all():
            del amounts["rows"]
        return {name: each for name, each in amounts.items() if each is not None}

    def ranges(self) -> list[str]:
        """What runs span, from the least to the most, as far as it is known."""
        import numpy as np

        found = []
        timed = {} if self.seconds is None else {"time": self.seconds}
        for name, each in {**self._counts(), **timed}.items():
            told = each[~np.isnan(each)]
            least, median, most = np.quantile(told, (0.0, 0.5, 1.0), method="nearest").tolist()
            text = duration if name == "time" else _number
            found.append(f"{name} a run: {text(least)} to {text(most)}, median {text(median)}")
        return found

    def place(self, run: int, row: int) -> dict[str, Any]:
        """Where the best of a run stands: its epoch and step, None for what is unknown."""
        cell = self._cells(run).start + row
        told = {"best_epoch": self._epochs, "best_step": self._steps}
        return {
            name: None
            if row < 0 or each is None or each[cell] != each[cell]
            else _whole(float(each[cell]))
            for name, each in told.items()
        } | {"best_row": None if row < 0 else row}

    def reports(self, run: int, rows: Any) -> str:
        """How often a run reported what it reported in these rows.

        Such as "every epoch", "every 50 steps", "3 times an epoch", "irregularly".
        """
        key = run, len(rows), hash(rows.tobytes())  # metrics are often reported together
        if key not in self._intervals:
            self._intervals[key] = "once" if len(rows) == 1 else self._interval(run, rows)
        return self._intervals[key]

    def _interval(self, run: int, rows: Any) -> str:
        found = None
        epochs, steps = (
            None if each is None else each[self._cells(run)][rows]
            for each in (self._epochs, self._steps)
        )
        if epochs is not None and (epochs % 1 == 0).all():
            found = _regular(epochs, "epoch")
        if found is None and steps is not None:
            found = _regular(steps, "step")
        if found is None and epochs is not None:
            found = _regular(epochs, "epoch") or _times_an_epoch(epochs)
        if found is None and epochs is None and steps is None:
            found = _regular(rows, "row")
        return found or "irregularly"

    def __str__(self) -> str:
        totals, rows = self.totals(), int(self.rows.sum())
        told = [
            f"{_number(totals[name])} {name if totals[name] != 1 else name[:-1]}"
            for name in ("epochs", "steps")
            if totals[name] is not None
        ]
        text = count(rows, "row")
        if told and not (len(told) == 1 and totals["epochs"] == rows):
            text = f"{', '.join(told)} in {text}"
        elif told:
            text = told[0]
        if totals["elapsed_seconds"] is not None:
            text += f", {duration(totals['elapsed_seconds'])}"
        return text


def _number(value: float) -> str:
    from ..language.positions import number_text

    return number_text(value)


def _whole(value: float) -> float:
    return int(value) if value % 1 == 0 else value


def _time_taken(seconds: Any) -> float:
    """The time that a run takes; NaN if it falls."""
    import numpy as np

    return float("nan") if (np.diff(seconds) < 0).any() else float(seconds[-1])


def _epochs_done(numbers: Any) -> float:
    """How many epochs are done at the end, by the numbers of all epochs in a run."""
    import numpy as np

    from ..engine.positions import counts_from_zero, epochs_by

    known = np.unique(numbers)
    last = float(known[-1])
    if (known % 1 != 0).any():
        return last
    between = known[1] - known[0] if len(known) > 1 else 0
    return float(epochs_by(last, bool(counts_from_zero(known[0], between))))


def _regular(places: Any, unit: str) -> str | None:
    """The interval between these places, if all are equal; the first and last may be shorter."""
    between = places[1:] - places[:-1]
    every = float(between[len(between) // 2])
    middle = between[1:-1] if len(between) > 3 else between
    even = (abs(middle - every) <= every * 1e-3).all() and (between <= every * 1.001).all()
    if not (every > 0 and even and (between > 0).all()):
        return None
    return f"every {unit}" if every == 1 else f"every {_number(every)} {unit}s"


def _times_an_epoch(epochs: Any) -> str | None:
    """How many times per epoch, if all epochs but the last have equally many."""
    import numpy as np

    if (epochs % 1 != 0).any():
        return None
    _, times = np.unique(epochs, return_counts=True)
    if len(times) < 2 or (times[:-1] != times[0]).any() or times[-1] > times[0]:
        return None
    return f"{int(times[0])} times an epoch"
