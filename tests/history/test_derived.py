"""Histories made from a history: metrics from expressions, epochs that report a metric."""

from __future__ import annotations

import contextlib
import math
import time

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import earlystop as es

nan = math.nan


def test_coordinates_must_have_the_shape_of_the_metrics() -> None:
    history = es.History({"loss": [[1.0, 2.0]]}, coordinates={"step": [10, None]})
    np.testing.assert_array_equal(history.coordinates["step"], [[10, nan]])
    with pytest.raises(es.HistoryError, match="coordinate 'step' must have the shape"):
        es.History({"loss": [[1.0, 2.0]]}, coordinates={"step": [10]})


def test_where_reported_keeps_only_the_epochs_that_report_a_metric() -> None:
    history = es.History(
        {
            "loss": [[4, 3, 2, 1], [4, 3, 2, 1], [9, 9, 9, 9]],
            "val": [[None, 5, None, nan], [7, None, None, 0], [None] * 4],
        },
        lengths=[4, 3, 4],
        names=["a", "b", "c"],
        coordinates={"step": [[10, 20, 30, 40]] * 3},
    )
    alone = history.where_reported("val")
    assert alone.names == ("a", "b")
    assert alone.lengths.tolist() == [2, 1]
    np.testing.assert_array_equal(alone.metrics["val"][0], [5, nan])
    assert alone.reported("val").tolist() == [[True, True], [True, False]]
    assert alone.coordinates["step"][0].tolist() == [20, 40]
    assert alone.metrics["val"][1, 0] == 7
    with pytest.raises(es.MissingMetricError):
        history.where_reported("acc")


def test_derived_metrics() -> None:
    history = es.History({"loss": [1, None, nan], "val loss/x": [4, 5, 6], "loss-2": [1, 1, 1]})
    history = history.derive("sum", "2*loss + val loss/x**2 - -1")
    np.testing.assert_array_equal(history.metrics["sum"], [[19, nan, nan]])
    assert history.reported("sum").tolist() == [[True, False, True]]
    assert history.derive("a", "loss-2").metrics["a"].tolist() == [[1, 1, 1]]
    by_quotes = history.derive("b", "`loss` - 2")
    assert by_quotes.metrics["b"][0, 0] == -1
    by_function = history.derive("c", lambda m: np.maximum(m["loss"], m["val loss/x"]))
    assert by_function.reported("c").tolist() == [[True, False, True]]
    with np.errstate(all="raise"):
        assert math.isinf(history.derive("d", "1 / (`loss-2` - 1)").metrics["d"][0, 0])


numbers = st.floats(0.5, 2.0)

expressions = st.recursive(
    st.sampled_from(["loss", "acc", "1.5", "2", ".5e1"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("-{}".format),
        st.tuples(inner, st.sampled_from(["2", "1"])).map("({0[0]}) ** {0[1]}".format),
        st.tuples(inner, inner).map("max({0[0]}, {0[1]})".format),
        inner.map("abs({})".format),
    ),
    max_leaves=8,
)


@given(expressions, numbers, numbers)
@example("loss * acc - 1.5", 2.0, 0.5)
@example("2 - loss - acc / 2 * loss", 2.0, 0.5)
def test_expressions_mean_what_they_mean_in_python(text: str, loss: float, acc: float) -> None:
    names = {"loss": loss, "acc": acc, "max": max, "abs": abs}
    try:
        expected = eval(text, {"__builtins__": {}}, names)  # noqa: S307  # made above
    except (ZeroDivisionError, OverflowError):
        return
    derived = es.History({"loss": [loss], "acc": [acc]}).derive("x", f"{text} + 0 * loss")
    np.testing.assert_allclose(derived.metrics["x"][0, 0], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1 +", "(loss", "loss)", "loss acc", "2 loss", "`loss", "loss + *", "max(loss)"),
        *("__import__('os')", "loss.real", "loss[0]", "lambda: 1", "loss if 1 else 2", "lossy"),
        *("(" * 500 + "loss" + ")" * 500, "loss" + "**loss" * 300, "1" * 20_000, "3", "loss; 1"),
    ],
)
def test_text_that_is_not_an_expression_is_refused(text: str) -> None:
    history = es.History({"loss": [1.0, 2.0]})
    with pytest.raises((es.HistoryError, es.MissingMetricError)):
        history.derive("x", text)


@pytest.mark.parametrize("name", ["loss_2", "lossy", "loss2", "_loss"])
def test_a_name_that_only_begins_like_a_metric_is_unknown_as_a_whole(name: str) -> None:
    with pytest.raises(es.MissingMetricError, match=f"no metric '{name}' "):
        es.History({"loss": [1.0, 2.0]}).derive("x", f"1 + {name}")


ODD_NAMES = [
    "",
    " ",
    "a b",
    "it's",
    'say "x"',
    "a`b",
    "\ud800",
    "1",
    "2e5",
    "-",
    "**",
    "(",
    "max",
    "é\n",
]


@pytest.mark.parametrize("name", [name for name in ODD_NAMES if name.strip()])
def test_a_metric_of_any_name_can_be_derived_from_in_quotes(name: str) -> None:
    history = es.History({odd: [3.0] for odd in ODD_NAMES if odd.strip()} | {"loss": [1.0]})
    quote = next(quote for quote in "`'\"" if quote not in name)
    derived = history.derive("x", f"{quote}{name}{quote} + loss")
    assert derived.metrics["x"].tolist() == [[4.0]]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_expression_beside_a_metric_of_any_name_ends(name: str) -> None:
    history = es.History({name: [3.0], "loss": [1.0]})
    for text in ("loss % 2", "%", "loss +", "\ud800", "''", "` `", name, name * 50, "loss" * 2000):
        with contextlib.suppress(es.EarlystopError):
            history.derive("x", text)


@pytest.mark.parametrize(
    "text",
    [
        *("(" * 10**5 + "loss" + ")" * 10**5, "loss + " * 10**6 + "loss", "`" + "x" * 10**6 + "`"),
        *(
            "(" * 4990 + "loss" + ")" * 4990,
            "-" * 9990 + "loss",
            "abs(" * 2000 + "loss" + ")" * 1999,
        ),
        *("~" * 9990, "loss," * 1999, ")" * 9999, "9" * 9999, "loss**" * 1500 + "loss", "m" * 9999),
        "max(loss,)" * 900,
    ],
)
def test_a_long_expression_is_refused_in_no_time(text: str) -> None:
    names = {f"metric/{number:05}/{'m' * (number % 90)}": [1.0] for number in range(5000)}
    history = es.History({"loss": [1.0], **names})
    began = time.process_time()
    with pytest.raises((es.HistoryError, es.MissingMetricError)) as caught:
        history.derive("x", text)
    assert time.process_time() - began < 3
    assert len(str(caught.value)) < 20_000


def test_a_sum_of_thousands_beside_thousands_of_names_is_computed() -> None:
    names = {f"metric/{number:05}": [1.0] for number in range(5000)}
    text = "+".join(f"metric/{number:05}" for number in range(700))
    assert es.History(names).derive("x", text).metrics["x"].tolist() == [[700.0]]
