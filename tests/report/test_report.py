"""The report: one file that holds everything, whatever the runs are called."""

from __future__ import annotations

import base64
import datetime
import hashlib
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earlystop as es
from earlystop.advising.text import percent
from earlystop.replaying.run_columns import run_columns
from earlystop.report.page import page_with
from earlystop.report.report import report_page, write_report
from tests.report.pages import Page, unpacked

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table><h1>",
    "{{ 7 * 7 }} {% raw %}",
    "a\nb\x00\x1b[31m\u202e",
    "한국어 & <b>",
]
CURVE = [0.9, 0.7, 0.8, 0.6, 0.7, 0.75, 0.5]


def hostile() -> tuple[es.Replay, es.Replay]:
    history = es.History({"val_loss": [CURVE] * len(HOSTILE)}, names=HOSTILE)
    one, two = (es.replay(es.EarlyStopping("val_loss", patience=n), history) for n in (1, 3))
    return one, two


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(report_page(*hostile(), title="<script>title</script>"))


def test_the_report_refers_to_nothing_outside_and_runs_only_its_own_script(page: Page) -> None:
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"link", "iframe", "object", "embed", "base", "form", "a", "img"}
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        assert not {"src", "href", "srcset", "action", "data", "background"} & set(attributes)
    (style,) = re.findall(r"<style>(.*?)</style>", page.source, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = (a["content"] for a in page.all("meta") if "http-equiv" in a)
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    assert [each.get("type") for each in page.all("script")] == ["application/json", None]
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", page.scripts[1]
    )


def test_names_appear_unchanged(page: Page) -> None:
    for name in HOSTILE[:4] + HOSTILE[5:]:
        assert name in page.cells
    assert r"a\nb\x00\x1b[31m\u202e" in page.cells


def test_the_report_says_what_every_rule_did_to_every_run(page: Page) -> None:
    for result, label in zip(hostile(), ("patience 1", "patience 3"), strict=True):
        row = page.cells.index(label)
        summary = result.summary()
        assert page.cells[row + 1] == f"{summary['stopped']} of 6"
        assert page.cells[row + 3] == percent(summary["share_saved"])
        assert float(page.cells[row + 4]) == pytest.approx(summary["mean_regret"], rel=1e-2)
        assert repr(result.stop) in page.words
        scenario = next(each for each in page.data["scenarios"] if each["label"] == label)
        assert [unpacked(row)[0] for row in scenario["runs"]["used"]] == result.used.tolist()
    run = page.cells.index(HOSTILE[0])
    assert page.cells[run : run + 8] == [HOSTILE[0], "", "7", "3", "rule", "1", "0.7", "0.2"]


def test_the_page_has_what_every_setting_of_a_sweep_did_to_every_run() -> None:
    rng = np.random.default_rng(3)
    history = es.History(
        {"val_loss": rng.normal(size=(20, 40)), "elapsed_seconds": rng.random((20, 40)).cumsum(1)},
        lengths=rng.integers(3, 41, 20),
    )
    result = es.replay(es.EarlyStopping("val_loss", patience=4), history)
    table = es.sweep(es.Patience("val_loss"), history, patience=range(1, 41))
    data = Page(report_page(result, sweep=table)).data
    scenario = data["scenarios"][0]
    assert scenario["axes"] == [{"name": "patience", "values": [str(n) for n in range(1, 41)]}]
    assert scenario["marks"] == [{"label": "patience 4", "at": 3}]
    assert scenario["start"] == 3
    for name, expected in (
        ("used", table.amounts(table.unit)),
        ("kept", table.best_check + 1),
        ("stopped", table.stopped),
        ("regret", table.regret),
        ("seconds", 3600 * table.hours),
    ):
        found = np.array([unpacked(row) for row in scenario["runs"][name]], dtype=float).T
        assert found == pytest.approx(np.asarray(expected, dtype=float), rel=1e-4, abs=1e-12), name
    assert scenario["total"]["regret"] == pytest.approx(table.mean_regret, rel=1e-5)
    assert scenario["total"]["used"] == pytest.approx(table.share_saved, rel=1e-5)
    assert scenario["total"]["hours"] == pytest.approx(table.hours.sum(axis=1), rel=1e-5)


def test_a_grid_of_several_fields_has_an_axis_each_and_large_ones_keep_what_is_marked() -> None:
    history = es.History({"val_loss": [CURVE, CURVE[::-1]]})
    result = es.replay(es.EarlyStopping("val_loss", patience=7, min_delta=0.013), history)
    margins = [round(0.001 * n, 3) for n in range(30)]
    table = es.sweep(es.Patience("val_loss"), history, min_delta=margins, patience=range(1, 101))
    scenario = Page(report_page(result, sweep=table)).data["scenarios"][0]
    sizes = [len(axis["values"]) for axis in scenario["axes"]]
    assert np.prod(sizes) == len(scenario["total"]["used"]) <= 400
    (mark,) = scenario["marks"]
    chosen = np.unravel_index(mark["at"], sizes)
    named = [axis["values"][at] for axis, at in zip(scenario["axes"], chosen, strict=True)]
    assert named == ["0.013", "7"]


