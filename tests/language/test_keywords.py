"""Arguments that have to be named: the error says what to write; calls keep their meaning."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import earlystop as es
from earlystop.language.keywords import by_keyword

HISTORY = es.History({"val_loss": [[3.0, 2.0, 2.5, 2.6, 1.0]]})
RULE = es.Patience("val_loss", 2)


@pytest.mark.parametrize(
    ("call", "write"),
    [
        (lambda: es.EarlyStopping("val_loss", 5), "patience=5"),
        (lambda: es.EarlyStopping("val_loss", 0.1, 5), "min_delta=0.1, patience=5"),
        (lambda: es.EarlyStopping("a", 1, 5, min_delta=2), "patience=1, mode=5"),
        (lambda: es.Stopper(RULE, es.Best("val_loss"), "skip"), "on_missing='skip'"),
        (lambda: es.replay(RULE, HISTORY, es.Best("a", "min")), "save=Best('a', mode='min')"),
        (lambda: es.sweep(RULE, HISTORY, range(1, 9)), "patience=range(1, 9)"),
        (lambda: es.sweep(RULE, HISTORY, {"patience": [1]}), "**{'patience': [1]}"),
        (lambda: es.advise(HISTORY, "val_loss", 0.01), "max_regret=0.01"),
        (lambda: es.read_history("log.csv", "table"), "format='table'"),
        (lambda: es.Checkpoints("folder", "{epoch}.ckpt", "val_loss"), "monitor='val_loss'"),
    ],
)
def test_the_error_says_what_to_write(call: Callable[[], object], write: str) -> None:
    with pytest.raises(es.RuleTypeError, match=re.escape(f"by position: write {write}")) as raised:
        call()
    assert isinstance(raised.value, TypeError)


@pytest.mark.parametrize(
    ("arguments", "instead"),
    [
        ({"unit": "epoch"}, "pass Patience(..., unit=...) to `Stopper`, with save=Best(...)"),
        ({"relative": True}, "pass Patience(..., relative=...) to `Stopper`"),
        ({"restore_best_weights": True}, "a stopper decides, and you copy the model"),
        ({"delta": 0.1}, "write min_delta"),
        ({"save": es.Best("val_loss")}, "rules are for `Stopper(stop, save=...)`"),
    ],
)
def test_an_argument_of_another_class_is_answered_with_where_it_belongs(
    arguments: dict[str, Any], instead: str
) -> None:
    (name,) = arguments
    says = re.escape(f"`EarlyStopping(...)` has no `{name}`: {instead}")
    with pytest.raises(es.RuleTypeError, match=says):
        es.EarlyStopping("val_loss", patience=2, **arguments)


def test_all_that_patience_takes_and_early_stopping_does_not_is_answered() -> None:
    taken = inspect.signature(es.EarlyStopping).parameters
    for name in inspect.signature(es.Patience).parameters.keys() - taken:
        arguments: dict[str, Any] = {name: None}
        with pytest.raises(es.RuleTypeError, match=rf"pass Patience\(\.\.\., {name}="):
            es.EarlyStopping("val_loss", **arguments)


def test_methods_say_it_too_and_nothing_is_written(tmp_path: Path) -> None:
    with es.Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(es.RuleTypeError, match=r"`Checkpoints\.save\(.*write epoch=5$"):
            checkpoints.save(Path.touch, 5)
        with pytest.raises(es.RuleTypeError, match=r"takes nothing by position: write epoch=5$"):
            checkpoints.wants(5)
        assert not checkpoints.entries


@pytest.mark.parametrize("value", ["a" * 100, "\x1b", list(range(99))])
def test_a_value_that_is_long_or_not_printable_is_left_out(value: Any) -> None:
    class Value:
        def __repr__(self) -> str:
            return str(value)

    with pytest.raises(es.RuleTypeError, match=r"write patience=\.\.\.$"):
        es.EarlyStopping("val_loss", Value())


def test_signatures_and_docstrings_stay() -> None:
    assert list(inspect.signature(es.EarlyStopping).parameters)[:3] == [
        "monitor",
        "min_delta",
        "patience",
    ]
    assert es.advise.__doc__
    assert es.advise.__name__ == "advise"


def test_a_call_that_names_its_arguments_is_passed_on() -> None:
    @by_keyword("c")
    def function(a: int, /, b: int = 2, *, c: int = 3, **rest: int) -> tuple[Any, ...]:
        return a, b, c, rest

    assert function(1) == (1, 2, 3, {})
    assert function(1, 4, c=5, d=6) == (1, 4, 5, {"d": 6})
    with pytest.raises(TypeError, match="missing 1 required"):
        function()
