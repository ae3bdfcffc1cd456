"""What lies in a folder and is no run of its own: twins, final figures, indices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earlystop as es
from tests.logs.reading import logged, write
from tests.support.event_files import write_events

LOSSES = [1.1, 0.7, 0.30000001, 0.5, 0.4, 0.45]


def table(path: Path, losses: list[float], digits: int = 17, **more: list[float]) -> Path:
    rows = [
        ",".join(f"{v:.{digits}g}" for v in (step, *values))
        for step, values in enumerate(zip(losses, *more.values(), strict=True))
    ]
    return write(path, "\n".join([",".join(["step", "loss", *more]), *rows, ""]))


def events(folder: Path, losses: list[float], tag: str = "loss") -> None:
    scalars = [(float(step), step, tag, loss) for step, loss in enumerate(losses)]
    write_events(folder / "events.out.tfevents.1.host", scalars)


@pytest.mark.parametrize("digits", [17, 5])
def test_a_table_beside_the_events_of_its_run_counts_once(tmp_path: Path, digits: int) -> None:
    table(tmp_path / "a" / "metrics.csv", LOSSES, digits)
    events(tmp_path / "a", LOSSES)
    events(tmp_path / "b", LOSSES)
    history = es.read_history(tmp_path)
    assert history.runs == 2
    assert logged(history, "loss") == [float(f"{loss:.{digits}g}") for loss in LOSSES]
    assert "the same run as in metrics.csv" in str(history.report)
    assert "holds the same run (tensorboard): it counts once" in str(history.report)


def test_a_run_keeps_what_only_its_twin_has(tmp_path: Path) -> None:
    table(tmp_path / "metrics.csv", LOSSES)
    scalars = [(float(s), s, "loss", v) for s, v in enumerate(LOSSES)]
    scalars += [(float(s), s, "acc", s / 8) for s in range(len(LOSSES))]
    write_events(tmp_path / "events.out.tfevents.1.host", sorted(scalars))
    history = es.read_history(tmp_path)
    assert history.runs == 1
    assert logged(history, "acc") == [s / 8 for s in range(len(LOSSES))]
    assert len(logged(history, "loss")) == len(LOSSES)


@pytest.mark.parametrize(
    "other",
    [
        [*LOSSES[:-1], 0.44],
        [*LOSSES[:4], 0.41, 0.45],
        [loss + 0.001 for loss in LOSSES],
        [0.0] * 6,
    ],
)
def test_other_runs_in_other_formats_stay(tmp_path: Path, other: list[float]) -> None:
    table(tmp_path / "metrics.csv", LOSSES)
    events(tmp_path, other)
    assert es.read_history(tmp_path).runs == 2


def test_a_schedule_that_two_runs_share_does_not_make_them_one(tmp_path: Path) -> None:
    rates = [0.1, 0.05, 0.025, 0.01, 0.005, 0.001]
    table(tmp_path / "a.csv", LOSSES, lr=rates)
    events(tmp_path, rates, "lr")
    assert es.read_history(tmp_path).runs == 2


def test_tables_of_one_format_are_runs_though_they_agree(tmp_path: Path) -> None:
    table(tmp_path / "seed1.csv", LOSSES)
    table(tmp_path / "seed2.csv", LOSSES)
    assert es.read_history(tmp_path).runs == 2


def test_the_log_of_a_trainer_beside_its_state_counts_once(tmp_path: Path) -> None:
    rows = [{"epoch": s / 2, "loss": v, "step": s} for s, v in enumerate(LOSSES)]
    state = {"log_history": rows[:5], "global_step": 5}
    write(tmp_path / "trainer_state.json", json.dumps(state))
    lines = [{"current_steps": r["step"], "loss": r["loss"], "epoch": r["epoch"]} for r in rows]
    write(tmp_path / "trainer_log.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    history = es.read_history(tmp_path)
    assert history.runs == 1
    assert logged(history, "loss") == LOSSES


@pytest.mark.parametrize("where", [".", "final", ".."])
def test_final_figures_beside_a_log_are_no_run(tmp_path: Path, where: str) -> None:
    table(tmp_path / "all" / "run" / "log.csv", LOSSES)
    figures = {"epoch": 6.0, "eval_loss": 0.45, "loss": 0.3}
    write(tmp_path / "all" / "run" / where / "all_results.json", json.dumps(figures))
    history = es.read_history(tmp_path / "all")
    assert history.runs == 1
    assert "final figures of a run: left out" in str(history.report)


def test_single_records_of_runs_without_a_log_are_runs(tmp_path: Path) -> None:
    table(tmp_path / "a" / "log.csv", LOSSES)
    write(tmp_path / "b" / "metrics.json", '{"epoch": 1, "loss": 0.5}')
    assert es.read_history(tmp_path).runs == 2
    assert es.read_history(tmp_path / "b" / "metrics.json").runs == 1


@pytest.mark.parametrize("settings", ["model_args.json", "other.json"])
def test_settings_in_a_folder_are_no_runs(tmp_path: Path, settings: str) -> None:
    table(tmp_path / "log.csv", LOSSES)
    values: dict[str, Any] = {"adam_betas": [0.9, 0.999], "learning_rate": 4e-05, "epochs": 3}
    write(tmp_path / settings, json.dumps(values))
    assert es.read_history(tmp_path).runs == 1


def test_indices_of_data_are_no_metrics_of_a_run_in_a_folder(tmp_path: Path) -> None:
    table(tmp_path / "log.csv", LOSSES)
    np.save(tmp_path / "train_indices.npy", np.random.default_rng(0).permutation(100))
    np.save(tmp_path / "returns.npy", np.arange(100.0) % 7)
    np.save(tmp_path / "loss_order.npy", np.random.default_rng(1).permutation(100))
    history = es.read_history(tmp_path)
    assert history.runs == 2
    assert "numbers whose file names no metric (labels, indices" in str(history.report)
    assert "indices, not metrics: left out" in str(history.report)
    assert es.read_history(tmp_path / "train_indices.npy").runs == 1


def test_a_table_is_the_run_of_its_events_where_their_last_step_tells_of_the_best_epoch(
    tmp_path: Path,
) -> None:
    maps = [0.1, 0.2, 0.6, 0.4, 0.5, 0.3]
    table(tmp_path / "results.csv", LOSSES, mAP=maps)
    scalars = [(float(s), s, "loss", loss) for s, loss in enumerate(LOSSES)]
    scalars += [(float(s), s, "mAP", value) for s, value in enumerate(maps)]
    last = len(maps) - 1
    write_events(
        tmp_path / "events.out.tfevents.1.host", [*sorted(scalars), (9.0, last, "mAP", 0.6)]
    )
    history = es.read_history(tmp_path)
    assert history.names == ("results",)
    assert logged(history, "mAP") == maps
    assert "holds the same run (tensorboard): it counts once" in str(history.report)


def test_the_events_that_catboost_writes_beside_its_tables_do_not_count(tmp_path: Path) -> None:
    for part in ("learn", "test"):
        write(tmp_path / "catboost_info" / f"{part}_error.tsv", "iter\tRMSE\n0\t0.5\n1\t0.25\n")
        write_events(
            tmp_path / "catboost_info" / part / "events.out.tfevents",
            [(1.0, 0, "RMSE", 0.5), (2.0, 1, "RMSE", 0.25)],
        )
    assert es.read_history(tmp_path).names == ("catboost_info",)


@pytest.mark.parametrize("name", ["last-checkpoint", "checkpoint-best", "best_model"])
def test_a_checkpoint_of_any_name_that_holds_the_beginning_of_a_run_does_not_count(
    name: str, tmp_path: Path
) -> None:
    states = [{"epoch": e / 2, "step": 10 * e, "loss": 1 / (e + 1)} for e in range(4)]
    write(tmp_path / "trainer_state.json", json.dumps({"log_history": states}))
    write(tmp_path / name / "trainer_state.json", json.dumps({"log_history": states[:3]}))
    history = es.read_history(tmp_path)
    assert history.lengths.tolist() == [4]
    assert "1 earlier checkpoint with its beginning: left out" in str(history.report)
