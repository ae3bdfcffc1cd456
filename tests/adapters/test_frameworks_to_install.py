"""An adapter whose framework is not installed says what to install."""

from __future__ import annotations

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("adapter", "package", "installed_by"),
    [
        ("ignite", "ignite", "pip install pytorch-ignite"),
        ("optuna", "optuna", "pip install optuna"),
        ("ray", "ray", r"pip install 'ray\[tune\]'"),
        ("skorch", "skorch", "pip install skorch"),
        ("sklearn", "sklearn", "pip install scikit-learn"),
        ("transformers", "transformers", r"pip install transformers\[torch\]"),
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


def test_lightning_is_asked_for_only_if_it_is_there_under_neither_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for loaded in list(sys.modules):
        if loaded.startswith("earlystop.adapters.lightning"):
            monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "lightning", None)
    from earlystop.adapters.lightning import EarlyStopping

    assert [base.__module__.split(".")[0] for base in EarlyStopping.__bases__[1:]] == [
        "pytorch_lightning"
    ]
    for loaded in list(sys.modules):
        if loaded.startswith("earlystop.adapters.lightning"):
            monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "pytorch_lightning", None)
    with pytest.raises(ModuleNotFoundError, match="needs Lightning: pip install lightning"):
        importlib.import_module("earlystop.adapters.lightning")
