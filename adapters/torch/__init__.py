"""For PyTorch loops written by hand: steps a stopper, keeps and restores the model, resumes a run.

training = Training(es.EarlyStopping("val_loss", patience=20), model, optimizer=optimizer,
                    folder="runs/1", resume=True)
for epoch in training.epochs(3000):
    ...
    training.step(val_loss=...)
training.restore_best()

Inside this package `import torch` is PyTorch: imports are absolute unless they begin with a dot.
"""

from .metrics import numbers as numbers
from .training import Training as Training
from .weights import unwrapped as unwrapped

__all__ = ["Training", "numbers", "unwrapped"]
