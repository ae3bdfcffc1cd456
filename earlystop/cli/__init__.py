"""The command line: `earlystop ...`, also as `python -m earlystop ...`.

`app.py` holds the group and says how errors end. `log_options.py`, `rule_options.py` and
`options.py` hold the options that commands share, `values.py` reads their values, and `loading.py`
turns them into a history and rules. `output.py` prints JSON and CSV, `tables.py` tables, and
`reading.py` what was read. Each other module is one command.
"""

import sys as _sys

try:
    import click as _click  # noqa: F401  # to tell if it is missing
    import rich as _rich  # noqa: F401  # to tell if it is missing
except ImportError:
    _sys.exit("the command line needs click and rich: pip install click rich")

from .app import main as main

__all__ = ["main"]
