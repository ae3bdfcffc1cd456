"""Messages name arguments as the surface in use does, also those from other threads."""

from __future__ import annotations

import click
import pytest

import earlystop as es
from earlystop._arguments import argument, as_in_python, named_by
from earlystop._parallel import in_order
from earlystop.cli.naming import options_of


def context(*arguments: str) -> click.Context:
    options = [
        click.Option(["--complete/--stopped-early"], default=None),
        click.Option(["--relative"], is_flag=True),
        click.Option(["-b", "--at-most"], type=float),
        click.Option(["--derive"]),
        click.Option(["--patience"]),
        click.Option(["--save"]),
    ]
    return click.Command("command", params=list(options)).make_context("command", list(arguments))


@pytest.mark.parametrize(
    ("name", "value", "owner", "written"),
    [
        ("complete", True, "", "--complete"),
        ("complete", False, "", "--stopped-early"),
        ("relative", True, "", "--relative"),
        ("relative", False, "", "relative=False"),
        ("at_most", 0.1, "", "--at-most 0.1"),
        ("at_most", ..., "advise", "--at-most"),
        ("derived", ..., "read_history", "--derive"),
        ("save", es.Best("loss"), "", "--save \"Best('loss', mode='min')\""),
        ("patience", ..., "Patience", "`Patience(patience=...)`"),
        ("ax", ..., "plot", "`plot(ax=...)`"),
    ],
)
def test_an_argument_is_the_option_of_the_command(
    name: str, value: object, owner: str, written: str
) -> None:
    with named_by(options_of(context())):
        assert argument(name, value, owner) == written
        with as_in_python():
            assert argument("complete", True) == "complete=True"
    assert argument("complete", True) == "complete=True"


def test_a_field_of_a_rule_is_the_option_where_it_was_given() -> None:
    with named_by(options_of(context("--patience", "-1"))):
        assert argument("patience", owner="Patience") == "--patience"


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_name_arguments_as_their_caller_does(workers: int) -> None:
    with named_by(lambda name, value, owner: f"--{name}"):
        assert set(in_order([lambda: argument("seed")] * 9, workers)) == {"--seed"}
