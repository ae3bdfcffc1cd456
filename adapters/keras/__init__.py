"""Keras's `EarlyStopping` and `ModelCheckpoint`, decided by this library's rules, on every backend.

Change the import and a script runs as before, except for the differences that each class lists; or
pass rules of this library to the callbacks.

Inside this package `import keras` is Keras: imports are absolute unless they begin with a dot.
"""

from .early_stopping import EarlyStopping as EarlyStopping
from .fit_history import fit_history as fit_history
from .model_checkpoint import ModelCheckpoint as ModelCheckpoint

__all__ = ["EarlyStopping", "ModelCheckpoint", "fit_history"]
