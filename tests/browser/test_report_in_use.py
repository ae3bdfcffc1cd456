"""The page of a report in use: its slider, its table, its charts, with a mouse and with keys."""

from __future__ import annotations

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from earlystop.advising.text import percent
from tests.report.pages import Page

from .opened import Opened
from .pages import PATIENCES, page_of


@pytest.fixture
def page(browser: Opened) -> Opened:
    """A report on 60 runs, with plain patience to slide over."""
    browser.open(page_of(60).path)
    Select(browser.one("#scenario")).select_by_index(0)
    return browser


def numbers(browser: Opened) -> tuple[str, str, str]:
    """What is saved, what is given up, and how many runs are stopped."""
    saved, regret, stopped = (browser.text(f"#n-{name}") for name in ("saved", "regret", "stopped"))
    return saved, regret, stopped


def expected(number: int, runs: object = slice(None)) -> tuple[str, str, str]:
    """The same from the sweep."""
    table = page_of(60).sweep
    checks, lengths = table.checks[number][runs], table.lengths[runs]
    regret, stopped = table.regret[number][runs], table.stopped[number][runs]
    return (
        percent(1 - checks.sum() / lengths.sum()),
        f"{regret.mean():.3g}",
        f"{stopped.sum()} of {len(lengths)}",
    )


def test_the_script_leaves_the_tables_as_they_were_written(browser: Opened) -> None:
    made = page_of(60)
    browser.open(made.path)
    written = Page(made.path.read_text(encoding="utf-8"))
    first = written.cells.index("0", written.cells.index("cost saved"))
    keys = ("run", "curve", "logged", "used", "ended", "kept", "best", "regret", "hours", "cost")
    for column, key in enumerate(keys):
        assert browser.column(key) == written.cells[first + column :: len(keys)][:50], key


def test_the_slider_shows_what_every_setting_did(page: Opened) -> None:
    table = page_of(60).sweep
    for position in (0, 3, 11, len(PATIENCES) - 1):
        page.slide(position)
        assert page.text("#value-0") == str(PATIENCES[position])
        assert numbers(page) == expected(position)
        assert page.column("used") == [str(n) for n in table.checks[position][:50]]
        assert page.column("kept") == [str(n) for n in table.best_check[position][:50]]
        lost = [float(text) for text in page.column("regret")]
        assert lost == pytest.approx(table.regret[position][:50], rel=5e-3)
    hours = float(np.nansum(page_of(60).replays[0].hours_logged - table.hours[-1]))
    assert page.text("#n-hours").startswith(f"{hours:.0f}" if hours > 100 else "0 s")


def test_the_slider_moves_by_keys_and_the_result_is_said(page: Opened) -> None:
    page.slide(4)
    slider = page.one("#axis-0")
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.text("#value-0") == "7"
    assert slider.get_attribute("aria-valuetext") == "7"
    assert numbers(page) == expected(6)
    slider.send_keys(Keys.END)
    assert page.text("#value-0") == "60"
    said = page.driver.execute_async_script(
        "setTimeout(() => arguments[0](document.getElementById('said').textContent), 400)"
    )
    assert said.startswith("patience 60, on 60 runs: ")
    assert page.one("#said").get_attribute("aria-live") == "polite"


def test_stops_and_bests_move_on_the_curves(page: Opened) -> None:
    script = """
        const row = document.querySelector('#runs tbody tr');
        const place = (name, key) => Number(row.querySelector(name).getAttribute(key));
        return [place('.spark .stop', 'x1'), place('.spark .kept', 'cx'),
                document.querySelector('#run .stop')?.getAttribute('x1')];
    """
    table = page_of(60).sweep
    seen = []
    for position in (1, 4):
        page.slide(position)
        stop, kept, _ = page.run(script)
        length = table.lengths[0]
        assert stop == pytest.approx(3 + 106 * table.checks[position][0] / length, abs=0.2)
        assert kept == pytest.approx(
            3 + 106 * (table.best_check[position][0] + 1) / length, abs=0.2
        )
        seen.append(page.run(script)[2])
    assert seen[0] != seen[1]


def test_named_settings_are_one_click_away(page: Opened) -> None:
    marks = page.all("#marks button")
    assert [mark.text for mark in marks] == ["patience 5", "patience 20"]
    marks[1].click()
    assert page.text("#value-0") == "20"
    assert marks[1].get_attribute("aria-pressed") == "true"
    assert marks[0].get_attribute("aria-pressed") == "false"
    assert numbers(page) == expected(19)
    assert page.text("#runs caption") == "What patience 20 does to each run"


