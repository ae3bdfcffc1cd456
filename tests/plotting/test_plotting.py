"""Pictures have the right marks at the right points, whatever was logged."""

from __future__ import annotations

import math
import sys
import warnings
from typing import Any

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import earlystop as es
from earlystop.plotting import LINE_STYLES, PICTURE_KINDS, picture
from tests.support import strategies

NAN, INF = math.nan, math.inf
CURVE = [0.9, 0.7, 0.8, 0.6, 0.7, 0.75, 0.8, 0.5]


def replays(history: es.History, *patiences: int, monitor: str = "val_loss") -> list[es.Replay]:
    return [es.replay(es.EarlyStopping(monitor, patience=p), history) for p in patiences]


def lines(axes: Any, label: str) -> list[Any]:
    return [line for line in axes.lines if str(line.get_label()).startswith(label)]


def legend(figure: Figure) -> list[str]:
    (found,) = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
    return [text.get_text() for text in found.get_texts()]


# One run ------------------------------------------------------------------------------------------


def test_a_run_shows_its_monitor_its_best_and_what_each_rule_does() -> None:
    history = es.History({"val_loss": [CURVE], "loss": [[x / 2 for x in CURVE]]}, names=["mine"])
    one, two = replays(history, 1, 3)
    figure = one.plot(two, metrics=["loss"])
    (ax,) = figure.axes
    (monitor,) = lines(ax, "val_loss")
    assert monitor.get_xdata().tolist() == list(range(8))
    assert monitor.get_ydata().tolist() == CURVE
    assert lines(ax, "loss")[0].get_ydata().tolist() == [x / 2 for x in CURVE]
    (best,) = lines(ax, "best of the log")
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (7, 0.5)
    stops = [line.get_xdata()[0] for line in lines(ax, "_line")]
    assert stops == [2, 6] == [int(result.epochs[0]) - 1 for result in (one, two)]
    kept = [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines(ax, "_kept")]
    assert kept == [(1, 0.7), (3, 0.6)]
    assert legend(figure)[-2:] == [
        "patience 1: stops after check 2, keeps check 1 (0.7), regret 0.2",
        "patience 3: stops after check 6, keeps check 3 (0.6), regret 0.1",
    ]
    assert ax.get_title(loc="left").replace("\n", " ") == (
        "mine: patience 1 uses 38 % of 8 checks and gives up 0.2, "
        "patience 3 uses 88 % and gives up 0.1"
    )
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("check (the first is 0)", "val_loss, loss")


def test_a_rule_that_does_not_stop_has_no_line() -> None:
    (result,) = replays(es.History({"val_loss": CURVE}), 50)
    figure = result.plot()
    assert not lines(figure.axes[0], "_line")
    assert legend(figure)[-1].endswith("does not stop, keeps check 7 (0.5)")


def test_gaps_are_crossed_and_a_logged_nan_breaks_the_line() -> None:
    history = es.History({"val_loss": [[3.0, None, 2.0, NAN, 1.0, INF, -INF]]})
    (ax,) = replays(history, 9)[0].plot().axes
    line = lines(ax, "val_loss")[0]
    assert line.get_xdata().tolist() == [0, 2, 3, 4, 5, 6]
    assert np.isnan(line.get_ydata()).tolist() == [False, False, True, False, True, True]
    marks = {line.get_label(): line.get_xdata().tolist() for line in lines(ax, "val_loss: ")}
    assert marks == {
        "val_loss: NaN (1 value)": [3],
        "val_loss: infinite (1 value)": [5],
        "val_loss: -infinite (1 value)": [6],
    }


@pytest.mark.parametrize(
    ("values", "mode", "scale"),
    [
        ([5.0, 1.0, 0.9], "min", "linear"),
        ([500.0, 1.0, 0.9], "min", "log"),
        ([0.001, 0.5, 0.9], "max", "linear"),
        ([-1.0, -2.0, -1e9, -3.0], "min", "symlog"),
        ([0.0, 0.0], "min", "linear"),
    ],
)
def test_a_logarithm_is_for_what_falls_by_orders_of_magnitude(
    values: list[float], mode: Any, scale: str
) -> None:
    result = es.replay(es.Never(), es.History({"x": values}), save=es.Best("x", mode=mode))
    assert result.plot().axes[0].get_yscale() == scale


