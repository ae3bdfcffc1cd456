"""Histories: the metrics of logged runs as arrays, and where they came from."""

from .arrays import Bools as Bools
from .history import History as History
