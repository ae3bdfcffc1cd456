"""What rules call the value of a trial."""

from __future__ import annotations

from earlystop.errors import RuleError
from earlystop.language.positions import ELAPSED, EPOCH, STEP
from earlystop.language.rule import Rule

__all__ = ["VALUE", "value_name"]

VALUE = "value"  # as `read_history` calls it, too


def value_name(rule: Rule, owner: str) -> str:
    """What a rule calls the value of a trial: the one metric it looks at, besides positions.

    Raises RuleError, naming `owner`, for a rule that looks at several.
    """
    names = [name for name in rule.all_metrics if name not in (EPOCH, STEP, ELAPSED)]
    if len(names) > 1:
        raise RuleError(
            f"`{owner}(stop=...)`: a trial has one value, and this rule looks at "
            f"{', '.join(names)}: use one name in all of it"
        )
    return names[0] if names else VALUE