def test_a_run_is_chosen_by_name_or_number() -> None:
    history = es.History({"val_loss": [CURVE, CURVE[::-1]]}, names=["a", "b"])
    (result,) = replays(history, 1)
    for run in (1, "b"):
        (ax,) = result.plot(run=run).axes
        assert lines(ax, "val_loss")[0].get_ydata().tolist() == CURVE[::-1]
    with pytest.raises(es.HistoryError, match="did you mean"):
        result.plot(run="bb")


# Some runs, many runs -----------------------------------------------------------------------------


def test_some_runs_have_a_row_each() -> None:
    history = es.History({"val_loss": [CURVE, [0.9, 0.8] + [0.8] * 6]}, names=["first", "second"])
    one, two = replays(history, 1, 3)
    figure = one.plot(two)
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["first", "second"]
    assert [bar.get_width() for bar in left.containers[0]] == [8, 8]
    for result, patience in ((one, 1), (two, 3)):
        (stops,) = lines(left, f"patience {patience}: stops 2 of 2 runs")
        assert stops.get_xdata().tolist() == result.epochs.tolist()
        (regret,) = lines(right, f"patience {patience}: regret")
        assert regret.get_xdata().tolist() == result.regret.tolist()
    kept = [line.get_xdata().tolist() for line in lines(left, "_kept")]
    assert kept == [(result.saved_epoch + 1).tolist() for result in (one, two)]


def many(runs: int) -> es.History:
    rng = np.random.default_rng(1)
    values = np.exp(-np.arange(60) / rng.uniform(3, 30, (runs, 1))) + rng.normal(
        0, 0.03, (runs, 60)
    )
    return es.History({"val_loss": values}, lengths=rng.integers(1, 61, runs))


def test_a_thousand_runs_are_shares_of_runs() -> None:
    history = many(1000)
    one, two = replays(history, 1, 5)
    left, right = one.plot(two).axes
    for result, name in ((one, "patience 1"), (two, "patience 5")):
        (used,) = (line for line in left.lines if name in str(line.get_label()))
        shares = dict(zip(used.get_xdata().tolist(), used.get_ydata().tolist(), strict=True))
        values = result.epochs / history.lengths
        for value, share in shares.items():
            assert share == pytest.approx((values <= value).mean())
    given_up = lines(right, "_regret")
    assert len(given_up) == 2
    assert given_up[0].get_xdata().max() == one.regret.max()
    assert left.get_ylabel() == "runs with no more, of 1,000"
    assert right.get_xlabel() == "regret (val_loss)"


def test_rows_of_many_runs_are_those_that_give_up_the_most_and_no_taller() -> None:
    history = many(1000)
    one, two = replays(history, 1, 5)
    figure = one.plot(two, kind="rows")
    left, _ = figure.axes
    worst = np.sort(np.maximum(one.regret, two.regret))[-60]
    drawn = [label.get_text() for label in left.get_yticklabels()]
    assert len(drawn) == 60
    assert drawn == [
        name
        for name, lost in zip(history.names, np.maximum(one.regret, two.regret), strict=True)
        if lost >= worst
    ]
    assert left.get_ylabel() == "60 of 1,000 runs, those that give up the most"
    assert figure.get_figheight() < 22


def test_titles_say_what_pictures_show() -> None:
    history = many(200)
    one, two = replays(history, 1, 5)
    used, lost = (ax.get_title(loc="left").replace("\n", " ") for ax in one.plot(two).axes)
    assert (
        used
        == f"{1 - one.share_saved:.0%} to {1 - two.share_saved:.0%} of the checks used".replace(
            "%", " %"
        )
    )
    assert lost == f"{two.regret.mean():.3g} to {one.regret.mean():.3g} given up on average"
    table = es.sweep(es.Patience("val_loss"), history, patience=range(1, 40))
    assert table.knee is not None
    title = table.plot().axes[0].get_title(loc="left").replace("\n", " ")
    assert title.startswith(f"patience {table.settings[table.knee]['patience']} saves ")
    advice = es.advise(history, "val_loss", max_regret=0.2, complete=True)
    title = advice.plot().axes[0].get_title(loc="left").replace("\n", " ")
    assert title.startswith(f"adaptive patience {advice.rule.patience:g} saves ")
    assert title.endswith("expected to give up at most 20 % of the improvement")


