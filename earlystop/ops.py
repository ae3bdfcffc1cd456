"""The operations that a rule's `step` is written in; see `earlystop.language.ops`.

>>> from earlystop.ops import improves, where
>>> where(improves(0.25, 0.5, mode="min", min_delta=0.0), 0.25, 0.5)
0.25
"""

from .language.ops import *  # noqa: F403  # the one list of them is there
from .language.positions import epochs_counted as epochs_counted  # noqa: PLC0414  # for users
from .language.positions import epochs_done as epochs_done  # noqa: PLC0414  # for users
