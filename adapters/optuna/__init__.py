"""Optuna: trials pruned and studies stopped by rules, and the history of a study.

Inside this package `import optuna` is Optuna: imports are absolute unless they begin with a dot.
"""

try:
    import optuna as _optuna  # noqa: F401  # said here what to install
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "earlystop.adapters.optuna needs Optuna: pip install optuna", name=error.name
    ) from error

from .pruner import RulePruner
from .study import StudyStop, stop_study, study_history

__all__ = ["RulePruner", "StudyStop", "stop_study", "study_history"]
