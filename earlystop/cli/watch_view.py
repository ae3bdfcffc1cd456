"""What `earlystop watch` shows: a picture that is redrawn, lines, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .._text import count, number, one_line
from ..language.state import number_to_json

if TYPE_CHECKING:
    from ..engine.decision import Decision
    from ..watching import Watch

__all__ = ["Lines", "Redrawn", "view_for"]


def view_for(watched: Watch, machine: bool) -> Lines:
    """JSON for a machine, a picture on a terminal, lines elsewhere."""
    if machine:
        return Json(watched)
    return Redrawn(watched) if sys.stdout.isatty() else Lines(watched)


class Lines:
    """A line for each check, and for what happens to the log."""

    def __init__(self, watched: Watch) -> None:
        self._watched = watched
        self._trouble = ""
        self._first = True

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: nothing is left open."""

    def show(self, decisions: Iterator[Decision]) -> None:
        """Show the decisions of one look at the log as they come, with where the run stands."""
        for decision in self._begun(decisions) if self._first else decisions:
            self._tell_notes()
            self._tell(decision)
        self._tell_notes()
        self._tell_end()

    def _begun(self, decisions: Iterator[Decision]) -> list[Decision]:
        """The last of the decisions on checks from before the watch; prints how many there were."""
        found = list(decisions)
        self._first = not found
        if len(found) > 1:
            self._tell_notes()
            click.echo(f"{count(len(found) - 1, 'check')} before")
        return found[-1:]

    def _tell_notes(self) -> None:
        watched = self._watched
        while watched.notes:
            self._note(watched.notes.pop(0))
        trouble = "" if watched.trouble is None else str(watched.trouble)
        if trouble and trouble != self._trouble:
            self._note(f"waits: {trouble}")
        self._trouble = trouble

    def _note(self, text: str) -> None:
        click.echo(one_line(text), err=True)

    def _tell(self, decision: Decision) -> None:
        watched = self._watched
        value = watched.values_at(decision.check)
        known = "" if value is None else f" ({watched.monitor} {number(value)})"
        more = "" if decision.stop else f"; {watched.explain()}"
        click.echo(one_line(f"{decision}{known}{more}"))

    def _tell_end(self) -> None:
        text = ended_text(self._watched)
        if text:
            click.echo(text)


def ended_text(watched: Watch) -> str:
    """How a watch ended, if not by a stop; "" while it goes on."""
    if watched.ended == "quiet":
        return f"the log has been quiet for {watched.timeout:g} s: {watched.explain()}"
    if watched.ended == "complete":
        return f"the run ended by itself: {watched.explain()}"
    return ""


class Json(Lines):
    """A line of JSON for each check."""

    def __init__(self, watched: Watch) -> None:
        super().__init__(watched)
        self._first = False  # what was there before has its lines, too

    def _tell(self, decision: Decision) -> None:
        watched = self._watched
        value = watched.values_at(decision.check)
        row: dict[str, Any] = {
            "run": watched.run,
            "check": decision.check,
            "epoch": decision.epoch,
            "step": decision.step,
            "save": decision.save,
            "stop": decision.stop,
            "reason": decision.reason,
            "monitor": watched.monitor,
            "value": None if value is None else number_to_json(value),
        }
        click.echo(json.dumps(row, allow_nan=False))

    def _tell_end(self) -> None:
        """Print nothing: the exit code says it."""


class Redrawn(Lines):
    """A picture of the run, drawn again after each look at the log."""

    def __init__(self, watched: Watch) -> None:
        from rich.live import Live

        super().__init__(watched)
        self._live = Live(auto_refresh=False, transient=False)
        self._last: Decision | None = None

    def __enter__(self) -> Redrawn:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, decisions: Iterator[Decision]) -> None:
        """Draw the run as it is now."""
        from rich.text import Text

        for decision in decisions:
            self._last = decision
        self._tell_notes()
        width = self._live.console.width
        lines = picture_of(self._watched, self._last, width, unicode=_is_unicode())
        self._live.update(Text("\n".join(lines), no_wrap=False), refresh=True)

    def _note(self, text: str) -> None:
        from rich.text import Text

        self._live.console.print(Text(one_line(text)))


def _is_unicode() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")


_NARROWEST, _WIDEST, _LABEL = 10, 100, 14  # columns of a curve, and what its labels may take


def picture_of(
    watched: Watch, last: Decision | None, width: int, *, unicode: bool = True
) -> list[str]:
    """The run in a few lines: its curve, its best, where it stands, what comes next."""
    from ..watching.curve import text_curve

    stopper = watched.stopper
    lines = [watched.title]
    columns = max(_NARROWEST, min(_WIDEST, width - _LABEL))
    lines += text_curve(watched.values, columns, unicode=unicode)
    if last is not None:
        value = watched.values_at(last.check)
        now = "" if value is None else f": {watched.monitor} {number(value)}"
        best = "" if stopper.best is None else f", best {number(stopper.best)}{_at(stopper)}"
        lines.append(f"{last.place or f'epoch {last.check}'}{now}{best}")
    lines.append(ended_text(watched) or watched.explain())
    ahead = watched.outlook()
    return [one_line(line) for line in [*lines, *([f"next: {ahead}"] if ahead else [])]]


def _at(stopper: Any) -> str:
    from ..language.positions import place_text

    told = {"epoch": stopper.best_epoch, "step": stopper.best_step}
    return f" ({place_text(stopper.best_check, told['epoch'], told['step'])})"
