"""Checkpoints on disk that survive a kill at any moment.

The public class is in checkpoints.py. What to keep is decided in retention.py, how a save survives
a kill is told in transaction.py, and what the ledger looks like in ledger.py.
"""

from .checkpoints import Checkpoints as Checkpoints
from .ledger import Checkpoint as Checkpoint
from .ledger import checkpoint_path as checkpoint_path
from .ledger import read_ledger as read_ledger
from .names import format_name as format_name
from .write import write_atomically as write_atomically
