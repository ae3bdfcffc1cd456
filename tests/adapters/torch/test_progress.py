"""The progress bar of a `Training`."""

from __future__ import annotations

import sys

import pytest
from earlystop.adapters.torch import Training

import earlystop as es
from tests.adapters.torch.runs import linear


def test_progress_says_where_the_rule_stands(capsys: pytest.CaptureFixture[str]) -> None:
    training = Training(es.EarlyStopping("val_loss", patience=3), linear(), progress=True)
    for epoch in training.epochs(4):
        training.step(val_loss=[0.9, 0.5, 0.6, 0.7][epoch], loss=1.0)
    shown = capsys.readouterr().err
    assert "val_loss=0.7, best epoch=1; val_loss: 2 of 3 epochs without improvement" in shown
    assert "4/4" in shown
    assert "loss=1" not in shown


def test_several_checks_in_an_epoch_are_one_epoch_of_the_bar(
    capsys: pytest.CaptureFixture[str],
) -> None:
    training = Training(es.EarlyStopping("val_loss", patience=9), linear(), progress=True)
    for epoch in training.epochs(2):
        for part in (1, 2):
            training.step(val_loss=1.0 / (epoch + part), epoch=epoch + part / 2)
    assert "2/2" in capsys.readouterr().err


def test_without_progress_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    training = Training(es.EarlyStopping("val_loss", patience=9), linear())
    for _ in training.epochs(2):
        training.step(val_loss=1.0)
    assert not capsys.readouterr().err


def test_progress_without_tqdm_names_the_extra_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match=r"Training\(progress=True\).*pip install tqdm$"):
        Training(es.EarlyStopping("loss"), linear(), progress=True)
