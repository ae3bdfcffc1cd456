"""The envelope of all saved data: its format, its version, and how older versions load.

    {"format": "earlystop.Stopper", "version": 1, ...the body...}

A kind of saved data declares its name, its current version and one migration from each older
version to the next. Data of an older version is migrated before it is read; data of a newer version
is refused. `tests/data/` holds a file of every version released so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import StateError, shortened

__all__ = ["SavedFormat"]

Migration = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class SavedFormat:
    """A kind of saved data.

    name: the entry "format", such as "earlystop.Stopper".
    version: the entry "version" that this library writes, from 1.
    source: what writes such data, for errors: "a state from `Stopper.state_dict()`".
    migrations: for every older version, a function from a body of it to one of the next version.

    >>> saved = SavedFormat("example", 2, "an example", {1: lambda body: {"size": body["length"]}})
    >>> saved.wrap({"size": 3})
    {'format': 'example', 'version': 2, 'size': 3}
    >>> saved.unwrap({"format": "example", "version": 1, "length": 3})
    {'size': 3}
    """

    name: str
    version: int
    source: str
    migrations: Mapping[int, Migration] = field(default_factory=dict)

    def wrap(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body in its envelope."""
        return {"format": self.name, "version": self.version, **body}

    def matches(self, data: object) -> bool:
        """Whether data claims to be of this kind, whatever its version."""
        return isinstance(data, Mapping) and data.get("format") == self.name

    def unwrap(self, data: object, where: str = "") -> dict[str, Any]:
        """The body, migrated to the current version.

        where: what holds the data, for errors, such as "the ledger 'runs/1/checkpoints.json'".

        Raises StateError for data of another kind, of a newer version, or without a version.
        """
        if not isinstance(data, Mapping) or not self.matches(data):
            holder = f"{where}: " if where else ""
            raise StateError(
                f'{holder}expected {self.source} ("format": "{self.name}"), got {shortened(data)}'
            )
        body = dict(data)
        version = body.pop("version", None)
        del body["format"]
        if type(version) is not int or not 1 <= version <= self.version:
            readable = f"version{'s 1 to' if self.version > 1 else ''} {self.version}"
            newer = type(version) is int and version > self.version
            raise StateError(
                f"{where or 'the state'} has version {shortened(version)}, this library reads "
                f"{readable}{': upgrade earlystop' if newer else ''}"
            )
        for older in range(version, self.version):
            body = self.migrations[older](body)
        return body
