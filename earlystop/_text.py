"""Names and numbers for people: on one line, short, with a few digits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

__all__ = [
    "count",
    "distinct_names",
    "duration",
    "number",
    "one_line",
    "shared_parts",
    "shortened",
]

_BREAKS = re.compile(r"[/\\]")


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


def shared_parts(names: Sequence[str]) -> tuple[str, str]:
    """The folders at the start, and the parts at the end, that all these paths have in common.

    >>> shared_parts(["runs/2024/a/log.csv", "runs/2024/b/log.csv"])
    ('runs/2024/', '/log.csv')
    >>> shared_parts(["run 1", "run 2"])
    ('', '')
    """
    first = names[0] if len(names) > 1 else ""
    start = max(
        (end for end in _ends(first) if all(n[:end] == first[:end] for n in names)), default=0
    )
    rest = [name[start:] for name in names]
    sizes = [len(first) - end + 1 for end in _ends(first) if end > start]
    last = max(
        (size for size in sizes if all(len(r) > size and r[-size:] == first[-size:] for r in rest)),
        default=0,
    )
    return first[:start], first[len(first) - last :] if last else ""


def _ends(name: str) -> list[int]:
    """Where the folders of a path end."""
    return [found.end() for found in _BREAKS.finditer(name)]


def distinct_names(names: Sequence[str], most: int) -> list[str]:
    """The names in at most about `most` characters, without what all have in common.

    Names that differ stay apart: where their beginnings and ends are alike, what differs is shown.

    >>> distinct_names(["runs/a/log.csv", "runs/b/log.csv"], 20)
    ['a', 'b']
    >>> distinct_names([f"resnet-50-lr-{lr}-batch-256-momentum" for lr in (0.1, 0.2)], 20)
    ['…t-50-lr-0.1-batch-…', '…t-50-lr-0.2-batch-…']
    """
    start, end = shared_parts(names)
    whole = [name[len(start) : len(name) - len(end)] for name in names]
    short = [shortened(name, most) for name in whole]
    for text, many in Counter(short).items():
        alike = [number for number, each in enumerate(short) if each == text]
        if many > 1 and len({whole[number] for number in alike}) > 1:
            for number, window in zip(
                alike, _windows([whole[n] for n in alike], most), strict=True
            ):
                short[number] = window
    return _numbered(short, whole)


def _windows(names: list[str], most: int) -> list[str]:
    """The part of each name that begins shortly before the first difference."""
    least, greatest = min(names), max(names)
    differ = next(
        (at for at, (a, b) in enumerate(zip(least, greatest, strict=False)) if a != b),
        min(len(least), len(greatest)),
    )
    begin = max(1, differ - most // 2)
    cut = (f"…{name[begin:]}" for name in names)
    return [text if len(text) <= most else f"{text[: most - 1]}…" for text in cut]


def _numbered(short: list[str], whole: list[str]) -> list[str]:
    """The short names; those that stand for several whole names get a number."""
    owners: dict[str, dict[str, int]] = {}
    numbers = [
        owners.setdefault(text, {}).setdefault(name, len(owners[text]))
        for text, name in zip(short, whole, strict=True)
    ]
    return [f"{t} ({n + 1})" if n else t for t, n in zip(short, numbers, strict=True)]
