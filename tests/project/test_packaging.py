"""What is installed: every module, at its path, light to import, typed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str, cwd: Path, path: Path | None = None) -> str:
    environment = {
        **{"PATH": "/usr/bin:/bin", "PYTHONPATH": str(path or ""), "HOME": str(cwd)},
        "SOURCE_DATE_EPOCH": "1700000000",  # the time in archives, as `.ci/build` sets it
    }
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(folder: Path, *options: str) -> Path:
    """The wheel that is built in a folder from a copy of the sources."""
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, source)
    for name in ("earlystop", "adapters"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored, copy_function=shutil.copyfile)
    where = ("--outdir", str(folder), str(source))
    run(sys.executable, "-m", "build", "--no-isolation", *options, *where, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built through a source distribution."""
    return built(tmp_path_factory.mktemp("packaging"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_holds_every_module_and_nothing_else(wheel: Path) -> None:
    expected = {
        f"earlystop/{path.relative_to(ROOT / 'earlystop')}"
        for path in (ROOT / "earlystop").rglob("*")
        if path.suffix in (".py", ".jinja", ".css", ".js") or path.name == "py.typed"
    } | {
        f"earlystop/adapters/{path.relative_to(ROOT / 'adapters')}"
        for path in (ROOT / "adapters").rglob("*.py")
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == expected
    assert "earlystop/py.typed" in names


def test_a_wheel_built_again_has_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    assert built(tmp_path, "--wheel").read_bytes() == wheel.read_bytes()


def test_an_installed_library_works_and_claims_no_other_package_s_name(
    installed: Path, tmp_path: Path
) -> None:
    code = (
        "import importlib.util, earlystop as es\n"
        "from earlystop.adapters.loop import EpochLoop\n"
        "assert importlib.util.find_spec('adapters') is None\n"
        "loop = EpochLoop(es.EarlyStopping('loss'))\n"
        "for epoch in loop: loop.report(loss=epoch)\n"
        "print(es.__file__, loop.stopper.epoch)"
    )
    output = run(sys.executable, "-c", code, cwd=tmp_path, path=installed)
    assert output.split() == [str(installed / "earlystop" / "__init__.py"), "2"]


def test_importing_and_stepping_load_no_numpy(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import earlystop as es\n"
        "from earlystop.adapters.loop import EpochLoop\n"
        "stopper = es.Stopper(es.Smoothed(es.Patience('loss', 1), 'loss', window=3)\n"
        "    | es.Plateau('loss', 3, 0.0) | es.ProgressQuotient('loss', 'loss'), es.Best('loss'))\n"
        "while not stopper.step({'loss': 1.0}).stop: pass\n"
        "stopper.load_state_dict(stopper.state_dict())\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "light = sys.stdlib_module_names - {'asyncio'} | {'earlystop'}\n"
        "print(sorted(loaded - light))"
    )
    assert run(sys.executable, "-c", code, cwd=tmp_path, path=installed) == "[]\n"


def test_numpy_comes_with_the_first_use_of_what_needs_it(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys, earlystop as es, earlystop.replaying.replay\n"
        "assert 'History' in dir(es)\n"
        "print(es.replay(es.MaxEpochs(1), es.History({'loss': [1.0]})).epochs)"
    )
    assert run(sys.executable, "-c", code, cwd=tmp_path, path=installed) == "[1]\n"


def test_the_version_is_the_same_everywhere(installed: Path) -> None:
    import earlystop

    (metadata,) = installed.glob("*.dist-info/METADATA")
    assert f"\nVersion: {earlystop.__version__}\n" in metadata.read_text()


def test_the_source_tree_runs_without_being_installed() -> None:
    assert run(sys.executable, "-m", "earlystop", "--version", cwd=ROOT).startswith(
        "earlystop, version"
    )


def test_users_get_types(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(
        "import earlystop as es\n"
        "from earlystop.adapters.loop import EpochLoop\n"
        "stopper = es.EarlyStopping('val_loss', patience=3)\n"
        "reveal_type(stopper.step({'val_loss': 1}).stop)\n"
        "reveal_type(es.Patience('val_loss', patience=3).min_delta)\n"
        "reveal_type(es.Patience('a') | es.MaxEpochs(3))\n"
        "reveal_type(es.replay(stopper, es.History({'val_loss': [1.0]})).checks.dtype)\n"
        "reveal_type(EpochLoop(stopper).report(val_loss=1))\n"
        "es.Patience('val_loss', patients=3)\n"
        "es.Patience('val_loss', 3).patience = 4\n"
    )
    command = (sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "use.py")
    environment = {"PATH": "/usr/bin:/bin", "MYPYPATH": str(installed), "HOME": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    assert done.returncode == 1, (done.returncode, output)  # else mypy did not get to the end
    for line, text in enumerate(
        (
            '"bool"',
            '"float"',
            '"earlystop.language.rule.AnyOf"',
            "numpy.dtype[numpy.signedinteger[",
            'fallback=earlystop.engine.decision.Decision]"',
            'Unexpected keyword argument "patients"',
            'Property "patience" defined in "Patience" is read-only',
        ),
        start=4,
    ):
        assert any(
            found.startswith(f"use.py:{line}:") and text in found for found in output.splitlines()
        ), output
