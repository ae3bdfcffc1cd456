"""Other frameworks' own classes, driven over a curve as the framework drives them, beside ours.

Each function draws settings, runs the class over the curve, and gives a `Case`: what it did, and
our stopper of the same settings.
"""

from __future__ import annotations

from . import boosting, handlers, networks
from .case import Case, Curve, Drive, difference, random_curve

__all__ = ["DRIVEN", "GO_ON", "Case", "Curve", "Drive", "difference", "random_curve"]

DRIVEN: dict[str, Drive] = {
    "keras.early_stopping": networks.keras_early_stopping,
    "keras.model_checkpoint": networks.keras_model_checkpoint,
    "keras.reduce_lr_on_plateau": networks.keras_reduce_lr_on_plateau,
    "lightning.early_stopping": networks.lightning_early_stopping,
    "lightning.model_checkpoint": networks.lightning_model_checkpoint,
    "transformers.early_stopping_callback": networks.transformers_early_stopping_callback,
    "skorch.early_stopping": networks.skorch_early_stopping,
    "skorch.checkpoint": networks.skorch_checkpoint,
    "ignite.early_stopping": handlers.ignite_early_stopping,
    "ignite.checkpoint": handlers.ignite_checkpoint,
    "flax.early_stopping": handlers.flax_early_stopping,
    "torch.reduce_lr_on_plateau": handlers.torch_reduce_lr_on_plateau,
    "optuna.patient_pruner": handlers.optuna_patient_pruner,
    "optuna.threshold_pruner": handlers.optuna_threshold_pruner,
    "sklearn.mlp": handlers.sklearn_mlp,
    "ultralytics.early_stopping": handlers.ultralytics_early_stopping,
    "ray.trial_plateau_stopper": handlers.ray_trial_plateau_stopper,
    "xgboost.early_stopping": boosting.xgboost_early_stopping,
    "lightgbm.early_stopping": boosting.lightgbm_early_stopping,
    "catboost.overfitting_detector": boosting.catboost_overfitting_detector,
}
"""By the name of our preset, as in `es.peers.names()`."""

GO_ON = ("keras.reduce_lr_on_plateau", "torch.reduce_lr_on_plateau")
"""Those that cut a rate, after which the run goes on."""
