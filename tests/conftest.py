"""Settings that all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# Which frameworks' backends the peers run on must be settled before any of them is imported.
os.environ.setdefault("KERAS_BACKEND", "torch")

settings.register_profile("default", deadline=None, print_blob=True)
settings.load_profile("default")
