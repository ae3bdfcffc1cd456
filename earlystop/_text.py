"""Names and numbers for people: on one line, short, with a few digits."""

from __future__ import annotations

__all__ = ["count", "number", "one_line", "shortened"]


def one_line(text: str) -> str:
    r"""The text on one line, with escapes for characters that a terminal or a page would act on.

    >>> print(one_line("a\nb\x1b[31m"), one_line("val/loss (B)"))
    a\nb\x1b[31m val/loss (B)
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def shortened(text: str, most: int) -> str:
    """The text in at most `most` characters, shortened in the middle if necessary.

    >>> shortened("experiments/2024/run-17/metrics.csv", 20)
    'experiment…trics.csv'
    """
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def number(value: float | None) -> str:
    """The value of a metric, with a few digits.

    >>> number(0.123456789), number(float("nan")), number(None)
    ('0.123457', 'nan', '-')
    """
    return "-" if value is None else f"{value:.6g}"


def count(amount: int, what: str) -> str:
    """A number with its noun, in the plural if necessary.

    >>> count(1, "run"), count(4400, "run")
    ('1 run', '4,400 runs')
    """
    return f"{amount:,} {what}{'' if amount == 1 else 's'}"
