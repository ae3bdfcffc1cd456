"""Templates of file names, and names that are refused."""

from __future__ import annotations

import math
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop import Checkpoints
from earlystop.checkpoints import format_name, template_fields
from earlystop.checkpoints.names import NameTooLongError
from earlystop.checkpoints.templates import checked_template

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
        "{epoch:c}",
        "{epoch:99999999d}.pt",
        "{epoch}-{loss:.99999999f}.pt",
        "{epoch:099999999999999999999999d}.pt",
        "{epoch:" + "9" * 3000 + "d}.pt",
        "{epoch:0256d}.pt",
        "{epoch}-{loss:.256f}.pt",
        "{epoch:\u0663d}.pt",
        "{epoch:yesterday}.pt",
        "{epoch}-\udc80.pt",
        "{epoch:\ud800>8}.pt",
        "{epoch}" + "x" * 1000,
        "{epoch}" * 1000,
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
            pytest.raises(es.MissingMetricError, match="available metrics: check, epoch, val_loss"),
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


@pytest.mark.parametrize(
    "template", ["{epoch:99999999d}.pt", "{epoch}-{loss:.999999999g}.pt", "x" * 10_000_000]
)
def test_an_absurd_template_is_refused_at_once_without_making_the_name(template: str) -> None:
    tracemalloc.start()
    try:
        start = time.perf_counter()
        with pytest.raises(es.RuleError, match="too long") as caught:
            checked_template(template)
        assert time.perf_counter() - start < 1
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 500


TEXT = st.text(st.characters(exclude_categories=()), max_size=6)
SPEC = st.tuples(
    st.sampled_from(["", "*>", "<", "=", "/<", ".>", ".=", "\0^", "\ud800^"]),
    st.sampled_from(["", "+", " ", "-"]),
    st.sampled_from(["", "#", "0", "#0"]),
    st.sampled_from(["", "1", "3", "40", "254", "255", "256", "9" * 30]),
    st.sampled_from(["", ",", "_", ".2", ".60", ".255", ".256", "." + "9" * 30]),
    st.sampled_from(["", *"bcdeEfFgGnosxX%"]),
).map("".join)


@given(
    before=TEXT,
    epoch_spec=SPEC,
    between=TEXT,
    loss_spec=SPEC | TEXT,
    epoch=st.integers(0, 1 << 40),
    loss=st.floats(),
)
def test_a_template_that_is_accepted_gives_a_name_for_every_epoch_and_value(
    before: str, epoch_spec: str, between: str, loss_spec: str, epoch: int, loss: float
) -> None:
    template = f"{before}{{epoch:{epoch_spec}}}{between}{{loss:{loss_spec}}}"
    try:
        checked_template(template, "none")
    except es.RuleError:
        return
    try:
        name = format_name(template, {"epoch": epoch, "loss": loss})
    except NameTooLongError:  # by the few characters that another number of six digits takes
        return
    assert name == Path(name).name
    assert name.encode()


def test_a_value_too_large_for_the_file_name_is_written_with_six_digits() -> None:
    values = {"epoch": 3, "loss": 1.25e300}
    assert format_name("{epoch:02d}-{loss:.4f}.pt", values) == "03-1.25e+300.pt"


def test_a_metric_that_an_epoch_lacks_is_named_by_a_word_where_one_is_given(tmp_path: Path) -> None:
    template = "{epoch:02d}-{val_loss:.2f}.pt"
    with Checkpoints(tmp_path, template, keep_last=9, missing="none") as checkpoints:
        checkpoints.save(writer(0), epoch=0, metrics={"val_loss": 0.5})
        checkpoints.save(writer(1), epoch=1, metrics={"loss": 0.5})
    assert names(tmp_path) == {"00-0.50.pt", "01-none.pt"}
    with (
        Checkpoints(tmp_path, template, resume=True) as checkpoints,
        pytest.raises(
            es.MissingMetricError, match=r"asks for 'val_loss'.*: check, epoch, loss; did you"
        ),
    ):
        checkpoints.save(writer(2), epoch=2, metrics={"loss": 0.5})


@pytest.mark.parametrize("missing", ["../x", "\udc80", "x" * 300, "a\0"])
def test_a_word_for_a_missing_metric_that_no_file_name_may_hold_is_refused(
    missing: str, tmp_path: Path
) -> None:
    with pytest.raises(es.RuleError, match="name"):
        Checkpoints(tmp_path / "run", "{epoch}-{loss}", missing=missing)
    with pytest.raises(es.RuleTypeError, match="missing="):
        Checkpoints(tmp_path / "run", missing=3)
    assert not (tmp_path / "run").exists()


def test_what_a_template_asks_for_can_be_asked() -> None:
    assert template_fields("{epoch}-{val/loss:.2f}-{epoch}{{x}}.pt") == ("epoch", "val/loss")
