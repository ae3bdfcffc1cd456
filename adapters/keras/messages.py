"""The messages of the callbacks, printed or logged in the way Keras does it."""

from __future__ import annotations

import logging
import re

import keras

__all__ = ["count_from_1", "distinct_texts", "say"]


def say(message: str) -> None:
    """Print a message, or log it as Keras's own callbacks do."""
    if keras.config.is_interactive_logging_enabled():
        print(message, flush=True)
    else:
        logging.getLogger("absl").info(message)


def distinct_texts(before: float | None, now: float) -> tuple[str, str]:
    """Two values as text, with enough digits to distinguish them.

    >>> distinct_texts(0.37, 0.369999)
    ('0.37', '0.369999')
    """
    if before is None:
        return "None", f"{now:.5f}"
    texts = f"{before:.5f}", f"{now:.5f}"
    return texts if texts[0] != texts[1] or before == now else (f"{before:.9g}", f"{now:.9g}")


def count_from_1(reason: str, offset: int) -> str:
    """The reason for a stop, with epochs counted from 1 as Keras prints them.

    offset: the epoch of the fit that is epoch 0 in the reason.

    >>> count_from_1("loss has not improved on 4 (epoch 1)", 0)
    'loss has not improved on 4 (epoch 2)'
    """
    return re.sub(r"\(epoch (\d+)\)", lambda m: f"(epoch {int(m[1]) + offset + 1})", reason)