def test_names_of_runs_are_shortened_so_that_they_stay_apart() -> None:
    names = [
        f"experiments/2024/resnet-50-with-a-long-name-{seed}-and-more/log.csv" for seed in "ab"
    ]
    history = es.History({"val_loss": [CURVE, CURVE]}, names=names)
    (left, _) = replays(history, 2)[0].plot().axes
    drawn = [label.get_text() for label in left.get_yticklabels()]
    assert len(set(drawn)) == 2
    assert max(map(len, drawn)) <= 40


def test_what_is_drawn_depends_on_how_many_runs_there_are() -> None:
    assert [len(replays(many(runs), 3)[0].plot().axes) for runs in (1, 25, 26)] == [1, 2, 2]
    kinds = [replays(many(runs), 3)[0].plot().axes[0].get_xlabel() for runs in (1, 25, 26)]
    assert kinds == ["check (the first is 0)", "checks", "share of the logged checks"]


# A sweep ------------------------------------------------------------------------------------------


def test_a_sweep_is_regret_over_epochs_with_its_knee() -> None:
    table = es.sweep(es.Patience("val_loss"), many(40), patience=range(1, 30))
    figure = table.plot()
    ax = figure.axes[0]
    (mean,) = lines(ax, "mean over runs")
    assert mean.get_xdata().tolist() == table.mean_epochs.tolist()
    assert mean.get_ydata().tolist() == table.mean_regret.tolist()
    knee = table.knee
    assert knee is not None
    (star,) = lines(ax, "knee: ")
    assert star.get_label().startswith(f"knee: patience={table.settings[knee]['patience']} (")
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (
        table.mean_epochs[knee],
        table.mean_regret[knee],
    )
    (shade,) = ax.collections[:1]
    corners = shade.get_paths()[0].vertices
    assert corners[:, 1].max() == table.quantile_regret(0.9).max()
    assert "10% to 90% of runs" in legend(figure)
    assert ax.get_xlabel() == "mean checks used"
    assert ax.get_ylabel() == "regret (val_loss)"


def test_a_second_axis_of_the_grid_makes_a_line_for_each_of_its_values() -> None:
    table = es.sweep(
        es.Patience("val_loss"), many(40), min_delta=[0.0, 0.1, 0.2], patience=range(1, 9)
    )
    ax = table.plot().axes[0]
    for number, min_delta in enumerate((0, 0.1, 0.2)):
        (line,) = (x for x in ax.lines if x.get_label() == f"mean, min_delta={min_delta:g}")
        assert line.get_xdata().tolist() == table.mean_epochs[8 * number : 8 * number + 8].tolist()
        assert line.get_color() == LINE_STYLES[number].color


def test_too_many_lines_give_way_to_the_settings_that_no_other_beats() -> None:
    table = es.sweep(
        es.Patience("val_loss"),
        many(40),
        patience=range(1, 12),
        min_delta=np.linspace(0, 0.5, 10),
    )
    ax = table.plot().axes[0]
    (front,) = lines(ax, "mean, of the")
    points = list(zip(front.get_xdata().tolist(), front.get_ydata().tolist(), strict=True))
    assert points == sorted(points)
    for epochs, regret in zip(table.mean_epochs, table.mean_regret, strict=True):
        assert any(x <= epochs and y <= regret for x, y in points)
    for x, y in points:
        assert not ((table.mean_epochs <= x) & (table.mean_regret < y)).any()


def test_settings_with_an_infinite_regret_are_left_out_and_counted() -> None:
    history = es.History({"val_loss": [[NAN, NAN, 3.0, 2.0, 2.5, 2.5]]})
    table = es.sweep(es.Patience("val_loss"), history, patience=range(1, 5))
    ax = table.plot().axes[0]
    assert np.isinf(table.mean_regret).sum() == 2
    (about,) = (text.get_text() for text in ax.texts if "settings on" in text.get_text())
    assert about == "4 settings on 1 run; 2 with an infinite regret left out"
    assert len(lines(ax, "mean over runs")[0].get_xdata()) == 2


