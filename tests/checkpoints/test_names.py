"""Templates of file names, and names that are refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import earlystop as es
from earlystop import Checkpoints
from earlystop.checkpoints import format_name

from .runs import names, writer


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{epoch:04d}-{val_loss:.4f}.keras", "0007-0.2500.keras"),
        ("{epoch}", "7"),
        ("a{{b}}{epoch}", "a{b}7"),
        ("{val/acc:.1f}_{epoch:02d}.pt", "0.5_07.pt"),
        ("{epoch} {nan:.2f} {inf}", "7 nan -inf"),
    ],
)
def test_the_fields_of_a_name_are_filled_in(template: str, name: str) -> None:
    values = {"epoch": 7, "val_loss": 0.25, "val/acc": 0.5, "nan": math.nan, "inf": -math.inf}
    assert format_name(template, values) == name


@pytest.mark.parametrize(
    "template",
    [
        "../{epoch}.pt",
        "sub/{epoch}.pt",
        "/tmp/{epoch}.pt",  # noqa: S108
        "..\\{epoch}.pt",
        ".{epoch}.pt",
        "{epoch:/>8}.pt",
        "{epoch:\x00>8}",
        "{epoch:0999d}",
        "{epoch!r}.pt",
        "{epoch:{val_loss}}",
        "{}.pt",
        "{epoch",
        "{epoch}}",
        "{epoch:d}{val_loss:d}",
        "{epoch:s}",
        "fixed.pt",
        "",
    ],
)
def test_a_name_cannot_leave_the_folder_or_be_something_else(template: str, tmp_path: Path) -> None:
    with pytest.raises(es.RuleError, match="name"):
        Checkpoints(tmp_path / "run", template)
    assert not (tmp_path / "run").exists()


def test_a_field_is_looked_up_whole_and_never_inside_a_value(tmp_path: Path) -> None:
    for field in ("epoch.__class__", "epoch[0]", "val_los"):
        template = f"{{epoch}}{{{field}}}"
        with (
            Checkpoints(tmp_path, template) as checkpoints,
            pytest.raises(es.MissingMetricError, match="available metrics: epoch, val_loss"),
        ):
            checkpoints.save(writer(0), epoch=0, metrics={"val_loss": 1.0})
    assert names(tmp_path) == set()


def test_two_epochs_of_one_name_are_refused(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "{epoch:.0e}") as checkpoints:
        checkpoints.save(writer(10), epoch=10, best=True)
        with pytest.raises(es.CheckpointError, match=r"gives '1e.01' to more than one epoch"):
            checkpoints.save(writer(11), epoch=11)
        with pytest.raises(es.CheckpointError, match=r"not after epoch 10.*`rewind\(9\)`"):
            checkpoints.save(writer(10), epoch=10)
