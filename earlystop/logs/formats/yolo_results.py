"""`results.txt` of YOLOv7, and of YOLOv3 and YOLOv5 before they wrote `results.csv`: no header.

     0/299     11.8G   0.0698   0.0315      0   0.1013     30    640  0.0046   0.2902  0.0014 ...

The columns are the epoch, the memory, the losses of the training, labels, the size of pictures,
the metrics, and the losses of the validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from ..columns import number
from ..log_format import LogFormat
from ..run import Run
from ..source import Source
from .yolo import metric_names

__all__ = ["FORMAT"]

_N = r"(?:[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|nan|inf)"
_ROW = re.compile(rf"^\s*(?P<epoch>\d+)/\d+\s+[\d.]+G(?P<values>(?:\s+{_N}){{13}})\s*$")
_LOSSES = ("box_loss", "obj_loss", "cls_loss")
_TRAINING = [*(f"train/{name}" for name in _LOSSES), "train/total_loss"]
_METRICS = metric_names(["P", "R", "mAP@.5", "mAP@.5:.95"])
_VALIDATION = [f"val/{name}" for name in _LOSSES]
_NEAR = 0.02  # of F1 to what it is made of; it is a mean over classes of that


def _recognise(log: Source) -> bool:
    return bool(log.first_lines) and _ROW.match(log.first_lines[0]) is not None


def _read(log: Source) -> Iterator[Run]:
    found = []
    for count, line in log.lines():
        match = _ROW.match(line)
        if match is not None:
            found.append([float(match["epoch"]), *map(_value, match["values"].split())])
        elif not line.endswith("\n") and found:
            log.left_out(count)
        elif line.strip():
            log.damaged("expected an epoch, the memory, and 13 numbers", f"line {count}")
            break
    if not found:
        raise log.wrong("expected rows of an epoch, the memory, and 13 numbers")
    names = ["epoch", *_TRAINING, "", "", *_METRICS, *_VALIDATION]
    if _has_f1(np.array(found)):
        names[names.index(_METRICS[3])] = "metrics/F1"
    rows = log.rows()
    for values in found:
        rows.add({name: v for name, v in zip(names, values, strict=True) if name})
    yield rows.run()


def _value(cell: str) -> float:
    value = number(cell)
    return np.nan if value is None else value


def _has_f1(table: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    """Is F1 where later releases have the mAP over many thresholds? YOLOv3 had it there."""
    precision, recall, _, last = table[:, 7:11].T
    total = precision + recall
    known = total > 0
    if not known.any():
        return False
    f1 = 2 * precision[known] * recall[known] / total[known]
    return bool(np.median(np.abs(last[known] - f1) / f1.clip(1e-9)) < _NEAR)


FORMAT = LogFormat("yolo_results", _recognise, _read, order=103)
