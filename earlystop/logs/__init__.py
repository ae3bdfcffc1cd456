"""Reading what training tools have logged: `read_history`, its formats, and how to add one.

Which file is what is told by its content. `formats()` lists the formats, `register` adds one.

Rows stay in the order of the log. They are counted by one coordinate: the one that the caller names
(`coordinate=`), or else a step, or else an epoch (both, where the step starts anew with every
epoch); one that never changes says nothing. Where it does not rise from row to row:

- rows in a row at the same step are one epoch, reported in parts (training, validation); where they
  report the same metric twice, the later value replaces the earlier;
- a row that reports again what was reported at this step or beyond is a *new run* if it falls back
  to where the run began, or before, and else a *resumption*: what was reported from this step on is
  dropped, and the later report stands in its place;
- a row at an earlier step that reports something else was only logged late, and stays where it is.

With `repeats="keep"`, nothing is replaced or dropped; new runs still come apart. What was replaced
is said in `history.report`.
"""

from ..history.provenance import FileReport as FileReport
from ..history.provenance import Report as Report
from .limits import Limits as Limits
from .log_format import LogFormat as LogFormat
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
    "read_history",
    "register",
]

Log = Source  # the name that formats of users know
