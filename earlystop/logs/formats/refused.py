"""Files that are found next to logs but hold no history; the refusal says what they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..log_format import LogFormat
from ..run import Run
from ..source import Source

__all__ = ["FORMAT"]

_MAGIC = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (weights, say)"),
    (b"PK\x03\x04", "a zip archive (of weights, say): unpack it first"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"%PDF", "a PDF document"),
    (b"\x80\x02", "a Python pickle: not read, since reading it may execute anything"),
    (b"\x80\x03", "a Python pickle: not read, since reading it may execute anything"),
    (b"\x80\x04", "a Python pickle: not read, since reading it may execute anything"),
    (b"\x80\x05", "a Python pickle: not read, since reading it may execute anything"),
    (b"BZh", "packed with bzip2: unpack it first"),
    (b"\xfd7zXZ", "packed with xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed with zstandard: unpack it first"),
)  # fmt: skip


def _reason(log: Source) -> str | None:
    if log.value is not None:
        return None
    head = log.head
    if not head.strip():
        return "only blanks" if len(head) > 1024 else "the file is empty"
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    if head.startswith(b"version https://git-lfs"):
        return (
            "a Git LFS pointer, which stands for a file that is not here: fetch it with "
            "`git lfs pull`"
        )
    return _reason_of_text(log)


def _reason_of_text(log: Source) -> str | None:
    if "artifact_" in log.text and _is_mlflow_meta(log.first_lines):
        return "a description (meta.yaml) of MLflow: the metrics are in the folder next to it"
    records = log.first_records
    if not records:
        document = log.document
        records = [document] if isinstance(document, dict) else []
    if not records:
        return None
    first = records[0]
    if all(_is_system(record) for record in records):
        return (
            "the system metrics of Weights & Biases (wandb-events.jsonl): how busy the machine "
            "was, not how training went"
        )
    if len(records) == 1 and not log.has_lines and _is_summary(first):
        return (
            "a summary of Weights & Biases (wandb-summary.json): only the last values, no history"
        )
    return None


def _is_mlflow_meta(lines: list[str]) -> bool:
    keys = {line.split(":", 1)[0].strip() for line in lines if ":" in line}
    return ("artifact_uri" in keys and bool(keys & {"run_id", "run_uuid"})) or (
        keys >= {"artifact_location", "experiment_id", "lifecycle_stage"}
    )


def _is_system(record: Any) -> bool:
    names = [name for name in record if not str(name).startswith("_")]
    return bool(names) and all(str(name).startswith("system.") for name in names)


def _is_summary(record: Any) -> bool:
    if "_wandb" in record:
        return True
    own = {"_step", "_runtime", "_timestamp"} & set(record)
    return len(own) > 1 and not any(isinstance(value, list) for value in record.values())


def _read(log: Source) -> Iterator[Run]:
    raise log.wrong(f"expected a log of metrics, got {_reason(log)}", not_a_log=True)


FORMAT = LogFormat("refused", lambda log: _reason(log) is not None, _read, order=10)
