"""Advice in words: the sentences and the table that `print(advice)` shows."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from .._arguments import argument
from .._text import count, number
from ..language.positions import ELAPSED, EPOCH, STEP
from ..rules import Patience
from .findings import Findings, Outcome

__all__ = [
    "advice_text",
    "amount_text",
    "answer_sentences",
    "basis_sentences",
    "cost_words",
    "guarantee_text",
    "percent",
    "promise_text",
    "promise_words",
    "usual_heading",
    "usual_rows",
]

_WIDTH = 92


def advice_text(advice: Findings) -> str:
    """The answer in full, as `print(advice)` shows it."""
    parts: list[Iterable[str]] = [
        map(_wrapped, answer_sentences(advice)),
        _usual(advice),
        map(_wrapped, basis_sentences(advice)),
    ]
    parts += [[_wrapped(f"Mind: {warning}.")] for warning in advice.warnings]
    return "\n\n".join("\n".join(part) for part in parts)


def amount_text(advice: Findings, regret: float) -> str:
    """A regret, with its unit."""
    if advice.unit == "metric":
        return f"{number(regret)} of {advice.monitor}"
    return f"{percent(regret)} of {_unit_of(advice)}"


def _requested(advice: Findings) -> str:
    """What a run may lose, unrounded: a rounded promise would be another promise."""
    if advice.unit == "metric":
        return f"{advice.max_regret:.12g} of {advice.monitor}"
    return f"{percent(advice.max_regret, 12)} of {_unit_of(advice)}"


def _unit_of(advice: Findings) -> str:
    """What a regret is a share of, or its unit."""
    if advice.unit == "metric":
        return f"units of {advice.monitor}"
    return "the improvement" if advice.unit == "improvement" else f"the best {advice.monitor}"


def promise_text(advice: Findings) -> str:
    """The part of the promise that new runs can be checked against."""
    if advice.at_most is None:
        return f"an expected regret of at most {_requested(advice)}{_capped(advice)}"
    return f"at most {percent(advice.at_most, 12)} of runs lose more than {_requested(advice)}"


def guarantee_text(advice: Findings) -> str:
    """The promise in a few words, for a repr."""
    if not advice.promised:
        return "loses nothing against the logs" if advice.complete else "as the logs were stopped"
    if advice.at_most is None:
        return f"expected regret at most {_requested(advice)}"
    return (
        f"with {percent(advice.confidence, 12)} confidence at most "
        f"{percent(advice.at_most, 12)} of runs lose more than {_requested(advice)}"
    )


def promise_words(advice: Findings) -> str:
    """The promise in a few words, for a headline."""
    if advice.at_most is None:
        return f"expected to give up at most {_requested(advice)}"
    return (
        f"at most {percent(advice.at_most, 12)} of runs give up more than {_requested(advice)} "
        f"({percent(advice.confidence, 12)} confidence)"
    )


def _capped(advice: Findings) -> str:
    """A clause for losses that have no bound of their own."""
    if advice.unit == "improvement" or advice.bound is None:
        return ""
    bound = number(advice.bound) if advice.unit == "metric" else percent(advice.bound, 12)
    return f", if a run that loses more than {bound} counts as losing {bound}"


def answer_sentences(advice: Findings) -> list[str]:
    """Which rule to use, and what it costs and saves."""
    if not advice.promised:
        return _no_promise(advice)
    outcome = advice.outcome
    return [
        f"Use {advice.rule!r}.",
        _promise(advice),
        f"It takes {_mean(advice, outcome.used)} of {_mean(advice, advice.logged)} "
        f"{cost_words(advice)} on average: {percent(outcome.saved)} saved.",
        *_plain(advice),
    ]


def _plain(advice: Findings) -> list[str]:
    """For any other rule, the plain patience of which the same can be promised."""
    if type(advice.rule) is Patience:
        return []
    if advice.plain is None:
        return ["Of no plain patience that saves anything can as much be promised."]
    return [_plain_promised(advice, advice.plain)]


def _plain_promised(advice: Findings, plain: Outcome) -> str:
    patience = plain.rule.settings["patience"]
    told = (
        f"The plain patience of which as much can be promised, {patience}, takes "
        f"{_mean(advice, plain.used)}."
    )
    if plain.used >= advice.outcome.used:
        return told
    alone = argument("family", "patience", "advise")
    return (
        f"{told} That is less, but to choose between the two by these runs would break the "
        f"promise, which rests on them: where plain patience is the better choice on other logs of "
        f"the kind, ask for it alone, with {alone}."
    )


def cost_words(advice: Findings) -> str:
    """The unit of cost, in the plural."""
    units = {EPOCH: "epochs", STEP: "steps", ELAPSED: "hours"}
    return units.get(advice.cost_unit, advice.cost_unit)


def _mean(advice: Findings, amount: float) -> str:
    """A mean amount in the unit of cost."""
    if advice.cost_unit == ELAPSED:
        return f"{amount / 3600:,.4g}"
    return f"{amount:,.1f}"


def _promise(advice: Findings) -> str:
    """The sentence about a new run."""
    regret = advice.outcome.regret
    if advice.at_most is None:
        observed = number(regret) if advice.unit == "metric" else percent(regret)
        return (
            f"Expected regret on a new run of the same kind: at most "
            f"{_requested(advice)}{_capped(advice)}; on these {advice.runs:,} it was {observed}."
        )
    return (
        f"With {percent(advice.confidence, 12)} confidence, at most "
        f"{percent(advice.at_most, 12)} of all runs of this kind lose more than "
        f"{_requested(advice)}; of these {advice.runs:,} it was {percent(advice.outcome.over)}. "
        f"Mean regret: {amount_text(advice, regret)}."
    )


def _no_promise(advice: Findings) -> list[str]:
    """What to do if nothing can be promised of any candidate."""
    requested = promise_text(advice) if advice.at_most is None else f"that {promise_text(advice)}"
    how = "train to the end" if advice.complete else "stop as these logs were"
    answer = [
        f"Better {how}: {advice.rule!r}. No candidate that stops earlier can promise {requested}."
    ]
    if advice.plain is not None:
        answer.append(_plain_promised(advice, advice.plain))
    if advice.unpromised is not None:
        guess = advice.unpromised
        answer.append(
            f"Without a promise: {guess.rule!r} would have lost "
            f"{amount_text(advice, guess.regret)} on these runs (mean; {percent(guess.over)} of "
            f"them lose more than asked) and saved {percent(guess.saved)} of the "
            f"{cost_words(advice)}."
        )
    return answer


def usual_rows(advice: Findings) -> list[tuple[str, ...]]:
    """What the advice and the usual choices did on the runs: headings, then a row for each."""
    rows: list[tuple[str, ...]] = [
        ("", "mean regret", "runs that lose more", f"{cost_words(advice)} saved")
    ]
    same = () if advice.plain is None else (advice.plain,)
    known = {outcome.rule for outcome in same}
    usual = (outcome for outcome in advice.defaults if outcome.rule not in known)
    for outcome in (advice.outcome, *same, *usual):
        name = f"patience {outcome.rule.settings.get('patience')}"
        if outcome is advice.outcome:
            name = "the advice"
        elif outcome is advice.plain:
            name = f"{name}, promised too"
        regret = number(outcome.regret) if advice.unit == "metric" else percent(outcome.regret)
        rows.append((name, regret, percent(outcome.over), percent(outcome.saved)))
    return rows


def usual_heading(advice: Findings) -> str:
    """What `usual_rows` shows, and the unit of its regret."""
    unit = _unit_of(advice) if advice.unit == "metric" else f"a share of {_unit_of(advice)}"
    return f"Beside the usual choices, on the same runs (regret: {unit})"


def _usual(advice: Findings) -> list[str]:
    """The usual choices, as a table of text."""
    rows = usual_rows(advice)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])])
        for name, *cells in rows
    ]
    return [f"{usual_heading(advice)}:", *lines]


def basis_sentences(advice: Findings) -> list[str]:
    """What the answer rests on."""
    basis = f"This rests on {count(advice.runs, 'run')}"
    if advice.chose:
        basis += (
            f": {advice.chose:,} chose among {advice.families} kinds of rules, the other "
            f"{advice.calibrated:,} carry the promise (with one kind, all would carry it)"
        )
    elif advice.families > 1:
        basis += f" and {advice.families} kinds of rules, which share the error"
    lines = [f"{basis}. It takes at least {count(advice.needed, 'run')} to promise this."]
    if advice.promised:
        high, most = advice.quantiles["0.95"], advice.quantiles["max"]
        some = "fewer than one in twenty loses anything"
        if high > 0:
            some = f"one in twenty loses at least {amount_text(advice, high)}"
        lines.append(
            f"Of these runs, {some}; the most that one loses is {amount_text(advice, most)}."
        )
    return lines


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def percent(share: float, digits: int = 3) -> str:
    """A share in percent.

    >>> percent(0.01), percent(0.12345), percent(0.000012), percent(0.99996)
    ('1 %', '12.3 %', '0.0012 %', '99.996 %')
    """
    rounded = float(f"{100 * share:.{digits}g}")
    if share < 1 <= rounded / 100:  # not all: rounding must not make it 100 %
        rounded = 100 * share
    return f"{rounded:.12g} %"
