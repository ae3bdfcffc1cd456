"""Watching a run from outside: its log is read while it is written, and a rule decides on it."""

from .watch import Watch as Watch
from .watch import watch as watch

__all__ = ["Watch", "watch"]
