"""What names say: whether a column counts the rows of a log, or holds a known metric."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection

from ..errors import RuleError
from ..language.direction import direction
from ..language.splits import SPLITS
from .columns import is_coordinate

__all__ = [
    "are_predictions",
    "counts_for_certain",
    "counts_rows",
    "is_hyperparameter",
    "is_metric",
    "is_settings",
    "prints_a_loss",
]

# Coordinates that tables of any kind have.
_ANYWHERE = frozenset(
    ("index", "wall_time", "wall time", "walltime", "timestamp", "_timestamp", "_runtime", "time")
)


def counts_rows(name: str) -> bool:
    """Does a column of this name count the rows of a log, rather than those of any table?"""
    return is_coordinate(name) and name.lower() not in _ANYWHERE


def counts_for_certain(name: str) -> bool:
    """Does a column of this name count the rows of a log in any table? A round may be of a game."""
    return counts_rows(name) and _OF_TRAINING.search(name) is not None


_OF_TRAINING = re.compile(r"(?i)epoch|step|iter|env.?interacts")


@functools.lru_cache(4096)
def is_metric(name: str) -> bool:
    """Is this the name of a metric, by its direction or by the part of the data that it names?"""
    first, *rest = re.split(r"[/_.-]", name.strip().lower(), maxsplit=1)
    if rest and first in SPLITS and rest[0] not in _NOT_METRICS:
        return True
    try:
        direction(name[:200], "auto", "")
    except RuleError:
        return False
    return True


_TOLD_OF_PARTS = """
    file files path dir data size split set id batch batch_size samples steps time runtime seed
    samples_per_second steps_per_second
"""
_NOT_METRICS = frozenset(_TOLD_OF_PARTS.split())


def are_predictions(names: Collection[str]) -> bool:
    """Are these the names of what is true and of what was predicted, sample by sample?"""
    plain = {re.sub(r"[\W_]+", "_", name.strip().lower()) for name in names}
    return bool(plain & _TRUE) and bool(plain & _PREDICTED)


_TRULY = """
    y y_true true true_value true_label true_labels actual actual_value actual_label target targets
    label labels ground_truth gt gold observed y_test y_actual
"""
_TRUE = frozenset(_TRULY.split())
_GUESSED = """
    y_pred y_hat yhat pred preds predicted predicted_value predicted_label prediction predictions
    pred_label predicted_labels y_predicted y_prob y_score forecast
"""
_PREDICTED = frozenset(_GUESSED.split())


def prints_a_loss(text: str) -> bool:
    """Does plain text have a loss with a number, as any training prints it?"""
    return "oss" in text and _LOSS.search(text) is not None


_LOSS = re.compile(r"""[Ll]oss\w*['"]?\s*[:=]?\s*[-+]?\d*\.\d""")


def is_settings(name: str) -> bool:
    """Does an object of this name hold settings, rather than what was measured?"""
    return _SETTINGS.search(name) is not None


def is_hyperparameter(name: str) -> bool:
    """Is this the name of a setting that stays as it is during a training?"""
    return "_".join(re.findall(r"[a-z0-9]+", name.lower())) in _HYPERPARAMETERS


_OF_TRIALS = """
    batch_size bs dropout dropout_rate weight_decay optimizer optim momentum activation hidden_size
    hidden_dim hidden_units hidden_layers n_layers num_layers n_hidden units filters kernel_size
    n_estimators max_depth num_leaves embedding_dim seq_len sequence_length window_size
"""
_HYPERPARAMETERS = frozenset(_OF_TRIALS.split())
_SETTINGS = re.compile(
    r"(?i)(^|[_ -])(config|configuration|cfg|args|arguments|params|parameters|hparams|settings"
    r"|hyper_?params|hyper_?parameters|options|opts|meta|metadata)$"
)
