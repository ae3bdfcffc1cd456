"""`advise`: which setting to use, with a promise about new runs.

`promises.py` says what can be promised from how many runs, `candidates.py` which rules are
considered and in what order, `evidence.py` what the logs themselves tell (what a regret is worth,
whether runs were stopped early, whether they are alike), `choosing.py` finds out what each of them
did and chooses, `asking.py` puts it together, and `advice.py` is the answer.
"""

from .request import advise as advise
from .result import Advice as Advice

__all__ = ["Advice", "advise"]
