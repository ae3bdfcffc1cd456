"""What the YOLOs print, and the tables without a header that they wrote."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from tests.logs.reading import logged, read, write
from tests.support.event_files import write_events
from tests.support.sample_logs import samples

BAR = "640: {}%|###   | {}/9 [00:01<00:00,  9.0it/s]"
YOLOV5 = """\
     Epoch   gpu_mem       box       obj       cls     total    labels  img_size
     {epoch}/29     1.86G     0.125     0.25         0     0.375        24       416
               Class      Images      Labels           P           R      mAP@.5  mAP@.5:.95: 100%
                 all         195         882       {p}       0.375       0.125      0.0625
"""
ULTRALYTICS = """\
      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size
       {epoch}/29      2.21G      1.25        2.5      1.125         13        640
                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100%
                   all        128        929       {p}       0.375       0.125      0.0625
"""
MASKS = """\
      Epoch    GPU_mem   box_loss   seg_loss   cls_loss  Instances       Size
       {epoch}/29      2.21G      1.25        2.5      1.125         13        640: 100% 4/4
    Class Images Instances Box(P  R  mAP50  mAP50-95) Mask(P  R  mAP50  mAP50-95): 100% 1/1
                   all   128   929   {p}   0.375   0.125   0.0625   0.5   0.25   0.75   0.5
"""
CLASSES = """\
      Epoch    GPU_mem       loss  Instances       Size
       {epoch}/29      2.21G      1.25         13        224: 100%|###| 4/4 [00:01<00:00]
               classes   top1_acc   top5_acc: 100%|###| 2/2 [00:01<00:00]
                   all       {p}      0.875
"""
OLD = ["train/box_loss", "train/obj_loss", "train/cls_loss", "train/total_loss"]
OLD += [f"metrics/{name}" for name in ("precision", "recall", "mAP_0.5", "mAP_0.5:0.95")]
BOXES = [f"metrics/{name}(B)" for name in ("precision", "recall", "mAP50", "mAP50-95")]
NEW = ["train/box_loss", "train/cls_loss", "train/dfl_loss", *BOXES]
SEGMENTED = ["train/box_loss", "train/seg_loss", "train/cls_loss", *BOXES]
SEGMENTED += [name.replace("(B)", "(M)") for name in BOXES]
CLASSIFIED = ["train/loss", "metrics/accuracy_top1", "metrics/accuracy_top5"]
TEXTS = [(YOLOV5, OLD), (ULTRALYTICS, NEW), (MASKS, SEGMENTED), (CLASSES, CLASSIFIED)]


def printed(text: str, precisions: list[float]) -> str:
    return "".join(text.format(epoch=e, p=p) for e, p in enumerate(precisions))


@pytest.mark.parametrize(("text", "names"), TEXTS)
def test_what_yolo_prints_is_read_under_the_names_of_its_own_table(
    text: str, names: list[str]
) -> None:
    history = read("a model of 225 layers\n" + printed(text, [0.5, 0.625, 0.75]))
    assert list(history.metrics) == names
    assert history.coordinates["epoch"].tolist() == [[0, 1, 2]]
    first = next(name for name in names if name.startswith("metrics/"))
    assert logged(history, first) == [0.5, 0.625, 0.75]
    assert all(history.reported(name).all() for name in names)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.sampled_from("\r\n"))
def test_of_the_losses_that_a_bar_shows_the_last_count(losses: list[int], end: str) -> None:
    """The validation may stand below the header of the next epoch, and that of the best at last."""
    head, row, of_metrics, of_all = YOLOV5.splitlines()
    lines = [head]
    for epoch in range(2):
        for step, loss in enumerate(losses):
            values = row.format(epoch=epoch).replace("0.125", f"{loss / 16}", 1)
            lines.append(f"{values}:  {BAR.format(9 * step, step)}{end}".rstrip("\n"))
        lines += [of_metrics, head, of_all.format(p=(epoch + 1) / 4)]
    lines += ["2 epochs completed in 0.1 hours.", of_metrics, of_all.format(p=0.875)]
    history = read("\n".join(lines))
    assert logged(history, "train/box_loss") == [losses[-1] / 16] * 2
    assert logged(history, "metrics/precision") == [0.25, 0.5]


def rows(values: list[list[float]]) -> str:
    columns = (f"{e}/99 1.5G " + " ".join(f"{v:.4g}" for v in row) for e, row in enumerate(values))
    return "".join(f"     {row.replace(' ', '    ')}\n" for row in columns)


TABLE = [
    [0.5, 0.25, 0.125, 0.875, 30, 640, 0.5, 0.25 + e / 8, 0.5, 0.25, 1, 2, 3] for e in range(4)
]


def test_the_table_of_yolo_without_a_header_is_read(tmp_path: Path) -> None:
    history = es.read_history(write(tmp_path / "results.txt", rows(TABLE)))
    assert list(history.metrics) == [*OLD, "val/box_loss", "val/obj_loss", "val/cls_loss"]
    assert logged(history, "metrics/recall") == [0.25, 0.375, 0.5, 0.625]
    assert logged(history, "val/cls_loss") == [3] * 4
    assert history.coordinates["epoch"].tolist() == [[0, 1, 2, 3]]
    assert read(rows(TABLE) + rows(TABLE)[:-20]).lengths.tolist() == [4, 3]
    with pytest.raises(es.LogError, match="line 5: expected an epoch"):
        read(rows(TABLE) + "Traceback\n")


def test_f1_is_told_from_the_map_over_many_thresholds_that_took_its_place() -> None:
    with_f1 = [[*row[:9], 2 * row[6] * row[7] / (row[6] + row[7]), *row[10:]] for row in TABLE]
    history = read(rows(with_f1))
    assert "metrics/mAP_0.5:0.95" not in history.metrics
    assert logged(history, "metrics/F1") == [0.3333, 0.4286, 0.5, 0.5556]


def test_what_one_training_left_in_three_files_is_one_run(tmp_path: Path) -> None:
    table = [[e / 7, *row[1:]] for e, row in enumerate(TABLE * 2, 1)]
    write(tmp_path / "results.txt", rows(table))
    write(tmp_path / "nohup.out", printed(YOLOV5, [0.5] * 8))
    scalars = [
        (float(e), e, name, value)
        for e, row in enumerate(table)
        for name, value in zip(OLD[:3], row, strict=False)
    ]
    write_events(tmp_path / "events.out.tfevents.1.host", scalars)
    history = es.read_history(tmp_path)
    assert history.runs == 1
    assert "console output beside another log" in str(history.report)


def test_a_sample_of_each_is_among_those_that_are_damaged() -> None:
    formats = set()
    for sample in samples():
        try:
            history = es.read_history(io.BytesIO(sample))
        except es.LogError:
            continue
        assert history.report is not None
        formats |= {file.format for file in history.report.files}
    assert {"yolo", "yolo_results"} <= formats
