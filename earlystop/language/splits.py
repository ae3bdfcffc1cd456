"""The names of the splits of a data set, in all common spellings: training, validation, test."""

from __future__ import annotations

__all__ = ["SPLITS", "TEST", "TRAINING", "VALIDATION"]

TRAINING = frozenset(["train", "training"])
VALIDATION = frozenset(
    ["val", "valid", "validation", "eval", "evaluation", "dev", "holdout", "heldout"]
)
TEST = frozenset(["test", "testing"])
SPLITS = TRAINING | VALIDATION | TEST
