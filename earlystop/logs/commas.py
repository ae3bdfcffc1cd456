"""Commas and points in numbers: which of them begins the decimals, and which groups thousands.

1,234 alone says neither. What the other numbers of the file look like decides; where they
contradict each other, such a number is refused.
"""

from __future__ import annotations

import re

__all__ = ["Commas"]


_SIGN, _POWER = r"[+-]?", r"(?:[eE][+-]?\d+)?"


_DECIMAL = re.compile(rf"{_SIGN}(?:\d+,\d*|,\d+){_POWER}")
_GROUPED = re.compile(rf"{_SIGN}[1-9]\d{{0,2}}(?:,\d{{3}})+")  # decimals, or thousands
_THOUSANDS = re.compile(rf"{_SIGN}[1-9]\d{{0,2}}(?:,\d{{3}}){{2,}}|{_GROUPED.pattern}\.\d*{_POWER}")
_BY_POINTS = re.compile(rf"{_SIGN}[1-9]\d{{0,2}}(?:\.\d{{3}})+")  # decimals, or thousands
_THOUSANDS_BY_POINTS = re.compile(
    rf"{_SIGN}[1-9]\d{{0,2}}(?:\.\d{{3}}){{2,}}|{_BY_POINTS.pattern},\d*{_POWER}"
)
_POINT = re.compile(rf"{_SIGN}(?:\d+\.\d*|\.\d+){_POWER}")
_BLANKS = re.compile(
    rf"{_SIGN}[1-9]\d{{0,2}}(?:[ '\u00a0\u202f\u2019]\d{{3}})+(?:[.,]\d*)?{_POWER}"
)


class Commas:
    """What commas and points mean in the numbers of a file.

    decimal: a number has a comma that can only begin its decimals.
    thousands: a number has commas, or a decimal point, by which commas can only group thousands.
    by_points: a number has points that may group thousands.
    unclear: a number whose comma may begin decimals or group thousands; "" if there is none.
    """

    def __init__(self) -> None:
        self.decimal = self.thousands = self.by_points = False
        self.unclear = ""

    def learned(self, cell: str) -> str:
        """Take a stripped cell into account; return it unchanged."""
        if _THOUSANDS_BY_POINTS.fullmatch(cell):
            self.decimal = True
        elif _BY_POINTS.fullmatch(cell):
            self.by_points = True
        elif _THOUSANDS.fullmatch(cell) or _POINT.fullmatch(cell):
            self.thousands = True
        elif _GROUPED.fullmatch(cell):
            self.unclear = self.unclear or cell
        elif _DECIMAL.fullmatch(cell):
            self.decimal = True
        return cell

    @staticmethod
    def matter(cell: str) -> bool:
        """Is this a number with commas, or with groups of thousands?"""
        return any(
            kind.fullmatch(cell)
            for kind in (_DECIMAL, _THOUSANDS, _THOUSANDS_BY_POINTS, _GROUPED, _BLANKS)
        )

    @property
    def points_group(self) -> bool:
        """Do points group thousands?"""
        return self.by_points and self.decimal and not self.thousands

    def plain(self, cell: str) -> str:
        """The number in a cell as Python writes it; anything else as it is.

        Raises ValueError for an ambiguous number.
        """
        if _BLANKS.fullmatch(cell):
            return re.sub(r"[ '\u00a0\u202f\u2019]", "", cell).replace(",", ".")
        if _THOUSANDS_BY_POINTS.fullmatch(cell):
            return cell.replace(".", "").replace(",", ".")
        if _THOUSANDS.fullmatch(cell):
            return cell.replace(",", "")
        if _GROUPED.fullmatch(cell):
            if self.decimal and self.thousands:
                raise ValueError("a comma that may begin decimals or group thousands")
            return cell.replace(",", "" if self.thousands else ".")
        if _DECIMAL.fullmatch(cell):
            return cell.replace(",", ".")
        if self.points_group and _BY_POINTS.fullmatch(cell):
            return cell.replace(".", "")
        return cell
