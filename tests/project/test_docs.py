"""What the documentation shows is what happens: docstrings, the README and its commands."""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import earlystop.adapters
import pytest

import earlystop as es

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def modules() -> list[str]:
    """The library's modules, those that can only be run as a program left out."""
    sources = {
        "earlystop": ROOT / "earlystop",
        "earlystop.adapters": ROOT / "adapters",
    }
    names = {
        ".".join([package, *path.relative_to(folder).with_suffix("").parts])
        for package, folder in sources.items()
        for path in folder.rglob("*.py")
    }
    return sorted({name.removesuffix(".__init__") for name in names} - {"earlystop.__main__"})


def test_the_list_of_modules_holds_known_ones() -> None:
    assert {
        "earlystop.engine.stopper",
        "earlystop.rules.patience",
        "earlystop.adapters.loop",
    } < set(modules())


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_run_as_printed(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


@pytest.mark.parametrize("name", ["docstrings", "pictures", "repository", "screens"])
def test_examples_in_what_makes_the_site_run_as_printed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted > 0
    assert results.failed == 0


def test_docstrings_become_what_sphinx_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    written = importlib.import_module("docstrings").as_rst(
        "Takes *all* of `a | b` and `Stopper`s.\n\n    x = 1\n\n"
        "first, *rest: the values;\n    further lines\nother: `name_`\n\n- one\n- two\n\n>>> 1\n1"
    )
    assert written == (
        "Takes \\*all\\* of ``a | b`` and :py:obj:`Stopper`\\ s.\n\n"
        ".. code-block:: text\n\n        x = 1\n\n"
        "``first``, ``*rest``\n    the values;\n    further lines\n\n"
        "``other``\n    :py:obj:`name_`\n\n\n- one\n- two\n\n>>> 1\n1\n"
    )


@pytest.mark.parametrize("name", es.__all__)
def test_every_public_name_has_a_docstring_with_an_example(name: str) -> None:
    thing = getattr(es, name)
    text = thing.__doc__
    assert text, name
    assert not text.startswith(f"{name}("), f"that of {name} is a generated one"
    assert ">>> " in text or (isinstance(thing, type) and issubclass(thing, Exception)), name


PAGES = {
    str(page.relative_to(ROOT)): page.read_text()
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if "_build" not in page.parts
}
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", flags=re.DOTALL)
PAGES_THAT_RUN = [page for page, text in PAGES.items() if BLOCK.search(text)]


@pytest.mark.parametrize("page", PAGES_THAT_RUN)
def test_examples_of_a_page_run_in_order_and_print_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for code, printed in BLOCK.findall(PAGES[page]):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, page, "exec"), names)  # noqa: S102  # our own
        assert output.getvalue() == printed or not printed
    for picture in re.findall(r"_pictures/([\w.]+)\)", PAGES[page]):
        assert (tmp_path / picture).stat().st_size > 1000


def test_the_pages_have_examples_and_say_what_they_print() -> None:
    blocks = [block for text in PAGES.values() for block in BLOCK.findall(text)]
    assert len(PAGES_THAT_RUN) >= 25
    assert sum(bool(printed) for _, printed in blocks) >= 25
    assert len(BLOCK.findall(PAGES["README.md"])) >= 5


def test_the_readme_has_at_most_200_lines() -> None:
    assert len(README.splitlines()) <= 200


COMMANDS = PAGES["docs/guide/command_line.md"]


