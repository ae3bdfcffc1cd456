"""What the checks of a run reported, by metric, and where they stand.

A check is its number and its metrics; among these are its epoch and its step, if they were given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import MetricError, StateError
from ..language.positions import CHECK, EPOCH, STEP
from ..language.state import decode_state, number_from_json, number_to_json
from .decision import Place

if TYPE_CHECKING:
    from typing_extensions import Self
else:
    Self = Any

__all__ = ["Check", "Reported", "from_record", "to_record", "with_place"]

_ENTRY = "reported"

Check = tuple[int, dict[str, float]]


class Reported:
    """The metrics of a run's checks, collected as they are reported.

    >>> reported = Reported()
    >>> reported.add({"loss": 0.9})
    >>> reported.add({"loss": 0.5, "val_loss": 0.6})
    >>> reported.columns()
    {'loss': [0.9, 0.5], 'val_loss': [None, 0.6]}
    """

    def __init__(self, checks: Iterable[tuple[int, Mapping[str, float]]] = ()) -> None:
        self._numbers: list[int] = []  # of the checks; without gaps, but where some were lost
        self._columns: dict[str, list[float | None]] = {}
        for number, values in checks:
            self.add(values, number)

    def add(self, values: Mapping[str, float], number: int | None = None) -> None:
        """Add a check.

        number: its number, above all so far; by default, the next.
        """
        if number is None:
            number = self._numbers[-1] + 1 if self._numbers else 0
        for name in values:
            if name not in self._columns:
                self._columns[name] = [None] * len(self._numbers)
        for name, column in self._columns.items():
            column.append(values.get(name))
        self._numbers.append(number)

    def columns(self) -> dict[str, list[float | None]]:
        """The values by metric, at the numbers of their checks; None where a check lacked one.

        Checks before the first whose epoch was given are epochs.
        """
        numbers = self._numbers
        known = {name: list(column) for name, column in self._columns.items()}
        for row, epoch in enumerate(known.get(EPOCH, ())):
            if epoch is not None:
                break
            known[EPOCH][row] = numbers[row]
        if not numbers or numbers[-1] == len(numbers) - 1:
            return known
        columns: dict[str, list[float | None]] = {}
        for name, column in known.items():
            columns[name] = [None] * (numbers[-1] + 1)
            for number, value in zip(numbers, column, strict=True):
                columns[name][number] = value
        return columns

    def state_dict(self) -> dict[str, Any]:
        """The checks as plain JSON data, an entry to add to the state of a session."""
        rows = zip(self._numbers, *self._columns.values(), strict=True)
        named = ((number, zip(self._columns, values, strict=True)) for number, *values in rows)
        return {
            _ENTRY: [
                to_record(number, {name: value for name, value in row if value is not None})
                for number, row in named
            ]
        }

    @classmethod
    def from_state(cls, state: object, where: str) -> Self:
        """The checks in the state of a session; none if it has no entry for them.

        Raises StateError, naming `where`, for other data than `state_dict` gives.
        """
        records = state.get(_ENTRY, []) if isinstance(state, Mapping) else []
        if not isinstance(records, list):
            raise StateError(f"the checks {where} are damaged: expected a list")
        return cls(
            from_record(record, f"check {index} {where}") for index, record in enumerate(records)
        )


def with_place(metrics: Mapping[str, float], place: Place | None) -> dict[str, float]:
    """The metrics of a check together with its position, if that was given.

    Raises MetricError if there is a position, and a metric has the name of the check's number.
    """
    if place is None:
        return dict(metrics)
    if CHECK in metrics:
        raise MetricError(
            f"a metric of a check with an epoch or a step must not be named {CHECK!r}, which is "
            "the number of the check: give it another name"
        )
    told = {EPOCH: place.epoch, STEP: place.step}
    return {**{name: at for name, at in told.items() if at is not None}, **metrics}


def to_record(number: int, metrics: Mapping[str, float]) -> dict[str, Any]:
    """A check as plain JSON data.

    Its number is the first entry: "check" if its epoch or step was given, else "epoch".

    >>> to_record(1, {"loss": float("nan"), "elapsed_seconds": 2.5})
    {'epoch': 1, 'loss': 'nan', 'elapsed_seconds': 2.5}
    >>> to_record(1, {"epoch": 0.5, "step": 200.0, "loss": 0.25})
    {'check': 1, 'epoch': 0.5, 'step': 200, 'loss': 0.25}
    """
    values = {name: number_to_json(value) for name, value in metrics.items()}
    if EPOCH not in metrics and STEP not in metrics:
        return {EPOCH: number, **values}
    told = {name: values.pop(name) for name in (EPOCH, STEP) if name in values}
    return {CHECK: number, **{name: _whole(at) for name, at in told.items()}, **values}


def from_record(record: object, where: str) -> Check:
    """The check that `to_record` made. Raises StateError, naming `where`, for other data."""
    if not isinstance(record, Mapping) or not {EPOCH, CHECK} & set(record):
        raise StateError(f'{where} should be an object with an "{EPOCH}", got {record!r:.80}')
    name = CHECK if next(iter(record)) == CHECK else EPOCH
    number: int = decode_state(record.get(name), 0, f"{where}: {name}")
    if number < 0:
        raise StateError(f"{where}: {name} should be at least 0, got {number}")
    return number, {
        metric: number_from_json(value, f"{where}: {metric}")
        for metric, value in record.items()
        if metric != name
    }


def _whole(position: Any) -> Any:
    return int(position) if isinstance(position, float) and position % 1 == 0 else position
