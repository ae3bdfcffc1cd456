"""A small log of every format, and other things that the library reads back."""

from __future__ import annotations

import gzip
import io
import json

import numpy as np
import pyarrow
import pyarrow.feather
import pyarrow.parquet

from tests.support.event_files import event_file
from tests.support.wandb_files import wandb_file

__all__ = ["samples"]


def samples() -> list[bytes]:
    """A log of every format that one file may have."""
    epochs = range(12)
    table = "".join(f"{e},{1 / (e + 1)},{'' if e % 2 else 2.5}\n" for e in epochs)
    long = "".join(f"{e // 2},{('train', 'val')[e % 2]},loss,{e}.5\n" for e in epochs)
    records = [{"epoch": e, "iter": e, "step": e, "loss": 1 / (e + 1)} for e in epochs]
    columns = {"loss": [1 / (e + 1) for e in epochs], "val_loss": [None, *range(11)]}
    npz = io.BytesIO()
    np.savez_compressed(npz, timesteps=np.arange(12), results=np.ones((12, 2)))
    npy = io.BytesIO()
    np.save(npy, np.arange(12.0))
    parquet = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), parquet)
    columns_npy, feather, npz = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez_compressed(npz, timesteps=np.arange(12), results=np.ones((12, 3)))
    np.save(columns_npy, np.array([(e, 1 / (e + 1)) for e in epochs], "i8,<f4"))
    labelled = {**columns, "run": ["a" if e < 6 else "b" for e in epochs]}
    pyarrow.feather.write_feather(pyarrow.table(labelled), feather, compression="zstd")
    observations = [{"value": [1 / (e + 1)], "step": e} for e in epochs]
    catboost = {
        "meta": {"learn_metrics": [{"name": "RMSE", "best_value": "Min"}]},
        "iterations": [{"learn": [1.0], "iteration": e} for e in epochs],
    }
    documents = [
        columns,
        records,
        {"log_history": records},
        {"id": "a", "x": [*epochs], "metrics": {n: {"y": y} for n, y in columns.items()}},
        {"valid": columns, "train": columns},
        {"history": columns, "config": {"lr": 0.1}},
        {str(e): {"loss": 1 / (e + 1)} for e in epochs} | {"11": {"loss": "0.5"}},
        [{"about": 1}, {"GBM": [["accuracy"], [[columns["loss"]] * 2]]}],
        [{**record, "batches": []} for record in records],
        catboost,
        {str(e): 1 / (e + 1) for e in epochs},
        {"training": {"combined": columns}, "validation": {"combined": {"loss": columns["loss"]}}},
        {"trial_id": "0", "metrics": {"metrics": {"loss": {"observations": observations}}}},
        {"epoch": 3, "training_loss": 0.5, "validation_loss": 0.75, "best_epoch": 2},
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    chart = "Step,a - loss,a - loss__MIN\n" + "".join(f"{e},{e},{e}\n" for e in epochs)
    return [
        f"epoch,loss,val_loss\n{table}".encode(),
        f"epoch;loss;val_loss\r\n{table}".replace(",", ";").encode("utf-16"),
        f"epoch,set,metric,value\n{long}".encode(),
        "".join(
            f'{{"epoch": {e // 2}, "cv_fold": {e % 2}, "loss": "0.{e}"}}\n' for e in epochs
        ).encode(),
        lines.encode(),
        "".join(
            f'{{"op_code": 7, "worker_id": "a", "trial_id": 0, "step": {e}, '
            f'"intermediate_value": 0.{e}}}\n'
            for e in epochs
        ).encode(),
        "".join(f'{{"iteration": {e}, "loss": 0.{e}}}\n' for e in epochs).encode(),
        "".join(
            f"{'-' * 20}\n| epoch | {e}    |\n| loss  | 0.{e}  |\n{'-' * 20}\n" for e in epochs
        ).encode(),
        gzip.compress(lines.encode()),
        chart.encode(),
        "".join(f"{1600000000000 + e} 0.{e} {e}\n" for e in epochs).encode(),
        event_file([(0.0, e, "loss", 1.0) for e in epochs]),
        event_file([(0.0, e, "loss", 1.0) for e in epochs], as_tensor=True),
        wandb_file({"epoch": e, "val/loss": 1 / (e + 1), "x/_type": "image"} for e in epochs),
        npy.getvalue(),
        npz.getvalue(),
        parquet.getvalue(),
        columns_npy.getvalue(),
        feather.getvalue(),
        gzip.compress(feather.getvalue()),
        "".join(f"epoch {e}: loss={e}\n" for e in epochs).encode(),
        "".join(f"[{e}]\ttrain-rmse:0.{e}\tvalid-rmse:1.{e}\n" for e in epochs).encode(),
        "".join(
            f"Epoch {e}/12\n9/9 - 1s - loss: 0.{e} - val_loss: 1.{e}\n" for e in epochs
        ).encode(),
        "".join(
            "Epoch gpu_mem box obj cls labels img_size\n"
            f" {e}/11 1.5G 0.{e} 0.25 0 9 640: 50%\r {e}/11 1.5G 0.{e} 0.5 0 9 640: 100%\n"
            f"Class Images Labels P R mAP@.5 mAP@.5:.95: 100%\n all 9 9 0.5 0.{e} 0.25 0.1\n"
            for e in epochs
        ).encode(),
        "".join(f"  {e}/11 1.5G .5 .5 0 1 9 640 .5 .{e} .5 .2 1 2 0\n" for e in epochs).encode(),
        b"Wall time,Step,Value\n" + "".join(f"{1.6e9 + e},{e},0.{e}\n" for e in epochs).encode(),
        json.dumps([[1.6e9 + e, e, 1 / (e + 1)] for e in epochs]).encode(),
        *(json.dumps(document).encode() for document in documents),
    ]
