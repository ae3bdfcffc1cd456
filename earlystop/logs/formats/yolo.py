"""What YOLOv5, YOLOv7 and Ultralytics print to the console: two tables for each epoch.

    Epoch   gpu_mem       box       obj       cls    labels  img_size
     0/29     1.86G   0.09854   0.09318         0        24       416: 100%|###| 38/38 [00:16<00:00]
               Class    Images    Labels         P         R    mAP@.5  mAP@.5:.95: 100%|###| 7/7
                 all       195       882    0.0096     0.359   0.00496    0.000785

The losses are printed again until they are final. Names are those of the tools' own `results.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..columns import number
from ..log_format import LogFormat
from ..printed_lines import STYLE, YOLO
from ..run import Run
from ..source import Source

__all__ = ["FORMAT", "metric_names"]

_OVERWRITTEN = re.compile(r"[\r\x08]+")  # progress bars begin their line anew
_LONGEST = 1000  # characters of a line that are searched
_N = r"(?:[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|nan|inf)"
_LOSSES = re.compile(r"(?:^|\s)Epoch\s+(?:gpu_mem|GPU_mem)\s+(?P<names>\S.*)")
_EPOCH = re.compile(rf"^\W*(?P<epoch>\d+)/\d+\s+[\d.]+[GM]B?(?P<values>(?:\s+{_N})+)(?=[:\s]|$)")
_METRICS = re.compile(
    r"(?:^|\s)(?:Class\s+Images\s+(?:Labels|Instances|Targets)|classes)\s+(?P<names>\S.*)"
)
_ALL = re.compile(rf"^\W*all(?P<values>(?:\s+{_N})+)\s*$")
_AMOUNTS = ("labels", "targets", "instances", "img_size", "size")  # they follow the losses
_GROUPS = {"Box(": "(B)", "Mask(": "(M)", "Pose(": "(P)"}
_KINDS = {
    "P": "precision",
    "R": "recall",
    "mAP@.5": "mAP50",
    "mAP@0.5": "mAP50",
    "mAP50": "mAP50",
    "mAP@.5:.95": "mAP50-95",
    "mAP@0.5:0.95": "mAP50-95",
    "mAP50-95": "mAP50-95",
    "top1_acc": "accuracy_top1",
    "top5_acc": "accuracy_top5",
}
_BEFORE_GROUPS = {"mAP50": "mAP_0.5", "mAP50-95": "mAP_0.5:0.95"}


def _loss_names(columns: str) -> list[str]:
    found = []
    for column in columns.split():
        if column.lower() in _AMOUNTS:
            break
        found.append(f"train/{column if column.endswith('loss') else column + '_loss'}")
    return found


def metric_names(columns: Sequence[str]) -> list[str]:
    """The names of the metrics in the header of a validation, up to what is none.

    >>> metric_names(["P", "R", "mAP@.5", "mAP@.5:.95:", "100%"])
    ['metrics/precision', 'metrics/recall', 'metrics/mAP_0.5', 'metrics/mAP_0.5:0.95']
    >>> metric_names(["Box(P", "R", "mAP50)", "Mask(P"])
    ['metrics/precision(B)', 'metrics/recall(B)', 'metrics/mAP50(B)', 'metrics/precision(M)']
    """
    found, group = list[str](), ""
    for column in columns:
        mark, bracket, name = column.rpartition("(")
        group = _GROUPS.get(mark + bracket, group)
        kind = _KINDS.get(name.rstrip(":").rstrip(")"))
        if kind is None:
            break
        found.append(f"metrics/{kind if group else _BEFORE_GROUPS.get(kind, kind)}{group}")
    return found


def _numbers(text: str) -> list[float]:
    return [value for cell in text.split() if (value := number(cell)) is not None]


class _Epochs:
    """The rows so far: a validation belongs to the epoch above it, which has no other."""

    def __init__(self, log: Source) -> None:
        self.rows = log.rows()
        self.beside = 0  # validations that belong to no epoch, as that of the best model
        self._losses: list[str] = []
        self._metrics: list[str] = []
        self._row: dict[str, float] = {}

    def read(self, line: str) -> None:
        """Read one line, or what a progress bar wrote over it."""
        if (match := _EPOCH.match(line)) and self._losses:
            self._epoch(float(match["epoch"]), _numbers(match["values"]))
        elif (match := _ALL.match(line)) and self._metrics:
            self._validation(_numbers(match["values"]))
        elif match := _LOSSES.search(line):
            self._losses = _loss_names(match["names"])
        elif match := _METRICS.search(line):
            self._metrics = metric_names(match["names"].split())

    def _epoch(self, epoch: float, values: list[float]) -> None:
        if self._row.get("epoch") != epoch:
            self.end()
        if len(values) >= len(self._losses):
            self._row |= {"epoch": epoch, **dict(zip(self._losses, values, strict=False))}

    def _validation(self, values: list[float]) -> None:
        known = values[len(values) - len(self._metrics) :]  # after the images and their labels
        if not self._row or any(name in self._row for name in self._metrics):
            self.beside += 1
        elif len(known) == len(self._metrics):
            self._row |= dict(zip(self._metrics, known, strict=True))

    def end(self) -> None:
        """An epoch ends here."""
        if self._row:
            self.rows.add(self._row)
        self._row = {}


def _recognise(log: Source) -> bool:
    text = log.text
    marked = "_mem" in text and any(mark in text for mark in YOLO)
    return marked and _LOSSES.search(text) is not None


def _read(log: Source) -> Iterator[Run]:
    epochs = _Epochs(log)
    for _, line in log.lines():
        for part in _OVERWRITTEN.split(STYLE.sub("", line.rstrip("\n"))):
            epochs.read(part[:_LONGEST])
    epochs.end()
    if not epochs.rows.length:
        raise log.wrong("begins as YOLO prints, but has no values", not_a_log=True)
    log.notes.append("read as YOLO prints it")
    if epochs.beside > 1:
        log.notes.append(f"{epochs.beside:,} validations that belong to no epoch: left out")
    yield epochs.rows.run()


FORMAT = LogFormat("yolo", _recognise, _read, order=104)
