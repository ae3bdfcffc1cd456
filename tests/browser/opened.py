"""A browser under remote control, and what tests ask of the page that is open in it."""

from __future__ import annotations

import base64
import importlib.resources
import os
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement


class Opened:
    """A headless Chromium."""

    def __init__(self, browser: str, driver: str) -> None:
        options = Options()
        options.binary_location = browser
        options.add_argument("--headless=new")
        options.add_argument("--disable-dev-shm-usage")
        options.add_argument("--disable-background-networking")
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # it refuses to run as root with one
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))

    def quit(self) -> None:
        self.driver.quit()

    def look(self, width: int = 1200, height: int = 900, *, dark: bool = False) -> None:
        """Show pages at this size, in light or dark colours."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, page: Path) -> None:
        self.driver.get(page.as_uri())

    def complaints(self) -> list[str]:
        """What the browser had to say about the pages, such as errors of their scripts."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def run(self, script: str, *arguments: Any) -> Any:
        """What a piece of script returns."""
        return self.driver.execute_script(script, *arguments)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return str(self.one(selector).text)

    def column(self, key: str) -> list[str]:
        """The cells of a column of the table of runs, in the order of its rows."""
        script = """
            const table = document.querySelector('#runs table');
            const cells = [...table.tHead.rows[0].cells];
            const column = cells.findIndex((cell) => cell.dataset.key === arguments[0]);
            return [...table.tBodies[0].rows].map((row) => row.cells[column].textContent);
        """
        return list(self.run(script, key))

    def slide(self, position: int) -> None:
        """Move the slider, as a hand does."""
        script = """
            const slider = document.getElementById('axis-0');
            slider.value = arguments[0];
            slider.dispatchEvent(new Event('input'));
            slider.dispatchEvent(new Event('change'));
        """
        self.run(script, position)

    def printed(self) -> bytes:
        """The page as a PDF of A4 paper."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69}
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.printToPDF", paper)["data"])

    def violations(self) -> list[str]:
        """What axe-core finds wrong for people who cannot see well, or use no mouse."""
        axe = importlib.resources.files("axe_core_python") / "axe.min.js"
        self.run(axe.read_text(encoding="utf-8"))
        script = "axe.run().then(arguments[arguments.length - 1])"
        found = self.driver.execute_async_script(script)["violations"]
        return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]
