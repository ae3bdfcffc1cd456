"""Reading the logs of training tools: `read_history`, its formats, and how to add one.

Formats are recognised by content. `formats()` lists them, `register` adds one.

Rows stay in the order of the log. They are counted by one coordinate: the one that the caller names
(`coordinate=`), otherwise a step, otherwise an epoch (both, if the step restarts with every epoch).
A coordinate that never changes is ignored, and so is one that does not count rows, as an epoch that
many rows share, each with other values of the same metrics. If nothing else counts such rows, all
of them stay, in their order. If the coordinate that counts the rows does not increase from row to
row:

- Consecutive rows at the same step are one epoch, reported in parts (training, validation). If they
  report the same metric twice, the later value replaces the earlier.
- A row that repeats a metric that was reported at this step or later starts a *new run* if it falls
  back to the start of the run or before. Otherwise it is a *resumption*: everything reported from
  this step on is dropped, and replaced by the later report.
- A row at an earlier step that reports something else was merely logged late, and stays in place.

With `repeats="keep"`, nothing is replaced or dropped, but new runs are still split off.
`history.report` says what was replaced.
"""

from ..history.provenance import FileReport as FileReport
from ..history.provenance import Report as Report
from .limits import Limits as Limits
from .log_format import LogFormat as LogFormat
from .proposing import propose_patterns as propose_patterns
from .read import read_history as read_history
from .registry import formats as formats
from .registry import register as register
from .rows import Rows as Rows
from .run import Points as Points
from .run import Run as Run
from .source import Source as Source

__all__ = [
    "FileReport",
    "Limits",
    "LogFormat",
    "Points",
    "Report",
    "Rows",
    "Run",
    "Source",
    "formats",
    "propose_patterns",
    "read_history",
    "register",
]

Log = Source  # the earlier name, which users' formats may use
