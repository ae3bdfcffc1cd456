"""Reading what training tools have logged: `read_history`, its formats, and how to add one.

Which file is what is told by its content. `formats()` lists the formats, `register` adds one.
"""

from .format import LogFormat as LogFormat
from .format import formats as formats
from .format import register as register
from .limits import Limits as Limits
from .log import Log as Log
from .reading import read_history as read_history
from .report import FileReport as FileReport
from .report import Report as Report
from .run import Points as Points
from .run import Rows as Rows
from .run import Run as Run

__all__ = [
    "FileReport",
    "Limits",
    "Log",
    "LogFormat",
    "Points",
    "Report",
    "Rows",
    "Run",
    "formats",
    "read_history",
    "register",
]
