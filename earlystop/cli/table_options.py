"""The options of data sets: tables of runs, worked on part by part, in processes or by Dask."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from .._text import one_line
from .log_options import LogOptions
from .options import add_options
from .rule_options import RuleOptions

if TYPE_CHECKING:
    from ..datasets import Dataset
    from ..datasets.working import Workers

__all__ = ["TableOptions", "read_of", "table_options"]

_FEW_NOTES = 10


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """The columns of a table, and who works on its parts.

    dask: the address of a Dask scheduler; None for processes of this machine.
    """

    run: str
    step: str | None
    metric: str | None
    value: str | None
    dask: str | None

    def scan(self, logs: LogOptions, options: RuleOptions) -> Dataset:
        """The data set, after the rules have been checked; prints its notes."""
        from ..datasets import scan_history

        options.check()
        if logs.options:
            given = ", ".join(f"--{name.replace('_', '-')}" for name in logs.options)
            raise click.UsageError(f"{given}: for logs, not for a table (--run)")
        dataset = scan_history(
            list(logs.sources), run=self.run, step=self.step, metric=self.metric, value=self.value
        )
        for note in dataset.notes[:_FEW_NOTES]:
            click.echo(one_line(note), err=True)
        return dataset

    @contextlib.contextmanager
    def workers(self, number: int) -> Iterator[Workers]:
        """Who works on the parts."""
        if self.dask is None:
            yield number
            return
        try:
            from distributed import Client
        except ImportError as error:
            raise ImportError("--dask needs Dask: pip install 'dask[distributed]'") from error
        with Client(self.dask) as client:
            yield client.get_executor()


_OPTIONS = [
    click.option(
        "--run",
        metavar="COLUMN",
        help="LOGS are tables (Parquet, Arrow, CSV), and this column has the id of the run: they "
        "are read part by part, whatever their size.",
    ),
    click.option("--step", metavar="COLUMN", help="With --run: the column that orders its rows."),
    click.option(
        "--metric-column",
        "metric",
        metavar="COLUMN",
        help="With --run: the name of the metric, where each row has the value of one.",
    ),
    click.option(
        "--value-column", "value", metavar="COLUMN", help="With --metric-column: its value."
    ),
    click.option(
        "--dask",
        metavar="ADDRESS",
        help="With --run: let the workers of this Dask scheduler do it, such as tcp://host:8786.",
    ),
]


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command is called with `columns`, None without --run."""

    @functools.wraps(command)
    def with_table(
        run: str | None,
        step: str | None,
        metric: str | None,
        value: str | None,
        dask: str | None,
        **rest: Any,
    ) -> Any:
        if run is None and any((step, metric, value, dask)):
            raise click.UsageError("name the column of a table with the id of the run, with --run")
        columns = None if run is None else TableOptions(run, step, metric, value, dask)
        return command(columns=columns, **rest)

    return add_options(with_table, _OPTIONS)


def read_of(dataset: Dataset) -> dict[str, Any]:
    """What was read, as JSON data."""
    return {
        "parts": len(dataset),
        "metrics": None if dataset.metrics is None else list(dataset.metrics),
        "notes": list(dataset.notes),
    }