# All of them --------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(
    strategies.histories().filter(lambda history: "step" in history.metrics),
    st.sampled_from(["curve", "rows", "distribution"]),
    st.data(),
)
def test_whatever_was_logged_can_be_drawn(history: es.History, kind: Any, data: Any) -> None:
    save = es.Best("val_loss", mode=data.draw(st.sampled_from(["min", "max"])))
    results = [
        es.replay(data.draw(strategies.rules()), history, save=data.draw(st.sampled_from(saves)))
        for saves in ([save], [save, es.Never(), es.Every(2)])
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if len({result.unit for result in results}) > 1:  # their checks are other rows of the log
            with pytest.raises(es.RuleError, match="several units"):
                results[0].plot(*results[1:], kind=kind, run=0)
        for result in results:
            result.plot(kind=kind, run=0).draw_without_rendering()
        if len({result.unit for result in results}) == 1:
            results[0].plot(*results[1:], kind=kind, run=0).draw_without_rendering()
        table = es.sweep(es.Patience("loss"), history, patience=[1, 2, 5], min_delta=[0.0, 0.5])
        table.plot().draw_without_rendering()


@pytest.mark.parametrize(
    "name", ["$x^{_", r"\frac{", "<script>", "_under", "a\nb\x1b[31m", "손실", "x" * 5000, "%s{}"]
)
def test_any_name_can_be_drawn(name: str) -> None:
    history = es.History({name: [CURVE, CURVE]}, names=[name, "other"])
    result = es.replay(es.Patience(name, 2, mode="min"), history, save=es.Best(name, mode="min"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # `picture` does the same
        for kind in ("rows", "distribution"):
            result.plot(kind=kind).draw_without_rendering()
        table = es.sweep(es.Patience(name, mode="min"), history, patience=[1, 2])
        table.plot().draw_without_rendering()
        assert picture(result.plot(kind="curve"), "svg")


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_same_picture_is_the_same_file(form: str) -> None:
    (result,) = replays(es.History({"val_loss": CURVE}), 2)
    first, second = picture(result.plot(), form), picture(result.plot(), form)
    assert first == second
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[form])


def test_nothing_global_is_touched() -> None:
    before = dict(matplotlib.rcParams)
    pyplot_before = "matplotlib.pyplot" in sys.modules
    (result,) = replays(es.History({"val_loss": CURVE}), 2)
    picture(result.plot())
    assert dict(matplotlib.rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == pyplot_before


def test_given_axes_are_drawn_on() -> None:
    figure = Figure()
    one, two, three = figure.subplots(1, 3)
    (result,) = replays(many(30), 2)
    assert result.plot(run=0, ax=one) is figure
    assert lines(one, "val_loss")
    assert one.get_legend() is not None
    result.plot(ax=(two, three))
    assert two.lines
    assert three.lines
    other = Figure().subplots()
    result.plot(kind="rows", ax=other)
    assert other.containers
    table = es.sweep(es.Patience("val_loss"), many(30), patience=[1, 2])
    assert table.plot(ax=one) is figure
    assert picture(figure)


def test_invalid_arguments_are_refused() -> None:
    history = many(30)
    (result,) = replays(history, 2)
    table = es.sweep(es.Patience("val_loss"), history, patience=[1, 2])
    for mistake, words in (
        (lambda: result.plot(kind="bars"), "must be"),
        (lambda: result.plot(labels=["a", "b"]), "one a replay, got 2"),
        (lambda: result.plot(replays(many(30), 2)[0]), "of one history"),
        (lambda: result.plot(ax=Figure().subplots()), "2 matplotlib Axes"),
        (lambda: result.plot(run=0, ax="here"), "matplotlib Axes"),
        (lambda: table.plot(band=(0.9, 0.1)), "rising quantiles"),
    ):
        with pytest.raises(es.RuleError, match=words):
            mistake()
    with pytest.raises(es.MissingMetricError, match="did you mean 'val_loss'"):
        result.plot(run=0, metrics=["val_los"])


def test_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    (result,) = replays(es.History({"val_loss": CURVE}), 2)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install matplotlib$"):
        result.plot()


def test_line_styles_differ_in_colour_dashes_and_marker() -> None:
    for which in zip(*LINE_STYLES, strict=True):
        assert len(set(map(str, which))) == len(LINE_STYLES)


@pytest.mark.parametrize("form", PICTURE_KINDS)
def test_every_kind_of_picture_there_is_can_be_made(form: str) -> None:
    figure = Figure(figsize=(1, 1))
    figure.subplots()
    assert picture(figure, form)
    assert form in figure.canvas.get_supported_filetypes()


@pytest.mark.parametrize("form", ["html", "bmp", ""])
def test_another_kind_of_picture_is_refused_with_the_kinds_there_are(form: str) -> None:
    with pytest.raises(es.RuleError, match="a picture is one of png, svg, pdf"):
        picture(Figure(), form)
