"""The operations that a rule's `step` is written in; see `earlystop.language.ops`.

>>> from earlystop.ops import improves, where
>>> where(improves(0.25, 0.5, mode="min", min_delta=0.0), 0.25, 0.5)
0.25
"""

from .language.ops import Operation as Operation
from .language.ops import absolute as absolute
from .language.ops import any_nonfinite as any_nonfinite
from .language.ops import better as better
from .language.ops import deviation as deviation
from .language.ops import divide as divide
from .language.ops import improves as improves
from .language.ops import invert as invert
from .language.ops import isfinite as isfinite
from .language.ops import isnan as isnan
from .language.ops import lowest as lowest
from .language.ops import push as push
from .language.ops import replaced as replaced
from .language.ops import reported as reported
from .language.ops import sqrt as sqrt
from .language.ops import total as total
from .language.ops import where as where
from .language.ops import worst as worst
