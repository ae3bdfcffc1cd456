"""Histories whose columns are stored ragged, however little padding that saves."""

from __future__ import annotations

from typing import Any

import numpy as np

import earlystop as es
from earlystop.history.history import history_of
from earlystop.history.ragged import Ragged

__all__ = ["stored_ragged"]


def stored_ragged(history: es.History) -> es.History:
    """The same history, its columns ragged."""
    inside = np.arange(history.epochs) < history.lengths[:, None]

    def column(array: Any) -> Ragged:
        return Ragged(np.asarray(array)[inside], history.lengths)

    gaps = {name: history.gaps(name) for name in history.metrics}
    return history_of(
        {name: column(array) for name, array in history.metrics.items()},
        {name: column(mask) for name, mask in gaps.items() if mask is not None},
        history.lengths,
        history.given_names,
        {name: column(array) for name, array in history.coordinates.items()},
        history.report,
    )
