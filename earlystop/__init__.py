"""A stopping-rule engine for iterative training: when to stop, and what to keep.

>>> import earlystop as es
>>> stopper = es.EarlyStopping("val_loss", patience=2)
>>> for value in [0.9, 0.6, 0.7, 0.8, 0.5]:
...     decision = stopper.step({"val_loss": value})
...     if decision.stop:
...         break
>>> print(decision)
epoch 3: stop: val_loss has not improved on 0.6 (epoch 1) by more than 0 for 2 epochs
>>> stopper.best, stopper.best_epoch
(0.6, 1)
"""

import importlib as _importlib
import typing as _typing

from .engine.decision import Decision as Decision
from .engine.early_stopping import EarlyStopping as EarlyStopping
from .engine.stopper import Stopper as Stopper
from .errors import CheckpointError as CheckpointError
from .errors import CheckpointWarning as CheckpointWarning
from .errors import DatasetError as DatasetError
from .errors import EarlystopError as EarlystopError
from .errors import HistoryError as HistoryError
from .errors import LogError as LogError
from .errors import LogWarning as LogWarning
from .errors import MetricError as MetricError
from .errors import MissingMetricError as MissingMetricError
from .errors import RuleError as RuleError
from .errors import RuleTypeError as RuleTypeError
from .errors import StateError as StateError
from .errors import StoppedError as StoppedError
from .language.improvement import Improvement as Improvement
from .language.rule import AllOf as AllOf
from .language.rule import AnyOf as AnyOf
from .language.rule import Not as Not
from .language.rule import Rule as Rule
from .rules import AdaptivePatience as AdaptivePatience
from .rules import Always as Always
from .rules import Best as Best
from .rules import ConsecutiveIncreases as ConsecutiveIncreases
from .rules import Diverged as Diverged
from .rules import Every as Every
from .rules import Filtered as Filtered
from .rules import GeneralizationLoss as GeneralizationLoss
from .rules import Lasting as Lasting
from .rules import MaxEpochs as MaxEpochs
from .rules import MaxSteps as MaxSteps
from .rules import Never as Never
from .rules import NonFinite as NonFinite
from .rules import Patience as Patience
from .rules import Plateau as Plateau
from .rules import ProgressQuotient as ProgressQuotient
from .rules import Smoothed as Smoothed
from .rules import Threshold as Threshold
from .rules import TimeLimit as TimeLimit
from .rules import TopK as TopK
from .rules import Warmup as Warmup

if _typing.TYPE_CHECKING:
    from . import logs as logs
    from . import peers as peers
    from .advising.advise import advise as advise
    from .advising.result import Advice as Advice
    from .checkpoints import Checkpoints as Checkpoints
    from .comparing import Comparison as Comparison
    from .comparing import compare as compare
    from .datasets import Dataset as Dataset
    from .datasets import scan_history as scan_history
    from .engine.session import Session as Session
    from .history.history import History as History
    from .logs import read_history as read_history
    from .replaying.replay import Replay as Replay
    from .replaying.replay import ReplayTotals as ReplayTotals
    from .replaying.replay import replay as replay
    from .sweeping.sweep import Sweep as Sweep
    from .sweeping.sweep import sweep as sweep
    from .watching import Watch as Watch
    from .watching import watch as watch

__all__ = [
    "AdaptivePatience",
    "Advice",
    "AllOf",
    "Always",
    "AnyOf",
    "Best",
    "CheckpointError",
    "CheckpointWarning",
    "Checkpoints",
    "Comparison",
    "ConsecutiveIncreases",
    "Decision",
    "Diverged",
    "EarlyStopping",
    "EarlystopError",
    "Every",
    "Filtered",
    "GeneralizationLoss",
    "History",
    "HistoryError",
    "Improvement",
    "Lasting",
    "LogError",
    "LogWarning",
    "MaxEpochs",
    "MaxSteps",
    "MetricError",
    "MissingMetricError",
    "Never",
    "NonFinite",
    "Not",
    "Patience",
    "Plateau",
    "ProgressQuotient",
    "Replay",
    "ReplayTotals",
    "Rule",
    "RuleError",
    "RuleTypeError",
    "Session",
    "Smoothed",
    "StateError",
    "StoppedError",
    "Stopper",
    "Sweep",
    "Threshold",
    "TimeLimit",
    "TopK",
    "Warmup",
    "Watch",
    "advise",
    "compare",
    "read_history",
    "replay",
    "scan_history",
    "sweep",
    "watch",
]

__version__ = "0.2.0.dev0"

# What needs NumPy, or the disk, is imported when it is first used: a loop may do without.
_LAZY = {
    "Advice": ".advising.result",
    "Checkpoints": ".checkpoints",
    "Comparison": ".comparing",
    "Dataset": ".datasets",
    "History": ".history",
    "Replay": ".replaying.replay",
    "ReplayTotals": ".replaying.replay",
    "Session": ".engine.session",
    "Sweep": ".sweeping.sweep",
    "Watch": ".watching",
    "advise": ".advising.advise",
    "compare": ".comparing",
    "read_history": ".logs",
    "replay": ".replaying.replay",
    "scan_history": ".datasets",
    "sweep": ".sweeping.sweep",
    "watch": ".watching",
}


def __getattr__(name: str) -> _typing.Any:
    if name in ("logs", "peers"):
        return _importlib.import_module(f".{name}", __name__)
    if name in _LAZY:
        value = getattr(_importlib.import_module(_LAZY[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
