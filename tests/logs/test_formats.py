"""How a format is chosen, and the registry of formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import earlystop as es
from tests.logs.reading import logged, read, write


def test_a_format_is_recognised_by_content_and_not_by_file_name(tmp_path: Path) -> None:
    path = write(tmp_path / "weights.json", "epoch,loss\n0,1.5\n")
    assert logged(es.read_history(path), "loss") == [1.5]


def test_only_the_requested_metrics_are_kept() -> None:
    text = "epoch,a,b,c\n0,1,2,3\n"
    assert list(read(text, metrics="b").metrics) == ["b"]
    assert list(read(text, metrics=["c"], derived={"d": "a + b"}).metrics) == ["c", "d"]
    assert list(read(text, metrics=[], derived={"d": lambda m: m["a"]}).metrics) == ["d"]
    with pytest.raises(es.MissingMetricError, match="did you mean"):
        read("epoch,loss\n0,1\n", metrics="los")


def test_a_format_can_be_chosen_by_name_and_no_name_is_taken_twice() -> None:
    with pytest.raises(es.LogError, match="did you mean 'keras_history'"):
        read("x", format="keras_histroy")
    with pytest.raises(es.LogError, match="expected a record"):
        read("epoch,loss\n0,1\n", format="tensorboard")
    with pytest.raises(es.LogError, match="already"):
        es.logs.register(es.logs.LogFormat("table", lambda log: True, lambda log: []))


def test_every_format_has_a_module_and_a_name_of_its_own() -> None:
    names = [format.name for format in es.logs.formats()]
    assert len(set(names)) == len(names)
    folder = Path(es.logs.__file__).parent / "formats"
    modules = {path.stem for path in folder.glob("*.py") if "FORMAT = " in path.read_text()}
    assert set(names) - {"mine"} == modules


def test_one_s_own_format_is_tried_before_those_of_the_library() -> None:
    def only_row(log: es.logs.Source) -> Iterator[es.logs.Run]:
        rows = log.rows()
        rows.add({"mine": 1.0})
        yield rows.run()

    text = "epoch,loss\n0,1\n"
    assert list(read(text).metrics) == ["loss"]
    es.logs.register(es.logs.LogFormat("all_mine", lambda log: True, only_row))
    assert list(read(text).metrics) == ["mine"]
