"""What a notebook shows, and what happens when a cell is run again, in a real kernel."""

from __future__ import annotations

import html.parser
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import earlystop as es

ROOT = Path(__file__).parents[2]


def executed(*cells: str) -> list[list[Any]]:
    """The outputs of each cell; what a cell raises is one of them."""
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook = nbformat.v4.new_notebook(cells=made)
    NotebookClient(
        notebook,
        timeout=300,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT)}},
    ).execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    return [cell.outputs for cell in notebook.cells]


def test_results_and_figures_show_by_themselves() -> None:
    outputs = executed(
        "import earlystop as es\nh = es.History({'loss': [[3.0, 1.0, 2.0], [2.0, 1.0, 1.5]]})",
        "h",
        "r = es.replay(es.EarlyStopping('loss', patience=1), h)\nr",
        "r.decisions(0)[-1]",
        "t = es.sweep(es.Patience('loss'), h, patience=[1, 2])\nt",
        "es.advise(h, 'loss', max_regret=0.1)",
        "r.plot()",
        "import sys\n'matplotlib.pyplot' in sys.modules",
    )
    for number in range(1, 6):
        assert "<table>" in outputs[number][-1]["data"]["text/html"]
    assert outputs[6][-1]["data"]["image/png"]
    assert outputs[7][-1]["data"]["text/plain"] == "False"


CELL = """
import earlystop as es, torch
from earlystop.adapters.torch import Training
training = Training(
    es.EarlyStopping("val_loss", patience=9),
    torch.nn.Linear(1, 1),
    folder={folder!r},
    resume={resume},
)
for epoch in training.epochs({epochs}):
    training.step(val_loss=1 / (epoch + 1))
    if epoch == {fails_at}:
        raise KeyboardInterrupt
"""


def test_a_cell_that_is_run_again_says_how_and_goes_on_with_the_run(tmp_path: Path) -> None:
    told = {"folder": str(tmp_path / "run"), "fails_at": 3}
    first, again, resumed, done = executed(
        CELL.format(resume=False, epochs=9, **told),
        CELL.format(resume=False, epochs=9, **told),
        CELL.format(resume=True, epochs=9, **told),
        "training.epoch, len(training.history['val_loss'])",
    )
    assert first[-1]["ename"] == "KeyboardInterrupt"
    assert "pass resume=True" in again[-1]["evalue"]
    assert not resumed
    assert done[-1]["data"]["text/plain"] == "(9, 9)"


def test_a_program_that_opens_a_folder_twice_is_still_refused(tmp_path: Path) -> None:
    code = CELL.format(folder=str(tmp_path), resume=True, epochs=1, fails_at=-1)
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nfirst = training\n{code}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "in use by this process" in done.stderr


class Tables(html.parser.HTMLParser):
    """Checks that tags are closed, and collects the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.heads: list[dict[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag == "th":
            self.heads.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def results(runs: int, settings: int) -> list[Any]:
    """A result of each kind, with names that would be tags."""
    rng = np.random.default_rng(0)
    names = [f"<b>run & {run}" for run in range(runs)]
    history = es.History(
        {"<i>loss": rng.random((runs, 9)), "loss": rng.random((runs, 9))}, names=names
    )
    rule = es.Patience("<i>loss", mode="min")
    replay = es.replay(rule, history, save=es.Best("<i>loss", mode="min"))
    return [
        *(history, replay, replay.decisions(0)[-1]),
        es.sweep(rule, history, patience=range(1, settings + 1)),
        es.advise(history, "<i>loss", mode="min", max_regret=0.1),
    ]


@pytest.mark.parametrize(("runs", "settings"), [(1, 1), (2, 3), (300, 200)])
def test_tables_are_small_escaped_and_name_their_rows_and_columns(runs: int, settings: int) -> None:
    for result in results(runs, settings):
        page = result._repr_html_()
        table = Tables(page)
        assert "<i>" not in page
        assert "<b>" not in page
        assert table.heads
        assert all(head.get("scope") in ("row", "col") for head in table.heads)
        assert len(page) < 20_000
        assert "color" not in page  # those of the page, dark or light


def test_text_goes_into_a_decision_s_table_as_it_is() -> None:
    stopper = es.EarlyStopping("<u>", patience=1, mode="min")
    stopper.step({"<u>": 1.0})
    page = stopper.step({"<u>": 1.0})._repr_html_()
    assert "&lt;u&gt; has not improved on 1" in page
