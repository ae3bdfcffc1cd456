"""What the documentation shows is what happens: docstrings, the README and its commands."""

from __future__ import annotations

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


@pytest.mark.parametrize("name", es.__all__)
def test_every_public_name_has_a_docstring_with_an_example(name: str) -> None:
    thing = getattr(es, name)
    text = thing.__doc__
    assert text, name
    assert not text.startswith(f"{name}("), f"that of {name} is a generated one"
    assert ">>> " in text or (isinstance(thing, type) and issubclass(thing, Exception)), name


PAGES = {page.name: page.read_text() for page in sorted((ROOT / "docs").rglob("*.md"))}
BLOCKS, PAGE_BLOCKS = (
    re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", text, flags=re.DOTALL)
    for text in (README, "\n".join(PAGES.values()))
)
ALL_BLOCKS = BLOCKS + PAGE_BLOCKS


@pytest.mark.parametrize(
    ("code", "printed"), ALL_BLOCKS, ids=[f"block {i}" for i in range(len(ALL_BLOCKS))]
)
def test_examples_in_the_documents_run_as_they_stand(
    code: str, printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102  # our own
    assert output.getvalue() == printed or not printed


def test_the_readme_has_examples_and_says_what_they_print() -> None:
    assert len(BLOCKS) >= 6
    assert PAGE_BLOCKS
    assert sum(bool(printed) for _, printed in BLOCKS) >= 3


SECTION = README.split("\n## From the command line", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]


def test_commands_in_the_readme_print_what_it_says(tmp_path: Path) -> None:
    """In order, in the folder that the section's own Python block fills, in 80 columns."""
    command = tmp_path / "bin" / "earlystop"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m earlystop "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join([str(command.parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    blocks = re.findall(
        r"```(python|sh)\n(.*?)```(?:\n\n```text\n(.*?)```)?", SECTION, flags=re.DOTALL
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


def test_the_readme_s_table_names_every_rule() -> None:
    table = README.split("\n## Rules", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]
    named = {
        name
        for row in re.findall(r"^\| (.*?) \|", table, re.M)
        for name in re.findall(r"(\w+)\(", row)
    }
    rules = {
        name
        for name, thing in vars(es).items()
        if isinstance(thing, type) and issubclass(thing, es.Rule)
    }
    assert named == rules - {"Rule", "AnyOf", "AllOf", "Not"}


def test_the_readme_names_every_setting_of_a_rule() -> None:
    import dataclasses

    for name, settings in re.findall(r"^\| `(\w+)\((.*?)\)`", README, re.M):
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
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
        for target in re.findall(
            r"`((?:earlystop|tests|benchmarks)/[\w/.]+)`", document.read_text()
        ):
            assert (ROOT / target).exists(), f"{document.name}: {target}"


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
    page = PAGES["frameworks.md"]
    assert made["written"](page) == page
    assert page.count("keeps") > 50
