"""Names and numbers as people read them: on one line, short, in a few digits."""

from __future__ import annotations

__all__ = ["count", "number", "one_line", "shortened"]


def one_line(text: str) -> str:
    r"""The text on one line, with escapes for what a terminal or a page would act on.

    >>> print(one_line("a\nb\x1b[31m"), one_line("val/loss (B)"))
    a\nb\x1b[31m val/loss (B)
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def shortened(text: str, most: int) -> str:
    """The text in at most so many characters: what is too much is left out in the middle.

    >>> shortened("experiments/2024/run-17/metrics.csv", 20)
    'experiment…trics.csv'
    """
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def number(value: float | None) -> str:
    """A value of a metric, in a few digits.

    >>> number(0.123456789), number(float("nan")), number(None)
    ('0.123457', 'nan', '-')
    """
    return "-" if value is None else f"{value:.6g}"


def count(amount: int, what: str) -> str:
    """An amount of things.

    >>> count(1, "run"), count(4400, "run")
    ('1 run', '4,400 runs')
    """
    return f"{amount:,} {what}{'' if amount == 1 else 's'}"
