"""The command line: `earlystop ...`, also as `python -m earlystop ...`.

`app.py` holds the group and how errors end, `inputs.py` the options that commands share and what is
made of them, `output.py` tables, JSON and CSV; each other module is one command.
"""

import sys as _sys

try:
    import click as _click  # noqa: F401
    import rich as _rich  # noqa: F401
except ImportError:
    _sys.exit('the command line needs click and rich: pip install "earlystop[cli]"')

from .app import main as main

__all__ = ["main"]
