"""Reports as PDF: a browser of this machine prints the page."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..errors import RuleError

__all__ = ["find_browser", "printed"]

_BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "msedge"),
)
_SECONDS = 120


def find_browser() -> str:
    """The browser that prints. Raises RuleError, with what else to do, if there is none."""
    for name in _BROWSERS:
        found = shutil.which(name)
        if found is not None:
            return found
    raise RuleError(
        "a PDF of a report is printed by Chromium, Chrome or Edge, and none of them is on the "
        "PATH: install one, or write the report as .html, open it in any browser, and print it "
        "there to a PDF"
    )


def printed(page: str) -> bytes:
    """The page as a PDF.

    Raises RuleError without a browser, OSError if it does not print.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, target = Path(folder) / "report.html", Path(folder) / "report.pdf"
        source.write_bytes(page.encode())
        options = [
            *("--headless", "--disable-gpu", "--no-pdf-header-footer"),
            *(f"--user-data-dir={folder}/profile", "--virtual-time-budget=10000"),
            f"--print-to-pdf={target}",
        ]
        if getattr(os, "geteuid", lambda: 1)() == 0:
            options.append("--no-sandbox")  # it refuses to run as root with one
        try:
            done = subprocess.run(  # noqa: S603  # a browser of this machine, on our own file
                [browser, *options, source.as_uri()],
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise OSError(f"{browser} did not print the report in {_SECONDS} s") from None
        if done.returncode or not target.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise OSError(f"{browser} did not print the report: {' '.join(said[-1:])}")
        return target.read_bytes()
