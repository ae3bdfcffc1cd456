"""The messages of the callbacks, printed or logged in the way Keras does it."""

from __future__ import annotations

import logging
import re

import keras

from earlystop.language.positions import number_text

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


def count_from_1(reason: str) -> str:
    """The reason for a stop, with epochs counted from 1 as Keras prints them.

    >>> count_from_1("loss has not improved on 4 (epoch 1,999)")
    'loss has not improved on 4 (epoch 2,000)'
    """

    def next_epoch(found: re.Match[str]) -> str:
        return f"(epoch {number_text(int(found[1].replace(',', '')) + 1)}"

    return re.sub(r"\(epoch (\d+(?:,\d{3})*)", next_epoch, reason)
