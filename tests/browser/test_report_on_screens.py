"""The page of a report on any screen, on paper, in the dark, and for those who cannot see it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import earlystop as es
from earlystop._text import distinct_names
from earlystop.report.page import page_with
from earlystop.report.report import write_report

from .opened import Opened
from .pages import Made, page_of

LONG = "experiments/a-very-long-name-without-any-break-in-it-0123456789abcdef-{}/x"
HOSTILE = "{0}</script><script>window.broken = 1</script><img src=x onerror='window.broken = 2'>{0}"


def pages() -> list[Made]:
    return [page_of(3), page_of(60), page_of(7, LONG)]


@pytest.mark.parametrize(
    ("runs", "width", "dark"),
    [(30, 390, False), (30, 1200, True), (3, 390, True), (3, 1200, False)],
    ids=["phone", "dark", "few on a dark phone", "few"],
)
def test_axe_finds_nothing_wrong(browser: Opened, runs: int, width: int, dark: bool) -> None:
    browser.look(width, dark=dark)
    browser.open(page_of(runs).path)
    browser.one("#find").send_keys("1")  # fewer rows, which are all alike
    browser.run("for (const each of document.querySelectorAll('details')) each.open = true")
    assert browser.violations() == []


@pytest.mark.parametrize("width", [390, 600, 768, 1024, 1440, 1600])
def test_no_screen_scrolls_sideways(browser: Opened, width: int) -> None:
    browser.look(width)
    for made in pages():
        browser.open(made.path)
        assert browser.run("return document.documentElement.scrollWidth") <= width
        columns = browser.run(
            "return [...document.querySelectorAll('#runs th')].map((x) => x.clientWidth)"
        )
        assert min(wide for wide in columns if wide) >= 40  # no column of single letters


def test_light_and_dark_follow_what_the_reader_has_chosen(browser: Opened) -> None:
    script = "return getComputedStyle(document.body).backgroundColor"
    browser.open(page_of(3).path)
    assert browser.run(script) == "rgb(255, 255, 255)"
    browser.look(dark=True)
    assert browser.run(script) == "rgb(20, 23, 27)"


def test_a_thousand_runs_print_on_a_few_pages_in_the_colours_of_paper(browser: Opened) -> None:
    browser.look(dark=True)
    browser.open(page_of(1000).path)
    assert len(re.findall(rb"/Type\s*/Page\b[^s]", browser.printed())) <= 5


def test_a_thousand_runs_are_one_file_of_less_than_5_mb_that_answers_at_once(
    browser: Opened,
) -> None:
    made = page_of(1000)
    assert made.path.stat().st_size < 5e6
    browser.open(made.path)
    browser.one("#more").click()
    assert len(browser.column("run")) == 1000
    slide = "$('#axis-0').stepUp(9); $('#axis-0').dispatchEvent(new Event('input'));"
    sort = "$('#runs th[data-key=regret] button').click();"
    for act in (slide, sort):
        script = f"""
            const $ = (selector) => document.querySelector(selector);
            const begin = performance.now();
            {act}
            document.body.getBoundingClientRect();
            return performance.now() - begin;
        """
        assert min(browser.run(script) for _ in range(3)) < 1000


def test_the_page_fetches_nothing(browser: Opened) -> None:
    browser.open(page_of(3).path)
    assert browser.run("return performance.getEntriesByType('resource').length") == 0


def test_names_that_are_html_stay_text(browser: Opened) -> None:
    made = page_of(4, HOSTILE)
    browser.open(made.path)
    assert browser.run("return window.broken") is None
    names = distinct_names(made.history.names, 60)
    assert "</script>" in names[0]
    assert browser.column("run") == names
    browser.one("#runs tbody th button").click()
    assert browser.text("#run figcaption").startswith(names[0])
    assert browser.run("return window.broken") is None


def test_what_has_no_best_or_no_numbers_has_a_page(browser: Opened, tmp_path: Path) -> None:
    nan = float("nan")
    histories = [
        es.History({"val_loss": [[0.9, 0.5, 0.7]]}),
        es.History({"val_loss": [[nan, nan], [nan, nan]]}),
        es.History({"val_loss": [[1.0, float("inf"), nan, -1e300], [None, 2.0, 2.0, 1e300]]}),
    ]
    for number, history in enumerate(histories):
        for stop in (es.MaxEpochs(2), es.EarlyStopping("val_loss", patience=1)):
            result = es.replay(stop, history)
            table = es.sweep(es.Patience("val_loss"), history, patience=[1, 2, 3])
            path = write_report(tmp_path / f"{number}.html", result, sweep=table)
            browser.open(path)
            for position in range(3):
                if browser.all("#axis-0"):
                    browser.slide(position)


def test_a_picture_in_a_page_is_shown(browser: Opened, tmp_path: Path) -> None:
    figure = page_of(3).replays[0].plot(run=0)
    path = tmp_path / "picture.html"
    path.write_text(page_with(figure, "one run"), encoding="utf-8")
    browser.look(390)
    browser.open(path)
    assert browser.run("return document.querySelector('img').naturalWidth") > 100
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    assert browser.violations() == []


def test_a_report_named_pdf_is_one(browser: Opened, tmp_path: Path) -> None:
    made = page_of(3)
    path = write_report(tmp_path / "report.pdf", *made.replays, sweep=made.sweep)
    assert path.read_bytes().startswith(b"%PDF-")
    assert [each.name for each in tmp_path.iterdir()] == ["report.pdf"]
