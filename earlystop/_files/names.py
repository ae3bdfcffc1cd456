"""The names of the files that a run keeps in its folder, for the code that writes or reads them."""

from __future__ import annotations

__all__ = ["LEDGER", "LOCK", "METRICS"]

LEDGER = "checkpoints.json"
LOCK = ".checkpoints.lock"
METRICS = "metrics.jsonl"
