"""Which rows nothing can change any more."""

from __future__ import annotations

import pytest

import earlystop as es
from earlystop.watching.settled import beginning_of, settled_rows

GAP = None


@pytest.mark.parametrize(
    ("metrics", "looked_at", "open_last", "closed_last"),
    [
        ({"loss": [3, 2, 1]}, ["loss"], 2, 3),
        ({"loss": [3, 2, 1]}, [], 2, 3),
        ({"loss": [3, 2, 1], "val_loss": [GAP, 2, GAP]}, ["val_loss"], 2, 2),
        ({"loss": [3, GAP, GAP], "val_loss": [3, 2, 1]}, ["loss", "val_loss"], 1, 1),
        ({"loss": [GAP, GAP, 1], "val_loss": [3, 2, GAP]}, ["loss", "val_loss"], 2, 2),
        ({"loss": [3]}, ["loss"], 0, 1),
    ],
)
def test_a_row_is_settled_when_every_metric_has_been_reported_at_it_or_later(
    metrics: dict[str, list[float | None]],
    looked_at: list[str],
    open_last: int,
    closed_last: int,
) -> None:
    log = es.History(metrics)
    assert settled_rows(log, looked_at, last_counts=False) == open_last
    assert settled_rows(log, looked_at, last_counts=True) == closed_last


def test_rows_of_one_epoch_may_be_one_as_long_as_there_is_no_other_epoch() -> None:
    one = es.History({"loss": [3.0, 2.0]}, coordinates={"epoch": [1, 1]})
    two = es.History({"loss": [3.0, 2.0]}, coordinates={"epoch": [1, 2]})
    many = es.History({"loss": [3.0] * 30}, coordinates={"step": [0] * 30})
    rows = [settled_rows(log, ["loss"], last_counts=False) for log in (one, two, many)]
    assert rows == [0, 1, 29]


def test_the_beginning_of_a_log_has_its_metrics_gaps_and_coordinates() -> None:
    log = es.History({"a": [1.0, GAP, 3.0], "b": [GAP, 5.0, 6.0]}, coordinates={"step": [1, 2, 3]})
    some = beginning_of(log, 2)
    assert some is not None
    assert some.records(0) == log.records(0)[:2]
    assert some.coordinates["step"].tolist() == [[1, 2]]
    assert beginning_of(log, 3) is log
    assert beginning_of(log, 0) is None
