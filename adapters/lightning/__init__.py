"""`EarlyStopping` for Lightning, under either of its names: `lightning`, `pytorch_lightning`.

Inside this package `import lightning` is Lightning: imports are absolute unless they begin with a
dot.
"""

from .early_stopping import EarlyStopping

__all__ = ["EarlyStopping"]
