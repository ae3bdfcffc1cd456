"""`read_history`: reads the logs of training tools into a `History`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from .._arguments import argument
from ..errors import (
    HistoryError,
    LogError,
    LogWarning,
    RuleError,
    RuleTypeError,
    name_advice,
    warn_caller,
)
from ..history.history import History
from ..language.keywords import by_keyword
from ..language.settings import validated
from .assemble import assemble
from .console_output import leave_out_console_output
from .discover import Discovered, discover
from .in_folders import counted_or_known, is_proven, looks_like_a_log
from .limits import Limits
from .log_format import LogFormat
from .options import Options
from .patterns import compile_patterns
from .read_source import ReadSource
from .registry import find_format, recognised_format
from .renaming import Renames, checked_renames
from .resume import split_runs
from .run import Run
from .source import Source

__all__ = ["Reading", "read_as", "read_history", "reading"]

Repeats = Literal["replace", "keep"]
OnError = Literal["raise", "skip"]


@by_keyword("format")
def read_history(
    source: Any,
    *,
    format: str | None = None,
    metrics: str | Iterable[str] | None = None,
    derived: Mapping[str, str | Callable[..., Any]] | None = None,
    rename: Mapping[str, str] | None = None,
    coordinate: str | None = None,
    repeats: Repeats = "replace",
    on_error: OnError = "raise",
    separator: str | None = None,
    pattern: Any = None,
    encoding: str = "utf-8",
    value_name: str = "value",
    nan_is_gap: bool | None = None,
    growing: bool = False,
    limits: Limits | None = None,
    progress: bool = False,
) -> History:
    r"""Read a history from the logs of any training tool; the format is recognised by content.

    source: a file, a folder, a glob pattern, an open file (of text or bytes), a list of records
        (dicts, one per epoch), a data frame (pandas, polars, pyarrow), a NumPy array of shape
        (epochs,) or (runs, epochs), or a list of any of these. Files may be packed with gzip.
    format: the name of the format (see `es.logs.formats()`); by default, it is recognised.
    metrics: the names of the metrics to keep; by default, all. Coordinates are always kept, and
        no run needs to have "epoch", "step" or "elapsed_seconds".
    derived: further metrics, by name: an expression or a function of others, see
        `History.derive`.
    rename: new names of metrics, by the names in the logs, such as
        `{"eval_loss": "val_loss", "validation/loss": "val_loss"}`, so that the logs of several
        tools answer one question. Of several names for one metric, the first that a run has counts,
        before all others the new name itself. `metrics` and `derived` use the new names.
    coordinate: the name of the column that counts the rows, if it is unusual.
    repeats: what to do with rows that a resumed run reports again. "replace": the later report of
        an epoch replaces the earlier, and everything after it is dropped. "keep": all rows stay. In
        both cases a restarted run becomes a separate run; `es.logs` has the full rule.
    on_error: "raise" an error, or "skip" what cannot be read, with a warning. Of a file that is
        damaged in the middle, the part before the damage is kept if possible.
    separator: the separator of columns in a text table; by default, inferred from its first lines.
    pattern: for plain text, one or several regular expressions that are searched in every line.
        Their named groups are the metrics; or two groups are called `name` and `value`. An epoch
        ends where a metric is found again (or where `epoch` or `step`, if there is such a group,
        changes). The first 2,000 characters of a line are searched; a pattern with repetitions
        within repetitions, such as `(a+)+b`, may still take for ever on a line made for it.
    encoding: the encoding of text without a byte order mark.
    value_name: the name for the values of a plain array, which has no names.
    nan_is_gap: whether a NaN in a data frame means "not reported"; by default, only in pandas
        columns that cannot represent gaps otherwise.
    growing: whether the log is being written: a last line without its end, which may be half of
        one, is then left out.
    limits: how large a log may be (`es.logs.Limits`).
    progress: show a progress bar (needs tqdm: `pip install tqdm`).

    Epochs are in the order of the log. Steps, epochs and times are kept in `history.coordinates`;
    `history.report` says what was read from which file, and what was left out or replaced. A value
    that was not logged is a gap, a logged NaN is a value.

    Raises LogError (a HistoryError and ValueError), naming the file, the position in it and what
    was expected; OSError if a file cannot be opened; MissingMetricError for a metric that no run
    has; HistoryError for invalid arguments; ImportError, naming what to install, for Parquet, Arrow
    and data frames.

    >>> import earlystop as es, io
    >>> file = io.StringIO("epoch,loss,val_loss\n0,0.9,1.0\n1,0.5,\n2,0.3,0.7\n")
    >>> history = es.read_history(file)
    >>> history
    History(1 run, up to 3 epochs: loss, val_loss)
    >>> history.reported("val_loss").tolist(), history.coordinates["epoch"].tolist()
    ([[True, False, True]], [[0.0, 1.0, 2.0]])

    >>> lines = io.StringIO("epoch 1: train 0.9 | valid 1.2\nepoch 2: train 0.5 | valid 0.8\n")
    >>> pattern = r"epoch (?P<epoch>\d+): train (?P<loss>\S+) \| valid (?P<val_loss>\S+)"
    >>> es.read_history(lines, pattern=pattern).metrics["val_loss"].tolist()
    [[1.2, 0.8]]
    """
    return read_as(
        source,
        _checked(
            format=format,
            metrics=metrics,
            derived=derived,
            rename=rename,
            coordinate=coordinate,
            repeats=repeats,
            on_error=on_error,
            separator=separator,
            pattern=pattern,
            encoding=encoding,
            value_name=value_name,
            nan_is_gap=nan_is_gap,
            growing=growing,
            limits=limits,
            progress=progress,
        ),
    )


class Reading(NamedTuple):
    """How logs are read: the validated arguments of `read_history`."""

    options: Options
    forced: LogFormat | None
    wanted: set[str] | None
    derived: Mapping[str, str | Callable[..., Any]]
    renames: Renames
    progress: bool


def reading(how: Mapping[str, Any]) -> Reading:
    """Some arguments of `read_history`, validated, to read with them again and again.

    Raises LogError for an unknown format, HistoryError for invalid arguments, RuleTypeError for
    one that `read_history` does not take.
    """
    defaults: dict[str, Any] = inspect.unwrap(read_history).__kwdefaults__
    for name in how.keys() - defaults.keys():
        advice = name_advice(name, defaults, "arguments")
        raise RuleTypeError(f"`read_history` takes no argument {name!r}; {advice}")
    return _checked(**{**defaults, **how})


def _checked(
    *,
    format: str | None,
    metrics: str | Iterable[str] | None,
    derived: Mapping[str, str | Callable[..., Any]] | None,
    rename: Mapping[str, str] | None,
    coordinate: str | None,
    repeats: Repeats,
    on_error: OnError,
    separator: str | None,
    pattern: Any,
    encoding: str,
    value_name: str,
    nan_is_gap: bool | None,
    growing: bool,
    limits: Limits | None,
    progress: bool,
) -> Reading:
    repeats = _choice(Repeats, repeats, "repeats")
    on_error = _choice(OnError, on_error, "on_error")
    if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
        raise HistoryError(
            f"{argument('separator', owner='read_history')} must be one character, got "
            f"{separator!r}"
        )
    wanted = None if metrics is None else {metrics} if isinstance(metrics, str) else set(metrics)
    options = Options(
        wanted=None if wanted is None or derived or rename else frozenset(wanted),
        coordinate=coordinate,
        repeats=repeats,
        skip=on_error == "skip",
        separator=separator,
        pattern=pattern if pattern is None else compile_patterns(pattern),
        encoding=_encoding(encoding),
        value_name=value_name,
        nan_is_gap=nan_is_gap,
        growing=_choice(bool, growing, "growing"),
        limits=limits or Limits(),
    )
    renames, forced = checked_renames(rename), None if format is None else find_format(format)
    return Reading(options, forced, wanted, derived or {}, renames, progress)


def read_as(source: Any, how: Reading, *, warns: bool = True) -> History:
    """The history in a source. Raises what `read_history` does.

    warns: whether it warns of what is left out; the report lists it anyway.
    """
    options = how.options
    reader = _Reader(options, how.forced, options.skip)
    reads, unread = list[ReadSource](), list[LogError]()
    for found in _with_bar(discover(source, options), how.progress):
        read = reader.read(found)
        if read.error is not None and not read.error.not_a_log:
            if not options.skip:
                unread.append(read.error)
            elif warns:
                warn_caller(f"skipped: {read.error}", LogWarning)
        reads.append(read)
    leave_out_console_output([read for read in reads if read.found])
    if unread and warns:
        warn_caller(_listed(unread), LogWarning)
    return assemble(reads, options.limits, how.wanted, how.derived, how.renames)


def _listed(errors: Sequence[LogError]) -> str:
    """Files of a folder that look like logs, with why they could not be read."""
    few = "".join(f"\n  {str(error)[:500]}" for error in errors[:_FEW])
    more = f"\n  and {len(errors) - _FEW:,} more: see `history.report`" if errors[_FEW:] else ""
    what = (
        "1 file looks like a log" if len(errors) == 1 else f"{len(errors):,} files look like logs"
    )
    left_out = "is left out" if len(errors) == 1 else "are left out"
    return f"{what} but could not be read, and {left_out}:{few}{more}"


_FEW = 5


def _with_bar(found: Iterable[Discovered], progress: bool) -> Iterator[Discovered]:
    if not progress:
        yield from found
        return
    from .._parallel import progress_bar

    sources = list(found)
    with progress_bar("read_history", desc="read_history", total=len(sources), unit="file") as bar:
        for source in sources:
            yield source
            bar.update()


class _Reader:
    """Reads sources with the settings of one call of `read_history`."""

    def __init__(self, options: Options, forced: LogFormat | None, may_skip: bool) -> None:
        self._options, self._forced, self._skip = options, forced, may_skip

    def read(self, source: Discovered) -> ReadSource:
        """The runs of one source, or the error if errors are skipped."""
        read = ReadSource(source.name, source.parts, source.found, notes=list(source.notes))
        if source.aside:
            return read
        format = None
        try:
            if source.read is not None:
                name, runs = source.read()
            else:
                format = self._forced or recognised_format(source.log, among_others=source.found)
                name, runs = format.name, self._of_format(source, format)
            read.runs = self._split(source, runs)
            read.format = name
        except LogError as error:
            if not source.found and not self._skip:
                raise
            if not (self._skip or self._is_left_out(source, format, error)):
                raise _with_way_out(error) from None
            read.error = error
        except OSError as error:
            if not (self._skip or (source.found and format is None)):
                raise
            read.error = LogError(f"cannot be read: {error}", source.name)
        read.error = read.error or source.log.damage
        read.notes += source.log.notes
        return read

    def _is_left_out(self, source: Discovered, format: LogFormat | None, error: LogError) -> bool:
        """Is a file of a folder with this error left out, rather than end the reading?"""
        if error.not_a_log or source.read is not None:
            return error.not_a_log
        if format is not None and (self._forced or is_proven(source.log, format)):
            return False
        error.not_a_log = not looks_like_a_log(source.log)
        return True

    def _of_format(self, source: Discovered, format: LogFormat) -> Iterable[Run]:
        log, runs = source.log, format.read(source.log)
        if source.found and format.general and self._forced is None:
            return counted_or_known(log, self._bounded(log, runs), by_header=format.name == "table")
        return runs

    def _split(self, source: Discovered, runs: Iterable[Run]) -> list[Run]:
        """The runs, with those told apart that follow each other in a log."""
        log, found = source.log, list[Run]()
        for run in self._bounded(log, runs):
            if run.length and run.metrics:
                found += split_runs(run, self._options.coordinate, self._options.repeats)
        if not found:
            raise log.damage or log.wrong("there is no metric in it", not_a_log=source.found)
        return found

    def _bounded(self, log: Source, runs: Iterable[Run]) -> Iterator[Run]:
        """The runs. Raises LogError for more runs, or metrics, than the limits allow."""
        most = log.limits.names
        for run in runs:
            log.count_run()
            if len(run.metrics) > most and log.value is None:
                raise log.wrong(f"more than {most:,} metrics (see `limits`)")
            yield run


def _with_way_out(error: LogError) -> LogError:
    """The error of one file of a folder, with the way to read the others."""
    others = f"{argument('on_error', 'skip')} reads the folder without what is damaged"
    return LogError(f"{error.message}; {others}", error.source, error.place)


def _choice(allowed: Any, value: Any, name: str) -> Any:
    try:
        return validated(allowed, value, f"read_history({name}=...)")
    except RuleError as error:
        raise HistoryError(str(error)) from None


def _encoding(name: str) -> str:
    import codecs

    try:
        return codecs.lookup(name).name
    except (LookupError, TypeError):
        which = argument("encoding", owner="read_history")
        raise HistoryError(f"{which}: no encoding {name!r}") from None
