"""`earlystop compare` and `--as`: what frameworks would have done, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import earlystop as es
from tests.cli.running import MONITOR, failed, good, log

CURVE = [0.5, 0.4, 0.45, 0.46, 0.47, 0.48, 0.1]


@pytest.fixture
def curve(tmp_path: Path) -> Path:
    return log(tmp_path / "log.csv", CURVE)


def test_frameworks_that_do_the_same_share_a_row(curve: Path) -> None:
    output = good("compare", curve, *MONITOR, "--patience", 2)
    assert "val_loss (min) of 1 run" in output
    names = output.replace("\n", " ")
    assert all(name in names for name in ("keras", "lightning", "flax", "sklearn.mlp"))
    assert output.count("epoch 3") == 1  # where eleven of them stop
    assert "epoch 4" in next(line for line in output.splitlines() if "composer" in line)


def test_of_several_runs_it_tells_what_they_use_and_give_up(curve: Path, tmp_path: Path) -> None:
    log(tmp_path / "other.csv", [0.5, 0.4, 0.3, 0.2])
    output = good("compare", tmp_path, *MONITOR, "--patience", 2, "--as", "keras", "--as", "flax")
    assert "1 of 2" in output
    assert "regret" in output


def test_json_has_what_python_gives(curve: Path) -> None:
    data = json.loads(good("compare", curve, *MONITOR, "--patience", 2, "--json"))
    comparison = es.compare(es.read_history(curve), "val_loss", patience=2)
    told = {row["name"]: row["used"] for row in data["frameworks"]}
    assert told == {row["name"]: row["used"] for row in comparison.rows()}


def test_it_draws_what_it_tells(curve: Path, tmp_path: Path) -> None:
    picture = tmp_path / "frameworks.svg"
    good("compare", curve, *MONITOR, "--patience", 2, "-o", picture)
    assert picture.read_text().startswith("<?xml")


@pytest.mark.parametrize("name", ["keras", "composer", "lightning.early_stopping", "xgboost"])
def test_replay_as_a_framework_is_the_replay_of_its_stopper(curve: Path, name: str) -> None:
    data = json.loads(good("replay", curve, *MONITOR, "--as", name, "--patience", "2,3", "--json"))
    found = [(rule["rule_data"], rule["save_data"]) for rule in data["rules"]]
    expected = [
        es.peers.asked.stopper_as(name, "val_loss", patience=patience) for patience in (2, 3)
    ]
    assert found == [(each.stop.to_dict(), each.save.to_dict()) for each in expected]
    history = es.read_history(curve)
    assert [row["used"] for row in data["rules"]] == [
        es.replay(each, history).summary()["used"] for each in expected
    ]


def test_a_sweep_as_a_framework_says_where_its_patience_is_another(curve: Path) -> None:
    options = (*MONITOR, "--as", "composer", "--patience", "1:4", "--json")
    data = json.loads(good("sweep", curve, *options))
    assert [row["patience"] for row in data["settings"]] == [2, 3, 4]
    plain = json.loads(good("sweep", curve, *MONITOR, "--patience", "2:5", "--json"))
    used = [row["mean_epochs"] for row in data["settings"]]
    assert used == [row["mean_epochs"] for row in plain["settings"]]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["--as", "kears", "--patience", "2"], "did you mean 'keras'"),
        (["--as", "keras", "--rule", "MaxEpochs(3)"], "leave out --rule"),
        (["--as", "keras", "--baseline", "2"], "--as takes --patience and --min-delta"),
        (["--as", "xgboost"], "no default for patience"),
    ],
)
def test_what_does_not_go_with_a_framework_is_told(
    curve: Path, command: list[str], said: str
) -> None:
    assert said in failed(2, "replay", curve, *MONITOR, *command)
