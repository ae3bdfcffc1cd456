"""A run that several tools log, each in its own spelling and its own folder, counts once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.logs.reading import logged, write
from tests.support.event_files import write_events
from tests.support.wandb_files import wandb_file

LOSSES = [1.1, 0.7, 0.30000001, 0.5, 0.4, 0.45]


def trainer_state(folder: Path, losses: Sequence[float] = LOSSES) -> Path:
    rows = [
        row
        for epoch, loss in enumerate(losses)
        for row in (
            {"epoch": epoch + 1, "step": 8 * epoch + 8, "loss": loss, "learning_rate": 0.1},
            {"epoch": epoch + 1, "step": 8 * epoch + 8, "eval_loss": loss + 1},
        )
    ]
    return write(folder / "trainer_state.json", json.dumps({"log_history": rows}))


def trainer_events(folder: Path, losses: Sequence[float] = LOSSES, last: bool = True) -> Path:
    scalars = []
    for epoch, loss in enumerate(losses):
        step = 8 * epoch + 8
        scalars += [(float(step), step, "train/loss", loss), (float(step), step, "train/epoch", 1)]
        scalars += [(step + 0.5, step, "eval/loss", loss + 1)]
    if last:
        scalars += [(99.0, 8 * len(losses), "train/train_loss", 0.9)]
    return write_events(folder / "events.out.tfevents.1.host.7.0", scalars)


@pytest.mark.parametrize("state", [".", "checkpoint-48"])
@pytest.mark.parametrize("runs", [".", "runs/Nov26_10-00-00_host", "logs"])
def test_the_events_of_a_trainer_and_its_state_are_one_run(
    tmp_path: Path, state: str, runs: str
) -> None:
    trainer_state(tmp_path / state)
    trainer_events(tmp_path / runs)
    history = es.read_history(tmp_path)
    assert history.runs == 1
    assert logged(history, "eval_loss") == [loss + 1 for loss in LOSSES]
    assert "train/loss" not in history.metrics
    assert [float(f"{v:.3g}") for v in logged(history, "train_loss")] == [0.9]
    assert "it counts once" in str(history.report)
    assert "trainer_state.json: left out" in str(history.report)


def test_the_state_of_a_checkpoint_is_the_beginning_of_the_run_in_the_events(
    tmp_path: Path,
) -> None:
    trainer_state(tmp_path / "checkpoint-40", LOSSES[:5])
    trainer_events(tmp_path / "runs" / "Nov26_10-00-00_host")
    history = es.read_history(tmp_path)
    assert history.runs == 1
    assert len(logged(history, "train/loss")) == len(LOSSES)
    assert "checkpoint-40/trainer_state.json holds the same run" in str(history.report)


def test_another_launch_in_the_folder_of_runs_stays(tmp_path: Path) -> None:
    trainer_state(tmp_path)
    trainer_events(tmp_path / "runs" / "first", [loss + 0.5 for loss in LOSSES])
    trainer_events(tmp_path / "runs" / "second")
    history = es.read_history(tmp_path)
    assert history.runs == 2
    assert history.names == ("trainer_state", "runs/first")


def test_what_ray_writes_three_times_is_one_run_for_each_trial(tmp_path: Path) -> None:
    """Counters are the same in all trials, and do not make them one."""
    for trial in range(3):
        folder = tmp_path / "PPO" / f"PPO_CartPole_{trial:05d}"
        lines, rows, scalars = (
            [],
            ["training_iteration,timesteps_total,info/learner/loss,reward"],
            [],
        )
        for i in range(1, 7):
            values = {"info/learner/loss": LOSSES[i - 1] + trial, "episode_reward_mean": i - trial}
            nested = {"info": {"learner": {"loss": values["info/learner/loss"]}}}
            counters = {"training_iteration": i, "timesteps_total": 4000 * i}
            settings = {"config": {"lr": 0.1, "model": {"hiddens": [256, 256]}, "seed": trial}}
            record = {**nested, "reward": i - trial, **counters, **settings, "done": i == 6}
            lines.append(json.dumps({**record, "trial_id": f"a_{trial:05d}"}) + "\n")
            rows.append(f"{i},{4000 * i},{values['info/learner/loss']},{i - trial}")
            for name, value in (*nested["info"]["learner"].items(),):
                scalars.append((float(i), 4000 * i, f"ray/tune/info/learner/{name}", value))
            scalars.append((float(i), 4000 * i, "ray/tune/reward", float(i - trial)))
            scalars.append((float(i), 4000 * i, "ray/tune/episodes_total", float(i)))
        write(folder / "result.json", "".join(lines))
        write(folder / "progress.csv", "\n".join([*rows, ""]))
        write(folder / "params.json", json.dumps({"lr": 0.1, "gamma": 0.99}))
        write(folder / "params.pkl", b"\x80\x04K\x01.")
        write_events(folder / "events.out.tfevents.1.host", scalars)
    history = es.read_history(tmp_path)
    assert history.names == tuple(f"PPO_CartPole_{trial:05d}" for trial in range(3))
    assert list(history.metrics) == ["info/learner/loss", "reward", "episodes_total"]
    assert logged(history, "reward", 2) == [i - 2 for i in range(1, 7)]
    assert "settings, left out: config" in str(history.report)


def test_keras_s_table_and_its_events_are_one_run(tmp_path: Path) -> None:
    rows = [f"{e},{loss},{loss + 1}" for e, loss in enumerate(LOSSES)]
    write(tmp_path / "training.csv", "\n".join(["epoch,loss,val_loss", *rows, ""]))
    for part, more in (("train", 0.0), ("validation", 1.0)):
        scalars = [(float(e), e, "epoch_loss", loss + more) for e, loss in enumerate(LOSSES)]
        write_events(tmp_path / "tb" / part / "events.out.tfevents.1.v2", scalars, as_tensor=True)
    history = es.read_history(tmp_path)
    assert history.runs == 1
    assert list(history.metrics) == ["loss", "val_loss"]


def epochs(losses: Sequence[float]) -> list[Mapping[str, float]]:
    return [{"train/loss": loss, "_step": 8 * e + 8} for e, loss in enumerate(losses)]


def test_a_run_of_wandb_beside_the_folder_of_its_log_is_one_run(tmp_path: Path) -> None:
    trainer_state(tmp_path / "outputs" / "model")
    write(tmp_path / "wandb" / "run-1-abc" / "run-abc.wandb", wandb_file(epochs(LOSSES)))
    other = wandb_file(epochs([loss * 2 for loss in LOSSES]))
    write(tmp_path / "wandb" / "run-2-abd" / "run-abd.wandb", other)
    history = es.read_history(tmp_path)
    assert history.runs == 2
    assert "outputs/model/trainer_state.json" in str(history.report)


def test_few_values_that_agree_do_not_join_runs_of_two_folders(tmp_path: Path) -> None:
    write(tmp_path / "log.csv", "epoch,acc\n0,0.5\n1,0.75\n2,0.75\n3,1\n")
    scalars = [(float(e), e, "acc", v) for e, v in enumerate([0.5, 0.75, 0.75, 1.0])]
    write_events(tmp_path / "other" / "events.out.tfevents.1.host", scalars)
    assert es.read_history(tmp_path).runs == 2


def test_a_twin_of_other_rows_gives_what_only_it_has_by_the_step(tmp_path: Path) -> None:
    rows = [f"{step},{loss}" for step, loss in enumerate(LOSSES)]
    write(tmp_path / "log.csv", "\n".join(["step,loss", *rows, "6,", "7,0.2", ""]))
    scalars = [(float(s), s, "loss", loss) for s, loss in enumerate([*LOSSES, 0.2])]
    scalars = [s if s[1] < 6 else (7.0, 7, "loss", 0.2) for s in scalars]
    scalars += [(float(s), s, "acc", s / 8) for s in (1, 3, 7)]
    write_events(tmp_path / "events.out.tfevents.1.host", sorted(scalars))
    history = es.read_history(tmp_path)
    assert history.runs == 1
    assert history.reported("acc").tolist()[0] == [s in (1, 3, 7) for s in range(8)]


def events(folder: Path, losses: Sequence[float], name: str = "loss") -> Path:
    scalars = [(float(step), step, name, loss) for step, loss in enumerate(losses)]
    return write_events(folder / "events.out.tfevents.1.host", scalars)


def table(path: Path, losses: Sequence[float]) -> Path:
    rows = [f"{step},{loss!r}" for step, loss in enumerate(losses)]
    return write(path, "\n".join(["step,loss", *rows, ""]))


def test_runs_that_stay_near_the_same_value_are_not_one(tmp_path: Path) -> None:
    """Two that learn nothing: five digits are alike, but neither log rounds to five."""
    table(tmp_path / "log.csv", [0.69314718 + 1e-7 * (i * 7 % 5) for i in range(20)])
    events(tmp_path, [0.69316123 + 1e-7 * (i * 3 % 7) for i in range(20)])
    assert es.read_history(tmp_path).runs == 2


@given(
    losses=st.lists(st.floats(1e-3, 1e3), min_size=5, max_size=20, unique_by=lambda v: f"{v:.3g}"),
    digits=st.sampled_from([4, 5, 6, 17]),
    changed=st.integers(0, 19),
)
def test_a_table_is_the_run_of_its_events_within_its_rounding_and_no_other(
    tmp_path_factory: pytest.TempPathFactory,
    losses: list[float],
    digits: int,
    changed: int,
) -> None:
    folder = tmp_path_factory.mktemp("twins")
    table(folder / "log.csv", [float(f"{loss:.{digits}g}") for loss in losses])
    events(folder, losses)
    assert es.read_history(folder).runs == 1
    losses[changed % len(losses)] *= 1.002  # more than four digits hide
    events(folder, losses)
    assert es.read_history(folder).runs == 2


def test_two_runs_of_one_seed_are_not_both_the_run_in_the_table_above_them(tmp_path: Path) -> None:
    table(tmp_path / "log.csv", LOSSES)
    events(tmp_path / "a", LOSSES)
    events(tmp_path / "b", LOSSES)
    history = es.read_history(tmp_path)
    assert history.runs == 2
    assert str(history.report).count("it counts once") == 1


def test_folders_beside_each_other_hold_runs_of_their_own(tmp_path: Path) -> None:
    table(tmp_path / "a" / "log.csv", LOSSES)
    events(tmp_path / "b", LOSSES)
    assert es.read_history(tmp_path).runs == 2


def test_one_round_value_does_not_make_two_logs_one(tmp_path: Path) -> None:
    write(tmp_path / "log.csv", "epoch,acc\n0,1.0\n")
    events(tmp_path, [1.0], "acc")
    assert es.read_history(tmp_path).runs == 2
