"""Which checkpoints are kept: by the policy alone, and by a folder."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop import Checkpoints
from earlystop.checkpoints import Checkpoint, read_ledger
from earlystop.checkpoints.ranking import Ranking, ranking_settings
from earlystop.checkpoints.retention import Retention, newest_best
from tests.support.strategies import values

from .runs import content, names, save_all, writer


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, {3, 6}),
        ({"keep_last": 0}, {3}),
        ({"keep_last": 3}, {3, 4, 5, 6}),
        ({"keep_last": 0, "keep_best": 3, "monitor": "loss"}, {1, 3, 5}),
        ({"keep_last": 0, "keep_best": 2, "monitor": "loss", "mode": "max"}, {0, 3, 6}),
        ({"keep_last": 0, "keep_every": 3}, {2, 3, 5}),
    ],
)
def test_the_settings_say_which_checkpoints_are_kept(
    settings: dict[str, Any], kept: set[int], tmp_path: Path
) -> None:
    losses = [5.0, 3.0, 4.0, 1.0, 4.0, 3.0, 6.0]
    with Checkpoints(tmp_path, "{epoch}.txt", **settings) as checkpoints:
        save_all(checkpoints, losses)
        assert {entry.epoch for entry in checkpoints.entries} == kept
        assert names(tmp_path) == {f"{epoch}.txt" for epoch in kept}
        assert checkpoints.entries == read_ledger(tmp_path)
        assert checkpoints.best_path is not None
        assert checkpoints.best_path.read_text() == content(3)


def test_rewinding_brings_back_the_best_of_that_time(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", keep_last=2) as checkpoints:
        save_all(checkpoints, [3.0, 4.0, 2.0])
        assert [entry.epoch for entry in checkpoints.entries] == [0, 1, 2]
        checkpoints.rewind(1)
        assert checkpoints.best is not None
        assert checkpoints.best.epoch == 0
        assert names(tmp_path) == {"0.txt", "1.txt"}
        checkpoints.rewind(5)
        checkpoints.rewind(-1)
        assert checkpoints.best is checkpoints.last is checkpoints.best_path is None
        assert checkpoints.last_path is None


def test_an_epoch_that_would_not_be_kept_is_not_written(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", keep_last=0) as checkpoints:
        paths = save_all(checkpoints, [2.0, 3.0, 1.0, 1.0])
        assert [path and path.name for path in paths] == ["0.txt", None, "2.txt", None]
        assert not checkpoints.wants(epoch=4, metrics={"loss": 9})
        assert checkpoints.wants(epoch=4, best=True)


def test_of_equal_values_the_earlier_is_kept_and_a_nan_is_never_among_the_best(
    tmp_path: Path,
) -> None:
    losses = [math.nan, 2.0, 1.0, 1.0, 1.0, math.inf]
    with Checkpoints(tmp_path, monitor="loss", keep_best=2, keep_last=0) as checkpoints:
        save_all(checkpoints, losses, best=False)
        assert [entry.epoch for entry in checkpoints.entries] == [2, 3]


@given(
    losses=st.lists(st.integers(0, 5).map(float) | st.just(math.nan), max_size=12),
    k=st.integers(1, 4),
    last=st.integers(0, 3),
    every=st.none() | st.integers(1, 4),
)
def test_retention_keeps_what_a_look_back_over_the_whole_run_would_keep(
    losses: list[float], k: int, last: int, every: int | None
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Checkpoints(
            folder, monitor="loss", keep_best=k, keep_last=last, keep_every=every
        ) as checkpoints,
    ):
        save_all(checkpoints, losses)
        ranked = sorted((x, epoch) for epoch, x in enumerate(losses) if x == x)[:k]
        expected = {epoch for _, epoch in ranked}
        for end in range(len(losses) - last, len(losses)):
            before = [(x, epoch) for epoch, x in enumerate(losses[: end + 1]) if x == x]
            expected |= {end, *([min(before)[1]] if before else [])} if end >= 0 else set()
        expected |= {e for e in range(len(losses)) if every and (e + 1) % every == 0}
        assert {entry.epoch for entry in checkpoints.entries} == expected


def test_a_state_is_kept_without_a_file_too(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch}.txt", keep_last=2) as checkpoints:
        checkpoints.save(writer(0), epoch=0, best=True, state={"at": 0})
        for epoch in (1, 2, 3):
            assert checkpoints.save(None, epoch=epoch, state={"at": epoch}) is None
        assert [entry.state for entry in checkpoints.entries] == [{"at": x} for x in (0, 2, 3)]
        assert checkpoints.last_path == tmp_path / "0.txt"


# The policy alone -------------------------------------------------------------------------------

LOSSES = [5.0, 3.0, 4.0, 1.0, 4.0, 3.0, 6.0]  # the best so far at epochs 0, 1 and 3


def listed(losses: list[float], files: bool = True) -> tuple[Checkpoint, ...]:
    """What a ledger that forgets nothing lists of a run with these losses."""
    entries: list[Checkpoint] = []
    lowest = math.inf
    for epoch, loss in enumerate(losses):
        entries.append(Checkpoint(epoch, "x" if files else None, loss < lowest, {"loss": loss}))
        lowest = min(lowest, loss)
    return tuple(entries)


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (Retention(), [3, 6]),
        (Retention(keep_last=0), [3]),
        (Retention(keep_last=5), [1, 2, 3, 4, 5, 6]),  # 2 is one of the last, 1 was its best
        (Retention(keep_last=9), [0, 1, 2, 3, 4, 5, 6]),
        (Retention(keep_last=0, keep_every=2), [1, 3, 5]),  # 1-based: epochs 2, 4 and 6
        (Retention(keep_last=0, rankings=(Ranking("loss", "min", 3),)), [1, 3, 5]),
        (Retention(keep_last=0, rankings=(Ranking("loss", "max", 2),)), [0, 3, 6]),
        (Retention(keep_last=0, rankings=(Ranking("other", "min", 2),)), [3]),
        (Retention(keep_last=0, rankings=(Ranking("loss", "min", 2, "later"),)), [3, 5]),
    ],
)
def test_the_policy_keeps_these_of_seven_epochs(policy: Retention, kept: list[int]) -> None:
    assert [entry.epoch for entry in policy.retained(listed(LOSSES))] == kept


def test_the_best_are_ranked_first_and_entries_without_a_file_are_not_ranked() -> None:
    ranking = Ranking("loss", "min", 4)
    assert [entry.epoch for entry in ranking.top(listed(LOSSES))] == [3, 1, 5, 2]
    assert ranking.top(listed(LOSSES, files=False)) == []
    assert ranking.top(listed([math.nan, math.inf, -math.inf])) == [
        Checkpoint(2, "x", True, {"loss": -math.inf})
    ]


VALUES = st.integers(0, 4).map(float) | st.sampled_from([math.nan, math.inf, -math.inf])
ENTRIES = st.lists(
    st.builds(
        lambda best, file, loss, accuracy: Checkpoint(
            0, "x" if file else None, best, {**loss, **accuracy}
        ),
        best=st.booleans(),
        file=st.sampled_from([True, True, True, False]),
        loss=st.just({}) | VALUES.map(lambda value: {"loss": value}),
        accuracy=st.just({}) | VALUES.map(lambda value: {"accuracy": value}),
    ),
    max_size=12,
).map(lambda entries: tuple(e._replace(epoch=epoch) for epoch, e in enumerate(entries)))
RANKINGS = st.lists(
    st.builds(
        Ranking,
        monitor=st.sampled_from(["loss", "accuracy"]),
        mode=st.sampled_from(["min", "max"]),
        keep=st.integers(1, 4),
        ties=st.sampled_from(["earlier", "later"]),
    ),
    max_size=2,
)
POLICIES = st.builds(
    Retention,
    keep_last=st.integers(0, 4),
    keep_every=st.none() | st.integers(1, 4),
    rankings=RANKINGS.map(tuple),
)


def saved_one_by_one(policy: Retention, entries: tuple[Checkpoint, ...]) -> tuple[Checkpoint, ...]:
    kept: tuple[Checkpoint, ...] = ()
    for entry in entries:
        kept = policy.retained((*kept, entry))
    return kept


@given(entries=ENTRIES, policy=POLICIES)
def test_deciding_epoch_by_epoch_keeps_what_deciding_at_the_end_keeps(
    entries: tuple[Checkpoint, ...], policy: Retention
) -> None:
    kept = saved_one_by_one(policy, entries)
    assert kept == policy.retained(entries)
    assert policy.retained(kept) == kept
    assert newest_best(kept) == newest_best(entries)


@given(entries=ENTRIES, policy=POLICIES)
def test_the_best_of_each_metric_are_kept_as_a_look_back_over_the_whole_run_ranks_them(
    entries: tuple[Checkpoint, ...], policy: Retention
) -> None:
    kept = saved_one_by_one(policy, entries)
    for ranking in policy.rankings:
        sign = 1 if ranking.mode == "min" else -1
        later = -1 if ranking.ties == "later" else 1
        best_first = sorted(
            (sign * entry.metrics[ranking.monitor], later * entry.epoch)
            for entry in entries
            if entry.file and sign * entry.metrics.get(ranking.monitor, math.nan) < math.inf
        )
        expected = [later * epoch for _, epoch in best_first[: ranking.keep]]
        assert [entry.epoch for entry in ranking.top(kept)] == expected


@given(entries=ENTRIES, policy=POLICIES)
def test_a_run_that_resumes_from_any_of_the_last_finds_the_best_it_knew_by_each_metric(
    entries: tuple[Checkpoint, ...], policy: Retention
) -> None:
    kept = saved_one_by_one(policy, entries)
    for start in entries[max(len(entries) - policy.keep_last, 0) :]:
        known, found = (
            tuple(entry for entry in some if entry.epoch <= start.epoch) for some in (entries, kept)
        )
        assert newest_best(found) == newest_best(known)
        for ranking in policy.rankings:
            assert ranking.top(found)[:1] == ranking.top(known)[:1]


# Several metrics in a folder --------------------------------------------------------------------

EPOCHS = [(0.9, 0.5), (0.5, 0.6), (0.6, 0.9), (0.7, 0.8), (0.8, 0.7)]  # loss and accuracy


def save_epochs(checkpoints: Checkpoints, save: es.Rule) -> None:
    stopper = es.Stopper(es.Never(), save=save)
    for epoch, (loss, accuracy) in enumerate(EPOCHS):
        metrics = {"loss": loss, "accuracy": accuracy}
        decision = stopper.step(metrics)
        checkpoints.save(writer(epoch), epoch=epoch, metrics=metrics, best=decision.save)


@pytest.mark.parametrize(
    ("settings", "by_loss", "by_accuracy", "kept"),
    [
        ({"monitor": ["loss", "accuracy"]}, [1], [2], {1, 2, 4}),
        ({"monitor": ("loss", "accuracy"), "keep_best": 2}, [1, 2], [2, 3], {1, 2, 3, 4}),
        ({"keep_best": {"loss": 3, "accuracy": 1}}, [1, 2, 3], [2], {1, 2, 3, 4}),
        ({"keep_best": {"loss": 1, "accuracy": 2}, "keep_last": 0}, [1], [2, 3], {1, 2, 3}),
        (
            {"monitor": ["loss", "accuracy"], "mode": {"accuracy": "min"}, "keep_last": 0},
            *([1], [0], {0, 1, 2}),
        ),
    ],
)
def test_the_best_of_each_of_several_metrics_are_kept_and_found_again(
    settings: dict[str, Any],
    by_loss: list[int],
    by_accuracy: list[int],
    kept: set[int],
    tmp_path: Path,
) -> None:
    save = es.Best("loss") | es.Best("accuracy")
    with Checkpoints(tmp_path, "{epoch}.txt", **settings) as checkpoints:
        save_epochs(checkpoints, save)
    with Checkpoints(tmp_path, "{epoch}.txt", resume=True, **settings) as checkpoints:
        assert [entry.epoch for entry in checkpoints.ranked_by("loss")] == by_loss
        assert [entry.epoch for entry in checkpoints.ranked_by("accuracy")] == by_accuracy
        best = checkpoints.best_by("accuracy")
        path = checkpoints.path(best)
        assert path is not None
        assert path.read_text() == content(by_accuracy[0])
        assert checkpoints.ranks({"loss": 0.1, "other": 1.0})
        assert not checkpoints.ranks({"other": 1.0})
        with pytest.raises(es.RuleError, match=r"not ranked by 'acuracy': .*mean 'accuracy'"):
            checkpoints.best_by("acuracy")
    assert names(tmp_path) == {f"{epoch}.txt" for epoch in kept}


@pytest.mark.parametrize(("ties", "kept"), [("earlier", [1, 2]), ("later", [3, 4])])
def test_which_of_equal_values_is_kept_is_a_setting(
    ties: Any, kept: list[int], tmp_path: Path
) -> None:
    settings: Any = {"monitor": "loss", "keep_best": 2, "keep_last": 0, "ties": ties}
    with Checkpoints(tmp_path, "{epoch}.txt", **settings) as checkpoints:
        save_all(checkpoints, [2.0, 1.0, 1.0, 1.0, 1.0], best=False)
        assert [entry.epoch for entry in checkpoints.entries] == kept
        assert checkpoints.ranks({"loss": 1.0}) == (ties == "later")


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, [1, 4]),
        ({"drops": "oldest"}, [2, 4]),
        ({"improvement": es.Improvement(ties=True)}, [1, 4]),
        ({"improvement": es.Improvement(ties=True), "drops": "oldest"}, [3, 4]),
        ({"ties": "later"}, [3, 4]),
        ({"ties": "later", "drops": "newest"}, [1, 4]),
    ],
)
def test_ties_are_admitted_or_not_and_the_oldest_or_the_newest_of_equals_goes(
    settings: Any, kept: list[int], tmp_path: Path
) -> None:
    options: Any = {"monitor": "loss", "keep_best": 2, "keep_last": 0, **settings}
    with Checkpoints(tmp_path, "{epoch}.txt", **options) as checkpoints:
        save_all(checkpoints, [3.0, 2.0, 2.0, 2.0, 1.0], best=False)
        assert [entry.epoch for entry in checkpoints.entries] == kept


@pytest.mark.parametrize(
    ("first", "kept"),
    [("judged", [[], [1], [1, 2], [2, 3]]), ("taken", [[0], [0, 1], [1, 2], [2, 3]])],
)
def test_a_nan_never_ranks_or_is_the_worst_while_there_is_room(
    first: Any, kept: list[list[int]], tmp_path: Path
) -> None:
    how = es.Improvement(first=first)
    options: Any = {"monitor": "loss", "keep_best": 2, "keep_last": 0, "improvement": how}
    with Checkpoints(tmp_path, "{epoch}.txt", **options) as checkpoints:
        for epoch, loss in enumerate([math.nan, 3.0, 2.0, 1.0]):
            checkpoints.save(lambda path: path.touch(), epoch=epoch, metrics={"loss": loss})
            assert [entry.epoch for entry in checkpoints.entries] == kept[epoch]
        assert not checkpoints.ranks({"loss": math.nan})


def test_values_that_are_the_same_in_float32_are_ties_where_that_is_said() -> None:
    entries = listed([0.1 + 1e-9, 0.1, 0.5])
    for arithmetic, first in (("float64", 1), ("float32", 0)):
        settings: dict[str, Any] = {"arithmetic": arithmetic}
        ranking = Ranking("loss", "min", improvement=es.Improvement(**settings))
        assert ranking.top(entries)[0].epoch == first


@given(
    entries=ENTRIES,
    ranking=st.builds(
        Ranking,
        st.just("loss"),
        st.sampled_from(["min", "max"]),
        st.integers(1, 4),
        st.sampled_from(["earlier", "later"]),
        st.none() | st.booleans(),
        st.none() | st.sampled_from(["oldest", "newest"]),
        st.sampled_from([es.Improvement(), es.Improvement(first="taken")]),
    ),
)
def test_whichever_of_equals_goes_the_best_values_are_kept(
    entries: tuple[Checkpoint, ...], ranking: Ranking
) -> None:
    plain = Ranking("loss", ranking.mode, ranking.keep)
    policy = Retention(keep_last=0, rankings=(ranking,))
    kept = plain.top(saved_one_by_one(policy, entries))
    assert [e.metrics for e in map(only_loss, kept)] == [
        e.metrics for e in map(only_loss, plain.top(entries))
    ]


def only_loss(entry: Checkpoint) -> Checkpoint:
    return entry._replace(metrics={"loss": entry.metrics["loss"]})


@given(
    losses=st.lists(values(), max_size=12),
    k=st.integers(1, 4),
    mode=st.sampled_from(["min", "max"]),
    how=st.builds(
        es.Improvement,
        ties=st.booleans(),
        first=st.sampled_from(["judged", "taken"]),
        arithmetic=st.sampled_from(["float64", "float32"]),
    ),
)
def test_top_k_fires_on_what_the_ranking_lets_in(
    losses: list[float], k: int, mode: Any, how: es.Improvement
) -> None:
    ranking = Ranking("loss", mode, k, "earlier", how.ties, "oldest", how)
    stopper = es.Stopper(es.Never(), save=es.TopK("loss", k, mode, how))
    kept: list[Checkpoint] = []
    for epoch, loss in enumerate(losses):
        entry = Checkpoint(epoch, "file", False, {"loss": loss})
        top = ranking.top([*kept, entry])
        assert stopper.step({"loss": loss}).save == (entry in top)
        kept = sorted(top, key=lambda entry: entry.check)


@given(st.lists(values(), max_size=12), st.sampled_from(["min", "max"]))
def test_the_best_one_is_the_best(losses: list[float], mode: Any) -> None:
    one, best = (
        es.Stopper(es.Never(), save=rule)
        for rule in (es.TopK("loss", 1, mode), es.Best("loss", mode))
    )
    for loss in losses:
        assert one.step({"loss": loss}).save == best.step({"loss": loss}).save


def test_a_rule_says_which_metrics_rank_by_the_bests_within_it() -> None:
    loss, accuracy = es.Best("loss"), es.Best("accuracy")
    assert ranking_settings(loss) == {"monitor": "loss", "mode": "min"}
    assert ranking_settings(loss | accuracy)["monitor"] == ["loss", "accuracy"]
    assert ranking_settings(es.Warmup(loss, 2) | es.Every(2)) == ranking_settings(loss)
    for rule in (es.Every(2), loss | es.Best("loss", "max")):
        assert ranking_settings(rule) == {}


def test_nothing_is_kept_of_an_empty_run() -> None:
    assert Retention(keep_last=3).retained(()) == ()
    assert newest_best(()) is None
