"""What hours of computing cost, by a price such as "$2.5/h"."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from ..errors import RuleError

__all__ = ["Price"]

_PRICE = re.compile(
    r"(?P<before>[^\d\s.,+\-/]*)\s*(?P<amount>\d[\d,]*(?:\.\d*)?|\.\d+)\s*(?P<after>[^\d\s.,/]*)"
    r"\s*(?:/|per\s)\s*(?:h|hr|hour)",
    re.IGNORECASE,
)


class Price(NamedTuple):
    """What an hour costs.

    before, after: the currency, as it is written before or after an amount.

    >>> price = Price.from_text("$2.5/h")
    >>> price.text(1000.0), Price.from_text("2.5 EUR/h").text(1.0), Price.from_text("2/h").text(3.0)
    ('$2,500.00', '2.50 EUR', '6.00')
    """

    per_hour: float
    before: str = ""
    after: str = ""

    @classmethod
    def from_text(cls, text: str) -> Price:
        """The price in a text: an amount and "/h", with a currency before or after the amount.

        Raises RuleError for any other text.
        """
        found = _PRICE.fullmatch(text.strip())
        if found is None or (found["before"] and found["after"]):
            raise RuleError(
                f"cannot read the price of an hour {text!r}: expected an amount with /h, and a "
                "currency before or after it, such as 2.5/h, $2.5/h or '2.5 EUR/h'"
            )
        amount = float(found["amount"].replace(",", ""))
        if not math.isfinite(amount):
            raise RuleError(f"the price of an hour must be finite, got {text!r:.60}")
        return cls(amount, found["before"], found["after"])

    @property
    def currency(self) -> str | None:
        """The currency, as it was written; None if it was not."""
        return self.before or self.after or None

    def of(self, hours: float) -> float:
        """What a number of hours costs."""
        return self.per_hour * hours

    def text(self, hours: float) -> str:
        """What a number of hours costs, with the currency."""
        before = f"{self.before} " if self.before.isalpha() else self.before
        after = f" {self.after}" if self.after else ""
        return f"{before}{self.of(hours):,.2f}{after}"
