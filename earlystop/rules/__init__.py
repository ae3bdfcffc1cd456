"""The built-in rules, one idea per file."""

from .adaptive_patience import AdaptivePatience as AdaptivePatience
from .best import Best as Best
from .bounds import Diverged as Diverged
from .bounds import NonFinite as NonFinite
from .bounds import Threshold as Threshold
from .budget import MaxEpochs as MaxEpochs
from .budget import MaxSteps as MaxSteps
from .budget import TimeLimit as TimeLimit
from .patience import Patience as Patience
from .plateau import Plateau as Plateau
from .prechelt import ConsecutiveIncreases as ConsecutiveIncreases
from .prechelt import GeneralizationLoss as GeneralizationLoss
from .prechelt import ProgressQuotient as ProgressQuotient
from .schedule import Always as Always
from .schedule import Every as Every
from .schedule import Never as Never
from .top_k import TopK as TopK
from .wrappers import Filtered as Filtered
from .wrappers import Lasting as Lasting
from .wrappers import Smoothed as Smoothed
from .wrappers import Warmup as Warmup
