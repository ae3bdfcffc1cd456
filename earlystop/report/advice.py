"""The advice in a report: what to use, what is promised about it, and what that rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..advising.text import answer_sentences, basis_sentences, usual_heading, usual_rows
from ..rules import Best, Never
from .tables import Table

if TYPE_CHECKING:
    from ..advising.result import Advice

__all__ = ["AdviceSection", "advice_section"]


@dataclass(frozen=True)
class AdviceSection:
    """The advice in parts.

    answer, basis, warnings: sentences.
    code: what to write in a training loop; "" for nothing.
    table: the advice beside the usual choices.
    """

    answer: list[str]
    code: str
    table: Table
    basis: list[str]
    warnings: list[str]


def advice_section(advice: Advice) -> AdviceSection:
    """The sentences and the table that `print(advice)` shows."""
    headings, *rows = usual_rows(advice)
    table = Table(
        ["rule", *headings[1:]],
        [list(row) for row in rows],
        caption=usual_heading(advice),
        marked=0,
        lesser=(2,),
    )
    best = Best(advice.monitor, mode="min" if advice.mode == "min" else "max")
    code = f"es.Stopper(es.{advice.rule!r}, save=es.{best!r})"
    return AdviceSection(
        answer=answer_sentences(advice),
        code="" if isinstance(advice.rule, Never) else code,
        table=table,
        basis=basis_sentences(advice),
        warnings=list(advice.warnings),
    )
