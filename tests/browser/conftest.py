"""A browser for the tests that need one: Chromium and its driver, as found on this machine.

Nothing is downloaded. Where there is none the tests are skipped, which says so; with
EARLYSTOP_BROWSER=required, as `.ci/run` sets it, that is a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .opened import Opened

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def _session() -> Iterator[Opened]:
    """One browser for all tests of a process."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        missing = "no browser is found: apt-get install chromium chromium-driver"
        if os.environ.get("EARLYSTOP_BROWSER") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    opened = Opened(browser, driver)
    yield opened
    opened.quit()


@pytest.fixture
def browser(_session: Opened) -> Iterator[Opened]:
    """The browser, at a usual size and in light colours; whatever it complained about fails."""
    _session.look()
    yield _session
    assert _session.complaints() == []
