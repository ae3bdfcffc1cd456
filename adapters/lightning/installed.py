"""Lightning as it is installed: as `lightning`, as `pytorch_lightning`, or as both.

Each name has classes of its own. What a Trainer of one name asks of a callback, such as calling it
after those that log, it asks of the classes of its own name.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

__all__ = ["MODULES", "module_of"]

_PACKAGES = {"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}

MODULES = [
    importlib.import_module(f"{package}.callbacks.early_stopping")
    for name, package in _PACKAGES.items()
    if importlib.util.find_spec(name) is not None
]
"""The modules with Lightning's own EarlyStopping."""

if not MODULES:
    raise ModuleNotFoundError(
        "earlystop.adapters.lightning needs Lightning: pip install lightning", name="lightning"
    )


def module_of(trainer: Any) -> Any:
    """The one of `MODULES` that has the name of the Trainer's class."""
    for module in MODULES:
        if isinstance(trainer, getattr(module.pl, "Trainer", ())):
            return module
    return MODULES[0]
