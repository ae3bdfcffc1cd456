"""Checkpoints on disk that survive a kill at any moment.

The public class is in checkpoints.py. retention.py decides what to keep, transaction.py explains
how a save survives a kill, and ledger.py defines the ledger.
"""

from .checkpoints import Checkpoints as Checkpoints
from .ledger import Checkpoint as Checkpoint
from .ledger import checkpoint_path as checkpoint_path
from .ledger import read_ledger as read_ledger
from .metrics_file import MetricsFile as MetricsFile
from .names import format_name as format_name
from .write import write_atomically as write_atomically
