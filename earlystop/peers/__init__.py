"""What other frameworks decide, as stoppers made of this library's rules.

`es.peers.<framework>.<class, in snake case>(...)` takes the arguments of the framework's class, by
its names and with its defaults, and gives a `Stopper` that decides as the class does, live or
replayed.

>>> import earlystop as es
>>> for make in (es.peers.keras.early_stopping, es.peers.flax.early_stopping):
...     stopper = make(patience=2, monitor="loss")
...     [stopper.step({"loss": value}).stop for value in [0.5, 0.4, 0.5, 0.6]]
[False, False, False, True]
[False, False, False, False]

Keyword-only are `monitor` and `mode` where the class takes none, `dtype` where the framework
compares in the type of a tensor or a backend, and `version` where releases differ. A learning-rate
scheduler "stops" at each cut; what only saves never stops. Each docstring names the release and the
file that the decisions are from, and says what differs.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["names"]

_FRAMEWORKS = (
    *("bjarten", "catboost", "composer", "fairseq", "fastai", "flax", "ignite", "keras"),
    *("lightgbm", "lightning", "mmengine", "optuna", "orbax", "ray", "sklearn", "skorch", "torch"),
    *("transformers", "ultralytics", "xgboost"),
)


def names() -> list[str]:
    """The names of all peers, such as `keras.early_stopping`.

    >>> [name for name in names() if name.startswith("keras.")]
    ['keras.early_stopping', 'keras.model_checkpoint', 'keras.reduce_lr_on_plateau']
    """
    return [
        f"{framework}.{name}"
        for framework in _FRAMEWORKS
        for name in __getattr__(framework).__all__
    ]


def __getattr__(name: str) -> ModuleType:
    if name in _FRAMEWORKS:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_FRAMEWORKS])
