"""Checkpoints on disk that survive a kill at any moment.

The public class is in checkpoints.py. retention.py and ranking.py decide what to keep,
transaction.py explains how a save survives a kill, and ledger.py defines the ledger.
"""

from .checkpoints import Checkpoints as Checkpoints
from .ledger import Checkpoint as Checkpoint
from .ledger import checkpoint_path as checkpoint_path
from .ledger import read_ledger as read_ledger
from .metrics_file import MetricsFile as MetricsFile
from .ranking import ranking_settings as ranking_settings
from .templates import format_name as format_name
from .templates import template_fields as template_fields
from .write import write_atomically as write_atomically
