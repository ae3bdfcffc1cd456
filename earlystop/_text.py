"""Names and numbers for people: on one line, short, with a few digits."""

from __future__ import annotations

__all__ = ["count", "duration", "number", "one_line", "shortened"]


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


def duration(seconds: float) -> str:
    """A time, in hours and minutes where it is long.

    >>> duration(4.25), duration(725), duration(12000), duration(7.2e6), duration(float("nan"))
    ('4.25 s', '12 min 5 s', '3 h 20 min', '2,000 h', '-')
    """
    if seconds != seconds:
        return "-"
    if seconds < 59.5:
        return f"{seconds:.3g} s"
    if seconds < 3599.5:
        return _in_two(round(seconds), "min", "s")
    if seconds < 100 * 3600 - 30:
        return _in_two(round(seconds / 60), "h", "min")
    return f"{seconds / 3600:,.0f} h"


def _in_two(amount: int, large: str, small: str) -> str:
    first, second = divmod(amount, 60)
    return f"{first} {large}" + (f" {second} {small}" if second else "")


def count(amount: int, what: str) -> str:
    """A number with its noun, in the plural if necessary.

    >>> count(1, "run"), count(4400, "run")
    ('1 run', '4,400 runs')
    """
    return f"{amount:,} {what}{'' if amount == 1 else 's'}"
