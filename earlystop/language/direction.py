"""Which direction of a metric is better, inferred from its name where the name is unambiguous.

A name is split into words. Words that only say *where* a metric was measured (`val_`, `train/`,
`eval_`, `(B)`, ...) are dropped. The rest, or its tail, must be a known metric. Words that turn a
metric into another quantity (`1-accuracy`, `acc_std`, `loss gap`) make the name ambiguous, and an
ambiguous name is an error that asks for `mode`: a wrong direction would keep the worst model.
The words are in `metric_names.py`.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, Literal

from ..errors import RuleError, RuleTypeError, shortened
from .metric_names import (
    ALONE,
    DECORATION,
    DOUBT,
    HIGHER_IS_BETTER,
    LOSS_PARTS,
    LOWER_IS_BETTER,
    NEGATED_ERRORS,
)
from .splits import SPLITS

__all__ = ["Direction", "Mode", "direction"]

Direction = Literal["min", "max"]
Mode = Literal["auto", "min", "max"]

_SPLIT_PREFIX = r"^(val|valid|train|test|eval|dev)(?=[A-Z])"  # valLoss
_MEANS = {"AP": "average_precision", "AR": "average_recall", "IoU": "iou", "Dice": "dice"}
_AT = {"hr": "hit_rate", "hit": "hits", "r": "recall", "p": "precision"}  # HR@10, R@1

# How tools write the names of metrics, and the same without their marks, in this order.
_REWRITTEN: tuple[tuple[str, Any], ...] = (
    (r"[/_.-]dataloader_idx_\d+$", ""),  # Lightning: of several validation sets
    (r"\(\w*\)\s*$", ""),  # metrics/mAP50(B): box or mask
    (r"^(?:valid|validation|eval|test|train|training)_\d+(?![0-9A-Za-z])", ""),  # the set's number
    (r"(?<![A-Za-z])AP(?:[sml](?![A-Za-z])|-[A-Za-z].*$)", "AP"),  # by size, of one class
    (r"(?<![A-Za-z])m(AP|AR|IoU|Dice)(?![a-z])", lambda found: f"mean_{_MEANS[found[1]]}_"),
    (r"(?i)(?<![a-z])(hr|hit|r|p)@", lambda found: f"{_AT[found[1].lower()]}@"),
    (_SPLIT_PREFIX, r"\1_"),
    (r"(?<=[a-z]{2})(?=[A-Z][A-Z0-9])", "_"),  # BinaryAUROC, BinaryF1Score
    (r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z])", "_"),
)


def _phrases(table: str) -> frozenset[tuple[str, ...]]:
    phrases = re.split(r"[,\n]", table)
    return frozenset(tuple(phrase.split()) for phrase in phrases if phrase.strip())


_MIN, _MAX = _phrases(LOWER_IS_BETTER), _phrases(HIGHER_IS_BETTER)
_NEGATED = (_MIN | _phrases(NEGATED_ERRORS)) - _phrases("loss, losses, error, errors, err, cost")
_DECORATING, _DOUBTFUL = SPLITS.union(DECORATION.split()), frozenset(DOUBT.split())
_STANDING_ALONE, _LOSS_PARTS = frozenset(ALONE.split()), frozenset(LOSS_PARTS.split())
_LONGEST = max(map(len, _MIN | _MAX))


def _words(name: str) -> list[str]:
    name = name.strip()
    for pattern, replacement in _REWRITTEN:
        name = re.sub(pattern, replacement, name)
    return [word for word in re.split(r"[^0-9a-z]+", name.lower()) if word]


def _known(words: list[str]) -> Direction | None:
    """The direction of the longest known phrase that ends the name."""
    for start in range(max(0, len(words) - _LONGEST), len(words)):
        before = [word for word in words[:start] if word not in _DECORATING]
        if set(before) & _DOUBTFUL or (before and before[0].isdigit()):  # 1-accuracy
            continue
        phrase = tuple(words[start:])
        for spelling in (phrase, (*phrase[:-1], phrase[-1].rstrip("0123456789"))):
            if before and spelling[0] in _STANDING_ALONE and len(spelling) == 1:
                continue
            if spelling in _MIN:
                return "min"
            if spelling in _MAX:
                return "max"
    return None


def _from_name(name: str) -> Direction | None:
    words = _words(name)
    found = _known(words) or _special(words)  # whole first: "mean squared error" needs its "mean"
    if found:
        return found
    bare = [word for word in words if word not in _DECORATING]
    while len(bare) > 1 and (bare[-1].isdigit() or bare[-1] in ("at", "k")):  # hits@10, hits_at_k
        bare.pop()
    found = _known(bare)
    if found is None and "/" in name and not set(words) & _DOUBTFUL:  # coco/AP: data set, metric
        return _from_name(name.rsplit("/", 1)[1])
    return found


def _special(words: list[str]) -> Direction | None:
    """The direction of what scikit-learn's scorers negate, and of the parts of a loss.

    Of the names that begin with "neg", only those of scorers count: a neg_loss may be that of
    negative samples.
    """
    bare = list(itertools.dropwhile(_DECORATING.__contains__, words))
    if bare[:1] == ["neg"]:
        return "max" if tuple(bare[1:]) in _NEGATED else None
    if bare[:1] == ["loss"] and _LOSS_PARTS.issuperset(bare[1:]):
        return "min"
    return None


def direction(monitor: str, mode: object, owner: str) -> Direction:
    """Resolve `mode` to "min" or "max"; "auto" infers it from the name of the metric.

    monitor: the name of the metric.
    mode: "auto", "min" or "max".
    owner: the name of the rule, for errors.

    Raises RuleTypeError for a mode that is not a string, RuleError for an unknown mode or, with
    "auto", for a name whose direction is ambiguous.

    >>> direction("val_loss", "auto", "Patience"), direction("metrics/mAP50-95(B)", "auto", "Best")
    ('min', 'max')
    >>> direction("gap_mean", "auto", "Best")
    Traceback (most recent call last):
        ...
    earlystop.errors.RuleError: `Best(mode=...)`: whether 'gap_mean' should fall or rise cannot be \
told from its name: pass mode="min" (lower is better) or mode="max" (higher is better)
    """
    if not isinstance(mode, str):
        raise RuleTypeError(_wrong_mode(owner, mode))
    if mode == "min":
        return "min"
    if mode == "max":
        return "max"
    if mode != "auto":
        raise RuleError(_wrong_mode(owner, mode))
    found = _from_name(monitor)
    if found is None:
        raise RuleError(
            f"`{owner}(mode=...)`: whether {monitor!r} should fall or rise cannot be told from its "
            'name: pass mode="min" (lower is better) or mode="max" (higher is better)'
        )
    return found


def _wrong_mode(owner: str, mode: object) -> str:
    return f'`{owner}(mode=...)` must be "auto", "min" or "max", got {shortened(mode)}'
