"""An adapter whose framework is not installed says what to install."""

from __future__ import annotations

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("adapter", "package", "installed_by"),
    [
        ("ignite", "ignite", "pip install pytorch-ignite"),
        ("skorch", "skorch", "pip install skorch"),
        ("sklearn", "sklearn", "pip install scikit-learn"),
    ],
)
def test_an_import_without_the_framework_says_what_to_install(
    adapter: str, package: str, installed_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"earlystop.adapters.{adapter}"
    for loaded in list(sys.modules):
        if loaded.partition(".")[0] == package or loaded.startswith(name):
            monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=f"{name} needs .*: {installed_by}") as caught:
        importlib.import_module(name)
    assert caught.value.name is not None
    assert caught.value.name.split(".")[0] == package
