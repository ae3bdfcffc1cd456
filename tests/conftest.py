"""Settings that all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import earlystop
from earlystop.language import registry
from earlystop.logs import format as format_module

# A bare checkout has `earlystop.adapters` beside the package; an installed one has it inside.
earlystop.__path__.append(str(Path(__file__).parents[1]))

# Which frameworks' backends the peers run on must be settled before any of them is imported.
os.environ.setdefault("KERAS_BACKEND", "torch")

# A busy machine is no failure: no deadlines, and no complaint that drawing a history takes long.
settings.register_profile(
    "default",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# For a longer look: pytest --hypothesis-profile=many
settings.register_profile("many", settings.get_profile("default"), max_examples=3000)
settings.load_profile("default")


@pytest.fixture(autouse=True)
def _forget_what_this_test_registers() -> Iterator[None]:
    """Rules and formats of logs that a test or an example defines do not stay registered."""
    formats = list(format_module._own)
    with registry.preserved():
        yield
    format_module._own[:] = formats