def test_commands_print_what_their_page_says(tmp_path: Path) -> None:
    """In order, in the folder that the page's own Python block fills, in 80 columns."""
    command = tmp_path / "bin" / "earlystop"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m earlystop "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join([str(command.parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    blocks = re.findall(
        r"```(python|sh)\n(.*?)```(?:\n\n```text\n(.*?)```)?", COMMANDS, flags=re.DOTALL
    )
    assert sum(bool(printed) for _, _, printed in blocks) >= 3
    for kind, code, printed in blocks:
        program = [sys.executable, "-c"] if kind == "python" else ["bash", "-e", "-c"]
        done = subprocess.run(
            [*program, code],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, code + done.stderr
        lines = [line.rstrip() for line in done.stdout.rstrip().splitlines()]
        assert "\n".join([*lines, ""]) == printed or not printed
    made = {"answers.csv", "sweep.json", "run.png", "sweep.svg", "report.html"}
    assert made <= {path.name for path in tmp_path.iterdir()}


RULES = PAGES["docs/guide/rules.md"]


def test_the_table_of_rules_names_every_rule() -> None:
    named = {
        name
        for row in re.findall(r"^\| (.*?) \|", RULES, re.M)
        for name in re.findall(r"(\w+)\(", row)
    }
    rules = {
        name
        for name, thing in vars(es).items()
        if isinstance(thing, type) and issubclass(thing, es.Rule)
    }
    assert named == rules - {"Rule", "AnyOf", "AllOf", "Not"}


def test_every_public_name_has_a_place_in_the_reference() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.rst"))
    named = re.findall(r"^\.\. auto(?:class|function|exception):: (\w+)$", pages, re.M)
    assert set(es.__all__) <= set(named)


def test_what_the_pages_import_by_name_has_a_place_in_the_reference() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.rst"))
    placed = set(re.findall(r"^\.\. auto(?:class|function|exception):: ([\w.]+)$", pages, re.M))
    imported = {
        f"{module}.{name}"
        for text in PAGES.values()
        for module, names in re.findall(r"^from (earlystop[\w.]*) import (.+)$", text, re.M)
        for name in names.split(", ")
    }
    assert len(imported) > 20
    assert imported <= placed, imported - placed


def test_rules_and_stoppers_within_the_text_of_the_pages_can_be_written_so() -> None:
    """Those that are written in full, such as `es.MaxEpochs(100) | es.NonFinite("loss")`."""
    tried = 0
    for page, text in PAGES.items():
        prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.M)
        prose = prose.replace("\\|", "|")  # as in tables
        for code in re.findall(r"`(es\.[A-Z][^`]*\))`", prose):
            names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
            if names == {"es"} and "..." not in code:
                made = eval(code, {"es": es})  # noqa: S307  # our own
                assert isinstance(made, es.Rule | es.Stopper | es.Improvement), f"{page}: {code}"
                tried += 1
    assert tried > 10


def test_the_table_of_rules_names_every_setting() -> None:
    import dataclasses

    for name, settings in re.findall(r"^\| `(\w+)\((.*?)\)`", RULES, re.M):
        rule = getattr(es, name)
        fields = {field.name for field in dataclasses.fields(rule)}
        assert set(re.findall(r"\w+", settings)) - {"or"} == fields, name


def test_the_readme_has_the_two_commands_that_ci_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for marker, call in (
        ("main job", 'readme_command "main job"'),
        ("tests", "readme_command tests"),
    ):
        assert re.search(rf"<!-- {marker} -->\n```sh\n\S.*\n```\n", README)
        assert call in script


def test_files_that_the_documents_point_to_exist() -> None:
    for page in [ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *(ROOT / name for name in PAGES)]:
        text = page.read_text()
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            made = "_pictures/" in target  # when the site is built, by the page's own examples
            assert made or (page.parent / target).exists(), f"{page.name}: {target}"
        for target in re.findall(r"`((?:earlystop|tests|benchmarks)/[\w/.]+)`", text):
            assert (ROOT / target).exists(), f"{page.name}: {target}"


def test_the_picture_of_the_readme_is_that_of_its_example(tmp_path: Path) -> None:
    """Its texts are compared: how lines are written out depends on the release of matplotlib."""
    script = str(ROOT / "docs" / "pictures.py")
    subprocess.run([sys.executable, script, str(tmp_path / "run.svg")], check=True, cwd=ROOT)
    drawn, kept = tmp_path / "run.svg", ROOT / "docs" / "one_run.svg"
    assert texts(drawn.read_text()) == texts(kept.read_text()), "run `python docs/pictures.py`"


def texts(svg: str) -> list[str]:
    found = re.findall(r"<!-- (.*?) -->", svg)
    assert len(found) > 10
    return found


def test_the_picture_of_the_floors_is_that_of_the_code(tmp_path: Path) -> None:
    script = [
        sys.executable,
        str(ROOT / "docs" / "structure.py"),
        "--draw",
        str(tmp_path / "x.svg"),
    ]
    subprocess.run(script, check=True, cwd=ROOT)
    drawn, kept = tmp_path / "x.svg", ROOT / "docs" / "floors.svg"
    assert drawn.read_text() == kept.read_text(), "run `python docs/structure.py --draw`"


def test_the_table_of_frameworks_is_what_their_presets_decide() -> None:
    source = ROOT / "docs" / "frameworks.py"
    made: dict[str, Any] = {"__name__": "frameworks", "__file__": str(source)}
    exec(compile(source.read_text(), str(source), "exec"), made)  # noqa: S102  # our own
    page = PAGES["docs/frameworks.md"]
    assert made["written"](page) == page
    assert page.count("keeps") > 50