def test_the_headline_answers_with_the_promise_and_the_advice_is_a_section() -> None:
    history = paces(200)
    result = es.replay(es.EarlyStopping("val_loss", patience=20), history)
    advice = es.advise(history, "val_loss", max_regret=0.05)
    page = Page(report_page(result, advice=advice, command="earlystop report runs/"))
    advised = es.replay(advice.rule, history, save=es.Best("val_loss"))
    words = f"adaptive patience {advice.rule.patience:g}"
    assert (
        f"Stop with {words}: {percent(advised.share_saved, 2)} of the checks saved; expected to "
        "give up at most 5 % of the improvement" in page.words
    )
    assert "Made by: earlystop report runs/" in page.words
    assert datetime.date.today().isoformat() in page.words
    for sentence in str(advice).replace("\n", " ").split(". "):
        if sentence.startswith(("Expected regret", "It takes", "This rests", "Mind")):
            assert sentence.removeprefix("Mind: ").rstrip(".") in page.text
    assert page.cells.count("the advice") == 1
    assert words in page.cells
    assert page.data["scenarios"][0]["label"] == f"the advice: {words}"


def test_too_few_runs_for_a_promise_are_told_in_the_headline() -> None:
    history = paces(3)
    result = es.replay(es.EarlyStopping("val_loss", patience=3), history)
    advice = es.advise(history, "val_loss", max_regret=0.01)
    (title,) = re.findall("<h1>(.*)</h1>", report_page(result, advice=advice))
    assert title.startswith("No promise can be made from 3 runs. Patience 3 would have saved ")


def paces(runs: int) -> es.History:
    rng = np.random.default_rng(1)
    losses = np.exp(-np.arange(100) / rng.uniform(3, 25, (runs, 1)))
    return es.History({"val_loss": losses + 0.002 * rng.standard_normal((runs, 100))})


def test_what_is_about_other_runs_or_in_another_unit_is_refused() -> None:
    history, other = paces(20), paces(3)
    result = es.replay(es.EarlyStopping("val_loss", patience=3), history)
    table = es.sweep(es.Patience("val_loss"), other, patience=[1, 2])
    with pytest.raises(es.RuleError, match="a sweep of the runs of its replays"):
        report_page(result, sweep=table)
    with pytest.raises(es.RuleError, match="advice on the runs of its replays"):
        report_page(result, advice=es.advise(other, "val_loss", max_regret=0.1))
    timed = es.History({"val_loss": [CURVE], "elapsed_seconds": [list(range(7))]})
    in_time = es.replay(es.EarlyStopping("val_loss"), timed, unit="elapsed_seconds")
    in_checks = es.sweep(es.Patience("val_loss"), timed, patience=[1, 2])
    with pytest.raises(es.RuleError, match="cost in one unit"):
        report_page(in_time, sweep=in_checks)


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
    some = es.replay(es.EarlyStopping("val_loss", patience=1), _two_runs(tmp_path)[:1])
    assert "Of 2 runs that were read, 1 left out." in Page(report_page(some)).words


def _two_runs(folder: Path) -> es.History:
    for name in "ab":
        (folder / f"run-{name}.csv").write_text("epoch,val_loss\n0,0.9\n1,0.5\n")
    return es.read_history(str(folder / "run-*.csv"))


def test_long_tables_are_cut_with_a_note() -> None:
    history = es.History({"val_loss": [CURVE] * 30})
    result = es.replay(es.EarlyStopping("val_loss", patience=1), history)
    page = Page(report_page(result, rows=10))
    assert "run 9" in page.cells
    assert "run 10" not in page.cells
    assert "The first 10 of 30 runs." in page.text
    assert len(page.data["curves"]) == 10
    assert page.data["all"] == 30


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


@pytest.mark.parametrize("name", ["report.png", "report", "report.html.gz"])
def test_a_report_under_the_name_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    result = es.replay(es.MaxEpochs(3), es.History({"val_loss": CURVE}))
    with pytest.raises(es.RuleError, match=r"should end in \.html, \.htm or \.pdf"):
        write_report(tmp_path / name, result)
    assert not list(tmp_path.iterdir())


def test_a_rule_that_keeps_nothing_has_a_report() -> None:
    history = es.History({"val_loss": [CURVE, CURVE]})
    page = Page(report_page(es.replay(es.MaxEpochs(3), history)))
    assert "Never()" in page.text
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


def test_a_pdf_without_a_browser_says_what_to_do_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    one, _ = hostile()
    with pytest.raises(es.RuleError, match=r"write the report as \.html, open it in any browser"):
        write_report(tmp_path / "report.pdf", one)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("script", "words"),
    [("exit 3", "did not print"), ("echo no display >&2; exit 1", "no display"), ("", "not print")],
)
def test_a_browser_that_does_not_print_is_an_error_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    browser = tmp_path / "chromium"
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(OSError, match=words):
        write_report(tmp_path / "report.pdf", hostile()[0])
    assert [path.name for path in tmp_path.iterdir()] == ["chromium"]


@pytest.mark.parametrize("places", [{}, {"epoch": [0, 1, 2, 3]}, {"epoch": [1, 2, 3, 4]}])
def test_a_report_names_the_check_that_is_kept_as_a_table_of_runs_does(places: Any) -> None:
    log = es.History({"val_loss": [4.0, 3.0, 3.5, 3.6]}, coordinates=places)
    result = es.replay(es.EarlyStopping("val_loss", patience=2), log)
    ((heading, (number,)),) = (
        (heading, cells)
        for heading, cells in run_columns(result, [0]).items()
        if heading.endswith(" kept") and heading != "value kept"
    )
    page = Page(report_page(result))
    assert heading in page.cells
    assert number == str(places["epoch"][1] if places else 1)
    assert page.data["unit"]["one"] == heading.removesuffix(" kept")
    ahead = page.data["ahead"][0]
    kept = page.data["scenarios"][-1]["runs"]["kept"][0]
    assert unpacked(kept)[0] - ahead == int(number)
