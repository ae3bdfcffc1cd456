"""Which coordinate counts the rows of a log, and what happens where none does."""

from __future__ import annotations

import itertools
import math
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.logs import ordered, resume, row_counter
from tests.logs.reading import logged, read
from tests.support.event_files import event_file


def table(header: str, rows: list[tuple[float, ...]]) -> str:
    return header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)


INNER = ("iters", "iter", "batch", "batch_idx", "steps", "timesteps", "Batch idx", "n_iter")
OVERALL = (
    *("global_step", "training_iteration", "current_steps", "NumIters", "total_timesteps"),
    *("time/total_timesteps", "rollout/total_timesteps", "TotalEnvInteracts", "Global Step"),
)


@pytest.mark.parametrize("name", INNER)
def test_rows_of_an_epoch_that_a_column_counts_are_all_read(name: str) -> None:
    rows = [(e, 100 * (i + 1), 10 * e + i) for e in range(3) for i in range(4)]
    history = read(table(f"epoch,{name},loss", rows))
    assert logged(history, "loss") == [loss for *_, loss in rows]
    assert history.coordinates["epoch"].tolist() == [[e for e, *_ in rows]]
    assert list(history.metrics) == ["loss"]


@pytest.mark.parametrize("name", OVERALL)
def test_a_counter_of_the_whole_run_counts_rows_and_tells_of_resumptions(name: str) -> None:
    rows = [(i, i // 3, float(i)) for i in range(12)]
    assert logged(read(table(f"{name},epoch,loss", rows)), "loss") == list(range(12))
    again = [(i, i // 3, 100.0 + i) for i in range(8, 14)]
    resumed = read(table(f"{name},epoch,loss", rows + again))
    assert logged(resumed, "loss") == [*range(8), *range(108, 114)]
    assert "resumed 1 time, at 8" in str(resumed.report)


@given(st.lists(st.integers(2, 5), min_size=2, max_size=12), st.data())
def test_no_value_is_lost_where_several_rows_share_an_epoch(
    rows_of: list[int], data: st.DataObject
) -> None:
    epochs = [epoch for epoch, number in enumerate(rows_of) for _ in range(number)]
    records = [{"epoch": e, "loss": float(row)} for row, e in enumerate(epochs)]
    if data.draw(st.booleans()):
        records = [{**record, "lr": 0.1} for record in records]
    history = es.read_history(records)
    assert logged(history, "loss") == list(range(len(epochs)))
    assert history.coordinates["epoch"].tolist() == [epochs]
    assert "several rows share each epoch" in str(history.report)


def test_a_run_whose_epochs_have_several_rows_is_resumed_and_begun_anew() -> None:
    epochs = [*(0, 0, 0, 1, 1, 1, 2, 2), *(1, 1, 1, 2, 2, 2), *(0, 0, 0, 1, 1)]
    history = es.read_history([{"epoch": e, "loss": float(i)} for i, e in enumerate(epochs)])
    assert logged(history, "loss") == [0, 1, 2, *range(8, 14)]
    assert logged(history, "loss", 1) == [14, 15, 16, 17, 18]
    assert history.coordinates["epoch"][1, :5].tolist() == [0, 0, 0, 1, 1]


def test_parts_of_an_epoch_are_still_one_row_where_epochs_are_shared() -> None:
    records: list[dict[str, Any]] = []
    for epoch in range(3):
        records += [{"epoch": epoch, "loss": 10.0 * epoch + i} for i in range(3)]
        records.append({"epoch": epoch, "val_loss": float(epoch)})
    history = es.read_history(records)
    assert history.lengths.tolist() == [9]
    assert history.records(0)[2] == {"loss": 2.0, "val_loss": 0.0}


def test_a_column_of_amounts_does_not_count_rows() -> None:
    steps = [30, 12, 45, 12, 8, 33]
    rows = [(float(i), s) for i, s in enumerate(steps)]
    history = read(table("reward,steps", rows))
    assert logged(history, "reward") == list(range(6))
    assert "resumed" not in str(history.report)
    with_epochs = [(i, *row) for i, row in enumerate(rows)]
    assert logged(read(table("epoch,reward,steps", with_epochs)), "reward") == list(range(6))


def test_values_written_at_one_step_of_an_event_file_are_all_read() -> None:
    scalars = [(float(i), i // 4, "loss", float(i)) for i in range(12)]
    scalars += [(float(4 * e + 3), e, "val_loss", float(e)) for e in range(3)]
    history = read(event_file(sorted(scalars, key=lambda scalar: scalar[0])))
    assert logged(history, "loss") == list(range(12))
    assert logged(history, "val_loss") == [0, 1, 2]
    assert "several rows share each step" in str(history.report)


def test_what_was_left_out_is_told_of_a_run_that_was_resumed() -> None:
    def stated(log: es.logs.Source) -> Any:
        rows = log.rows()
        for epoch in (0, 1, 2, 1):
            rows.add({"epoch": epoch, "loss": 0.5})
        rows.notes.append("something was left out")
        yield rows.run()

    own = es.logs.LogFormat("noted", lambda log: log.text.startswith("noted"), stated)
    es.logs.register(own)
    assert "something was left out" in str(read("noted").report)


def test_a_step_that_the_validation_begins_anew_within_each_epoch_is_one_run() -> None:
    rows = [
        f"{epoch},{part},{step},{epoch + step / 8}"
        for epoch in range(3)
        for part, steps in (("train", 4), ("val", 2))
        for step in range(1, steps + 1)
    ]
    history = read("\n".join(["epoch,set,step,loss", *rows, ""]))
    assert history.runs == 1
    assert len(logged(history, "train/loss")) == 12
    assert len(logged(history, "val/loss")) == 6


def test_names_of_columns_may_be_numbers() -> None:
    history = read("epoch,loss,1,25\n0,0.5,0.0,0.125\n1,0.25,0.0,0.375\n")
    assert logged(history, "25") == [0.125, 0.375]


keys = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, math.nan, math.inf, -math.inf])


def rises_by_definition(values: np.ndarray[Any, Any]) -> bool:
    return all(a < b for a, b in itertools.pairwise(values.tolist()))


@given(st.lists(keys) | st.lists(keys, unique=True).map(sorted), st.integers(1, 4))
def test_keys_rise_where_each_is_above_the_one_before(values: list[float], at_a_time: int) -> None:
    with mock.patch.object(row_counter, "_AT_A_TIME", at_a_time):
        assert row_counter.rises(np.array(values)) == rises_by_definition(np.array(values))


@given(
    st.lists(st.tuples(keys, keys, st.sampled_from([0.5, math.nan])), min_size=1, max_size=6)
    | st.sets(keys, min_size=1).map(lambda found: [(k, k, 0.5) for k in sorted(found)])
)
def test_keys_that_rise_are_no_more_than_a_shortcut(rows: list[tuple[float, ...]]) -> None:
    text = table("epoch,step,loss", rows)

    def outcome() -> tuple[Any, ...]:
        history = read(text)
        coordinates = {name: repr(c.tolist()) for name, c in history.coordinates.items()}
        return repr(logged(history, "loss")), coordinates, str(history.report)

    found = outcome()
    with (
        mock.patch.object(row_counter, "rises", return_value=False),
        mock.patch.object(ordered, "rises", return_value=False),
        mock.patch.object(resume, "rises", rises_by_definition),
    ):
        assert outcome() == found
