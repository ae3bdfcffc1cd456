"""`early_stopping` with LightGBM's arguments and decisions, or with any rule.

Inside this package `import lightgbm` is LightGBM: imports are absolute unless they begin with a
dot.
"""

try:
    import lightgbm as lightgbm
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "earlystop.adapters.lightgbm needs lightgbm: pip install lightgbm", name=error.name
    ) from error

from .callback import EarlyStoppingCallback as EarlyStoppingCallback
from .callback import early_stopping as early_stopping

__all__ = ["EarlyStoppingCallback", "early_stopping"]
