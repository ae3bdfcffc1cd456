"""Checkpoints on disk that survive a kill at any moment."""

from .checkpoints import Checkpoint as Checkpoint
from .checkpoints import Checkpoints as Checkpoints
from .checkpoints import read_ledger as read_ledger
