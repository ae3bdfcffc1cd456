"""How deep rules and expressions may be nested: one bound, far from the end of Python's stack."""

from __future__ import annotations

__all__ = ["MAX_DEPTH"]

MAX_DEPTH = 50
"""Levels within the outermost. A level of rules takes up to five frames of the stack's 1,000."""
