"""Settings that all tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import earlystop
from earlystop.language import registry
from earlystop.logs import registry as log_formats

# A bare checkout has `earlystop.adapters` beside the package; an installed one has it inside.
earlystop.__path__.append(str(Path(__file__).parents[1]))

# Which frameworks' backends the peers run on must be settled before any of them is imported.
os.environ.setdefault("KERAS_BACKEND", "torch")

# Workers that share the cores of a machine wait for each other's threads.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no failure: no deadlines, and no complaint that drawing a history takes long.
# The draws are the same in each run, so that a failure is of the change that is tested. They are
# few, as most properties are of twenty rules or sweeps each.
settings.register_profile(
    "default",
    max_examples=50,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# Other draws each time: pytest --hypothesis-profile=fresh; for a longer look, =many
settings.register_profile("fresh", settings.get_profile("default"), derandomize=False)
settings.register_profile("many", settings.get_profile("fresh"), max_examples=3000)
settings.load_profile("default")


_HANDLERS = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


@pytest.fixture(autouse=True)
def _put_back_the_handlers_of_signals() -> Iterator[None]:
    """A framework may leave its own behind, as Ray does, for all that runs in the process.

    A fixture of a whole file may have left it before the test begins.
    """
    _put_back_handlers()
    yield
    _put_back_handlers()


def _put_back_handlers() -> None:
    for number, handler in _HANDLERS.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _forget_what_this_test_registers() -> Iterator[None]:
    """Rules and formats of logs that a test or an example defines do not stay registered."""
    with registry.preserved(), log_formats.preserved():
        yield
