"""For scikit-learn: estimators that train another one step by step, and stop it by a rule.

Inside this package `import sklearn` is scikit-learn: imports are absolute unless they begin with a
dot.
"""

try:
    import sklearn as sklearn
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "earlystop.adapters.sklearn needs scikit-learn: pip install scikit-learn", name=error.name
    ) from error

from .estimators import EarlyStoppingClassifier as EarlyStoppingClassifier
from .estimators import EarlyStoppingRegressor as EarlyStoppingRegressor

__all__ = ["EarlyStoppingClassifier", "EarlyStoppingRegressor"]