def test_the_page_starts_with_the_advice(browser: Opened) -> None:
    made = page_of(60)
    browser.open(made.path)
    assert made.advice.promised
    patience = f"{made.advice.rule.settings['patience']:g}"
    assert browser.text("#value-0") == patience
    assert browser.text("#marks button") == f"the advice: adaptive patience {patience}"
    assert browser.text("h1").startswith(f"Stop with adaptive patience {patience}: ")


def test_a_click_on_the_trade_off_chooses_the_setting(page: Opened) -> None:
    page.slide(4)
    dots = page.all("#tradeoff .dot")
    ActionChains(page.driver).move_to_element(dots[25]).perform()
    tip = page.text("#tradeoff .tip")
    assert tip.startswith("patience ")
    ActionChains(page.driver).click().perform()
    assert page.text("#tradeoff figcaption").startswith(tip.partition(":")[0])


def test_rows_are_sorted_by_any_column_with_the_mouse_and_by_keys(page: Opened) -> None:
    page.slide(4)
    regret = page.one("#runs th[data-key=regret]")
    regret.find_element("tag name", "button").click()
    lost = [float(text) for text in page.column("regret")]
    assert lost == sorted(lost, reverse=True)
    assert regret.get_attribute("aria-sort") == "descending"
    used = page.one("#runs th[data-key=used]")
    used.find_element("tag name", "button").send_keys(Keys.ENTER)
    checks = [int(text) for text in page.column("used")]
    assert checks == sorted(checks)
    assert used.get_attribute("aria-sort") == "ascending"
    assert regret.get_attribute("aria-sort") is None
    used.find_element("tag name", "button").send_keys(Keys.SPACE)
    assert [int(text) for text in page.column("used")] == sorted(page_of(60).sweep.checks[4])[:9:-1]


def test_rows_are_filtered_and_the_numbers_are_of_those_that_are_left(page: Opened) -> None:
    page.slide(4)
    page.one("#find").send_keys("3")
    left = [number for number in range(60) if "3" in str(number)]
    assert page.column("run") == [str(number) for number in left]
    assert numbers(page) == expected(4, left)
    assert page.text("#of").endswith(f"on the {len(left)} runs that are listed")
    page.one("#find").send_keys("xyz")
    assert page.column("run") == []
    assert page.one("#none").is_displayed()
    page.one("#find").clear()
    page.one("#find").send_keys(" ", Keys.BACKSPACE)
    Select(page.one("#which")).select_by_value("none")
    free = np.flatnonzero(page_of(60).sweep.regret[4] == 0)
    assert page.column("run") == [str(number) for number in free]


def test_the_first_rows_are_shown_until_all_are_asked_for(page: Opened) -> None:
    assert len(page.column("run")) == 50
    page.one("#more").click()
    assert len(page.column("run")) == 60
    page.one("#more").click()
    assert len(page.column("run")) == 50


def test_a_chosen_run_is_drawn_and_read_point_by_point(page: Opened) -> None:
    made = page_of(60)
    page.all("#runs tbody th button")[7].send_keys(Keys.ENTER)
    assert page.text("#run figcaption").startswith("7: stopped after ")
    chart = page.one("#run .chart")
    chart.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    value = float(made.history.metrics["val_loss"][7][2])
    words = chart.get_attribute("aria-valuetext")
    assert words.startswith("check 2: val_loss ")
    assert float(words.split()[-1]) == pytest.approx(value, rel=1e-4)
    page.run("arguments[0].scrollIntoView()", chart)
    ActionChains(page.driver).move_to_element(chart).perform()
    assert page.text("#run .cross text").startswith("check ")


def test_a_curve_is_zoomed_into_and_back(page: Opened) -> None:
    points = "return document.querySelectorAll('#run .point').length"
    page.all("#runs tbody th button")[3].click()
    chart = page.one("#run .chart")
    whole = page.text("#run svg")
    chart.send_keys("+", "+")
    assert page.text("#run svg") != whole
    assert 0 < page.run(points) < 60
    chart.send_keys("0")
    assert page.text("#run svg") == whole
    zoom = {button.text: button for button in page.all("#run .zoom button")}
    zoom["Zoom in"].click()
    assert page.text("#run svg") != whole
    zoom["All of it"].click()
    assert page.text("#run svg") == whole
