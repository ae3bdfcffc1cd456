"""Registers: arrays that are reused for one value after another."""

from __future__ import annotations

import collections
from collections.abc import Sequence

from ..language.tape import Kind, Line, Operand, Ref, refs_in

__all__ = ["Registers", "last_uses"]


class Registers:
    """Which register holds which value, and the kind of each register."""

    def __init__(self) -> None:
        self.kinds: list[Kind] = []
        self._free: dict[Kind, list[int]] = collections.defaultdict(list)
        self._holder: dict[str, int] = {}
        self.texts: dict[str, str] = {}  # the source text of each held value, by its name

    def take(self, kind: Kind) -> int:
        """An unused register of this kind."""
        if self._free[kind]:
            return self._free[kind].pop()
        self.kinds.append(kind)
        return len(self.kinds) - 1

    def hold(self, name: str, register: int) -> None:
        """Record that a register holds this value from now on."""
        self._holder[name] = register
        self.texts[name] = f"r{register}"

    def pass_on(self, name: str) -> int:
        """The register of a value that is no longer needed, for immediate reuse."""
        del self.texts[name]
        return self._holder.pop(name)

    def release(self, name: str) -> None:
        """Free the register of a value that is no longer needed."""
        register = self.pass_on(name)
        self._free[self.kinds[register]].append(register)

    def register_of(self, operand: Operand) -> int | None:
        """The register that holds an operand; None for a constant or a value held elsewhere."""
        return self._holder.get(operand.name) if isinstance(operand, Ref) else None


def last_uses(lines: Sequence[Line], results: Sequence[Operand]) -> dict[str, int]:
    """The index of the last line that uses each value; results are used after all lines."""
    last = {ref.name: i for i, line in enumerate(lines) for ref in refs_in(line.operands)}
    last.update({ref.name: len(lines) for ref in refs_in(tuple(results))})
    return last
