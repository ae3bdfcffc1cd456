"""The report: one file that holds everything, whatever the runs are called."""

from __future__ import annotations

import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import earlystop as es
from earlystop.report.report import page_with, report_page, write_report

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table><h1>",
    "{{ 7 * 7 }} {% raw %}",
    "a\nb\x00\x1b[31m\u202e",
    "한국어 & <b>",
]
CURVE = [0.9, 0.7, 0.8, 0.6, 0.7, 0.75, 0.5]


class Page(HTMLParser):
    """What a browser would make of a page: its elements, its text, and whether they fit."""

    VOID = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "td" in self.open or "th" in self.open:
            self.cells[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def hostile() -> tuple[es.Replay, es.Replay]:
    history = es.History({"val_loss": [CURVE] * len(HOSTILE)}, names=HOSTILE)
    one, two = (es.replay(es.EarlyStopping("val_loss", patience=n), history) for n in (1, 3))
    return one, two


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(report_page(*hostile(), title="<script>title</script>"))


def test_the_report_refers_to_nothing_outside_and_runs_nothing(page: Page) -> None:
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form", "a", "svg"}
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "action", "data", "background"):
            value = attributes.get(name)
            assert value is None or (tag, value[:26]) == ("img", "data:image/svg+xml;base64,")
    assert len(page.all("style")) == 1
    assert "url(" not in "".join(page.words)
    assert "@import" not in "".join(page.words)
    policies = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_names_appear_unchanged(page: Page) -> None:
    for name in HOSTILE[:4] + HOSTILE[5:]:
        assert name in page.cells
    assert r"a\nb\x00\x1b[31m\u202e" in page.cells


def test_the_report_says_what_every_rule_did_to_every_run(page: Page) -> None:
    for result in hostile():
        row = page.cells.index(repr(result.stop))
        summary = result.summary()
        assert page.cells[row + 1] == repr(result.save)
        assert page.cells[row + 2] == f"{summary['stopped']} of 6"
        assert page.cells[row + 4] == f"{summary['share_saved']:.1%}"
        assert float(page.cells[row + 5]) == pytest.approx(summary["mean_regret"], rel=1e-5)
    run = page.cells.index(HOSTILE[0])
    assert page.cells[run : run + 12] == [
        *(HOSTILE[0], "7"),
        *("3", "rule", "1", "0.7", "0.2"),
        *("7", "log", "6", "0.5", "0"),
    ]
    assert len(page.all("img")) == 1 + len(HOSTILE)  # all runs, and each one
    assert all(image["alt"] for image in page.all("img"))


def test_a_sweep_and_what_was_read_are_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("epoch,val_loss\n0,0.9\n1,0.5\n2,0.7\n3,0.4\n")
    (tmp_path / "bad.csv").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.LogWarning)
        history = es.read_history(
            [str(tmp_path / "good.csv"), str(tmp_path / "bad.csv")], on_error="skip"
        )
    result = es.replay(es.EarlyStopping("val_loss", patience=1), history)
    table = es.sweep(es.Patience("val_loss"), history, patience=[1, 2, 3])
    page = Page(report_page(result, sweep=table))
    assert "Settings" in page.words
    assert "What was read" in page.words
    assert any(cell.startswith("left out: ") for cell in page.cells)
    assert len(page.all("img")) == 2
    some = es.replay(es.EarlyStopping("val_loss", patience=1), _two_runs(tmp_path)[:1])
    assert "Of 2 runs that were read, 1 left out." in Page(report_page(some)).words


def _two_runs(folder: Path) -> es.History:
    for name in "ab":
        (folder / f"run-{name}.csv").write_text("epoch,val_loss\n0,0.9\n1,0.5\n")
    return es.read_history(str(folder / "run-*.csv"))


def test_long_tables_are_cut_with_a_note() -> None:
    history = es.History({"val_loss": [CURVE] * 30})
    result = es.replay(es.EarlyStopping("val_loss", patience=1), history)
    page = Page(report_page(result, rows=10, curves=2))
    assert "run 9" in page.cells
    assert "run 10" not in page.cells
    assert "The first 10 of 30 runs." in page.words
    assert "The 2 runs with the largest regret" in page.words


def test_the_same_report_is_the_same_file(tmp_path: Path) -> None:
    history = es.History({"val_loss": CURVE}, names=HOSTILE[:1])
    result = es.replay(es.EarlyStopping("val_loss", patience=1), history)
    paths = [write_report(tmp_path / name, result) for name in ("a.html", "b.html")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken.html").mkdir()
    result = es.replay(es.MaxEpochs(3), es.History({"val_loss": CURVE}))
    with pytest.raises(OSError, match="taken"):
        write_report(tmp_path / "taken.html", result)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.html"]


@pytest.mark.parametrize("name", ["report.pdf", "report.png", "report", "report.html.gz"])
def test_a_report_under_the_name_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    result = es.replay(es.MaxEpochs(3), es.History({"val_loss": CURVE}))
    with pytest.raises(es.RuleError, match=r"should end in \.html or \.htm"):
        write_report(tmp_path / name, result)
    assert not list(tmp_path.iterdir())


def test_a_rule_that_keeps_nothing_has_a_report() -> None:
    history = es.History({"val_loss": [CURVE, CURVE]})
    page = Page(report_page(es.replay(es.MaxEpochs(3), history)))
    assert "Never()" in page.cells
    assert "-" in page.cells


def test_invalid_arguments_are_refused() -> None:
    one, _ = hostile()
    other, _ = hostile()
    with pytest.raises(es.RuleTypeError, match="at least one"):
        report_page()
    with pytest.raises(es.RuleTypeError, match="takes replays"):
        report_page(one.stop)
    with pytest.raises(es.RuleError, match="of one history"):
        report_page(one, other)


def test_a_page_with_one_picture() -> None:
    one, _ = hostile()
    page = Page(page_with(one.plot(run=0), "<i>"))
    assert len(page.all("img")) == 1
    assert "<i>" in page.words


def test_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"pip install jinja2$"):
        page_with(hostile()[0].plot(run=0), "picture")
