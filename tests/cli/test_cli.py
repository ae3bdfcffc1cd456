"""The command line: the demonstration, and how it says what is missing."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import earlystop as es
from earlystop.cli import main


def test_the_demo_trains_stops_keeps_draws_and_replays(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    done = CliRunner().invoke(main, ["demo", "--out", str(out), "--epochs", "60", "--quiet"])
    assert done.exit_code == 0, done.output
    for text in ("never stopped", "patience 0", "patience 20", "accuracy", "best"):
        assert text in done.output
    assert done.output.count(": the same") == 2
    assert "DIFFERENT" not in done.output
    made = {path.name for path in out.iterdir()}
    kept = {f"best-{name}.npz" for name in ("never-stopped", "patience-0", "patience-20")}
    assert made == {"history.csv", "history.png", *kept}
    assert (out / "history.png").read_bytes().startswith(b"\x89PNG")
    with np.load(out / "best-patience-0.npz") as arrays:
        assert arrays["weights0"].shape == (64, 5)

    with (out / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(60))
    history = es.History({"val_loss": [[float(row["val_loss"]) for row in rows]]})
    result = es.replay(es.EarlyStopping("val_loss", patience=0), history)
    assert (
        f"patience 0: {result.epochs[0]} epochs, best epoch {result.saved_epoch[0]}" in done.output
    )


def test_the_demo_says_in_one_line_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "taken" / "in"), "--quiet"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: cannot write to ")
    assert done.output.count("\n") == 1


def test_the_demo_names_the_packages_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    monkeypatch.delitem(sys.modules, "earlystop.demo", raising=False)
    monkeypatch.delattr(es, "demo", raising=False)
    done = CliRunner().invoke(main, ["demo"])
    assert done.exit_code == 1
    assert done.output == (
        "Error: the demo needs sklearn.datasets: pip install scikit-learn matplotlib tqdm\n"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "-h"], ["--version"]])
def test_help_is_help(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, arguments, prog_name="earlystop")
    assert done.exit_code == 0
    assert done.output.startswith(("Usage: earlystop", "earlystop, version"))


@pytest.mark.parametrize("option", [["--epochs", "0"], ["--seed", "-1"], ["--epochs", "many"]])
def test_invalid_options_are_refused(option: list[str]) -> None:
    done = CliRunner().invoke(main, ["demo", *option])
    assert done.exit_code == 2
    assert "Invalid value" in done.output
