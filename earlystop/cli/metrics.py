"""`earlystop metrics`."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

import click

from .._text import count, number
from .extent import LoggedExtent
from .log_options import LogOptions, log_options
from .options import machine_options
from .output import Machine, say, write_csv, write_json
from .proposing import with_proposed_patterns
from .reading import files_of, print_notes, print_skipped, report_of
from .tables import print_table

if TYPE_CHECKING:
    from ..history.history import History

__all__ = ["metrics"]

_FEW = 20  # runs, or files, that are listed without --all


@click.command(short_help="Show what is in logs.")
@log_options
@click.option("--all", "every", is_flag=True, help="List every run and file, however many.")
@click.option(
    "--propose",
    is_flag=True,
    help="For plain text: propose patterns from what recurs in it, and read it with them.",
)
@machine_options
def metrics(logs: LogOptions, every: bool, propose: bool, machine: Machine) -> None:
    """Show what is in logs: files and formats, runs, metrics, and what is not there.

    LOGS are files, folders, glob patterns, or - for the standard input. Of each metric: whether
    lower or higher is better (? where the name does not say), in how many runs it is, how many
    values, gaps (rows of the log that do not report it), NaN and infinities there are, the first,
    the last and the best value (of several runs, the median of these), and how often it is
    reported. --json and --csv have one entry for every metric of every run.

    \b
    earlystop metrics runs/
    earlystop metrics trainer_state.json --json | jq '.metrics[].metric'
    earlystop metrics train.log --propose
    """
    if propose:
        logs = with_proposed_patterns(logs)
    history = logs.read()
    logged = LoggedExtent(history)
    found = {name: _Metric(history, name, logged) for name in history.metrics}
    if machine == "json":
        write_json(
            {
                "read": report_of(history),
                "coordinates": list(history.coordinates),
                "metrics": [metric.summary() for metric in found.values()],
                "runs": [
                    {
                        "run": name,
                        **logged.of_run(run),
                        "metrics": [
                            row for metric in found.values() if (row := metric.of_run(run))
                        ],
                    }
                    for run, name in enumerate(history.names)
                ],
            }
        )
    elif machine == "csv":
        write_csv(
            [
                {
                    "run": name,
                    **logged.of_run(run),
                    **row,
                }
                for run, name in enumerate(history.names)
                for metric in found.values()
                if (row := metric.of_run(run))
            ]
        )
    else:
        _print(history, logged, list(found.values()), every)


class _Metric:
    """What was logged of one metric; arrays of shape (runs,)."""

    def __init__(self, history: History, name: str, logged: LoggedExtent) -> None:
        import numpy as np

        self.name, self.mode = name, _mode(history, name)
        self._logged = logged
        self.reports: list[str] = []
        self.values, self.nan, self.infinite, self.best_row = np.zeros((4, history.runs), int)
        self.first, self.last, self.best = np.full((3, history.runs), np.nan)
        for runs in history.parts():
            self._look(runs, *history.reported_in(runs, name))
        self.gaps = np.where(self.values > 0, history.lengths - self.values, 0)

    def _look(self, part: slice, values: Any, reported: Any) -> None:
        """Look at some of the runs."""
        import numpy as np

        self.values[part] = reported.sum(axis=1)
        self.nan[part] = (np.isnan(values) & reported).sum(axis=1)
        self.infinite[part] = (np.isinf(values) & reported).sum(axis=1)
        runs = np.arange(len(values))
        self.first[part] = values[runs, reported.argmax(axis=1)]
        self.reports += [
            self._logged.reports(run, np.flatnonzero(row)) if row.any() else ""
            for run, row in enumerate(reported, start=part.start)
        ]
        self.last[part] = values[runs, reported.shape[1] - 1 - reported[:, ::-1].argmax(axis=1)]
        self.best_row[part] = -1
        if self.mode is not None:
            sign, counts = (1.0 if self.mode == "min" else -1.0), reported & ~np.isnan(values)
            worst_last = np.where(counts, sign * values, np.inf)
            found = worst_last.argmin(axis=1)
            some = worst_last[runs, found] < np.inf
            self.best_row[part] = np.where(some, found, -1)
            self.best[part] = np.where(some, values[runs, found], np.nan)

    def summary(self) -> dict[str, Any]:
        """Over all runs."""
        has_values = self.values > 0
        return {
            "metric": self.name,
            "mode": self.mode,
            "runs": int(has_values.sum()),
            **{name: int(getattr(self, name).sum()) for name in _COUNTS},
            "first": _median(self.first[has_values]),
            "last": _median(self.last[has_values]),
            "best": _median(self.best[self.best_row >= 0]),
            "reports": _usual([text for text in self.reports if text]),
        }

    def of_run(self, run: int) -> dict[str, Any] | None:
        """In one run; None where it does not report the metric."""
        if not self.values[run]:
            return None
        best = int(self.best_row[run])
        return {
            "metric": self.name,
            "mode": self.mode,
            **{name: int(getattr(self, name)[run]) for name in _COUNTS},
            "first": float(self.first[run]),
            "last": float(self.last[run]),
            "best": None if best < 0 else float(self.best[run]),
            **self._logged.place(run, best),
            "reports": self.reports[run],
        }


def _usual(texts: list[str]) -> str | None:
    """What all texts say, or else what most of them say, and how many do."""
    if not texts:
        return None
    (text, times), *others = collections.Counter(texts).most_common()
    return f"{text} ({times:,} of {count(len(texts), 'run')})" if others else text


_COUNTS = ("values", "gaps", "nan", "infinite")


def _median(values: Any) -> float | None:
    import numpy as np

    values = values[~np.isnan(values)]
    return float(np.quantile(values, 0.5, method="nearest")) if len(values) else None


def _mode(history: History, name: str) -> str | None:
    """The direction that is better, by the log or the name; None if neither says."""
    from ..errors import RuleError
    from ..language.direction import direction

    if history.report is not None and name in history.report.modes:
        return history.report.modes[name]
    try:
        return direction(name, "auto", "metrics")
    except RuleError:
        return None


def _print(history: History, logged: LoggedExtent, found: list[_Metric], every: bool) -> None:
    _print_files(history, every)
    rows = []
    for metric in found:
        row = metric.summary()
        bad = row["nan"] + row["infinite"]
        rows.append(
            [
                row["metric"],
                row["mode"] or "?",
                *(f"{row[name]:,}" for name in ("runs", "values", "gaps")),
                f"{bad:,}" if bad else "",
                *(number(row[name]) for name in ("first", "last", "best")),
                row["reports"] or "",
            ]
        )
    several = history.runs > 1
    print_table(
        [
            "<metric",
            "best\nis",
            "runs",
            "values",
            "gaps",
            "NaN,\ninf",
            "first",
            "last",
            "best",
            "<reported",
        ],
        rows,
        title=f"{count(history.runs, 'run')}, {logged}",
        caption="first, last, best: the median over runs" if several else None,
    )
    if history.coordinates:
        say(f"coordinates: {', '.join(history.coordinates)}")
    if several and (every or history.runs <= _FEW):
        columns = logged.columns()
        rows = [list(row) for row in zip(history.names, *columns.values(), strict=True)]
        print_table(["<run", *columns], rows)
    elif several:
        for line in logged.ranges():
            say(line)
        say("--all lists the runs")
    print_skipped(history)


def _print_files(history: History, every: bool) -> None:
    files = files_of(history)
    if every or len(files) <= _FEW:
        for file in files:
            for line in str(file).splitlines():
                say(line)
        return
    formats = collections.Counter(
        file.format or "left out" for file in files if file.format or file.error
    )
    say(
        f"{count(formats.total(), 'file')}: "
        + ", ".join(f"{name} {amount:,}" for name, amount in formats.most_common())
    )
    print_notes(history)
