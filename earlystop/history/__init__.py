"""Histories: the metrics of logged runs as arrays, and where they came from."""

from .history import Bools as Bools
from .history import History as History
