"""What training tools print to the console."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import earlystop as es
from tests.logs.reading import logged, read, write

XGBOOST = "[0]\ttrain-rmse:1.50\tvalid-rmse:1.75\n[1]\ttrain-rmse:1.25\tvalid-rmse:1.5\n"
XGBOOST_CV = (
    "[0]\ttrain-auc:0.50+0.01\ttest-auc:0.45+0.02\n[1]\ttrain-auc:0.60+0.01\ttest-auc:0.5+0.02\n"
)
LIGHTGBM = """\
[LightGBM] [Info] Total Bins 1234
[1]\ttraining's l2: 1.5\tvalid_1's l2: 1.75
Training until validation scores don't improve for 5 rounds
[2]\ttraining's l2: 1.25\tvalid_1's l2: 1.5
"""
CATBOOST = """\
Learning rate set to 0.1
0:\tlearn: 0.69\ttest: 0.70\tbest: 0.70 (0)\ttotal: 50ms\tremaining: 5s
10:\tlearn: 0.50\ttest: 0.60\tbest: 0.60 (10)\ttotal: 90ms\tremaining: 4s
"""
KERAS = """\
Epoch 1/2
\r1/2 [====>....] - ETA: 1s - loss: 0.9\r2/2 [=======] - 1s 5ms/step - loss: 0.8\
\r2/2 [=======] - 2s 9ms/step - loss: 0.75 - accuracy: 0.5 - val_loss: 1.0 - val_accuracy: 0.25
Epoch 2/2
\x1b[1m2/2\x1b[0m \x1b[32m---\x1b[0m \x1b[1m0s\x1b[0m 9ms/step - accuracy: 0.75 - loss: 0.5 - \
val_loss: 0.9
"""
NNUNET = """\
2024-01-01 10:00:00.000001: Epoch 0
2024-01-01 10:00:00.000002: Current learning rate: 0.01
2024-01-01 10:01:00.000001: train_loss 0.5
2024-01-01 10:01:00.000002: val_loss 0.25
2024-01-01 10:01:00.000003: Pseudo dice [0.5, 0.75]
2024-01-01 10:01:00.000004: Epoch time: 60.1 s
2024-01-01 10:01:00.000005: Yayy! New best EMA pseudo Dice: 0.625
2024-01-01 10:01:01.000001: Epoch 1
2024-01-01 10:02:00.000001: train_loss 0.25
2024-01-01 10:02:00.000002: val_loss 0.125
2024-01-01 10:02:00.000003: Pseudo dice [nan, 0.5]
"""
NNUNET_1 = """\
2022-01-01 10:00:00.000001:
epoch:  0
2022-01-01 10:01:00.000001: train loss : -0.5
2022-01-01 10:01:00.000002: validation loss: -0.25
2022-01-01 10:01:00.000003: Average global foreground Dice: [0.75]
2022-01-01 10:01:00.000004: lr: 0.01
2022-01-01 10:01:00.000005:
epoch:  1
2022-01-01 10:02:00.000001: train loss : -0.75
2022-01-01 10:02:00.000002: validation loss: -0.5
2022-01-01 10:02:00.000003: Average global foreground Dice: [0.875]
"""
YOLOX = """\
2021-01-01 | INFO | trainer:1 - epoch: 1/2, iter: 10/20, mem: 100Mb, iter_time: 0.2s, data_time: \
0.0s, total_loss: 8.5, iou_loss: 3.5, lr: 1.000e-03, size: 640, ETA: 0:01:00
2021-01-01 | INFO | trainer:1 - epoch: 1/2, iter: 20/20, mem: 100Mb, iter_time: 0.2s, data_time: \
0.0s, total_loss: 7.5, iou_loss: 3.0, lr: 1.000e-03, size: 640, ETA: 0:01:00
 Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.125
 Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 0.250
2021-01-01 | INFO | trainer:1 - epoch: 2/2, iter: 10/20, mem: 100Mb, iter_time: 0.2s, data_time: \
0.0s, total_loss: 6.5, iou_loss: 2.5, lr: 1.000e-03, size: 640, ETA: 0:01:00
"""
DARKNET = """\
 1: 600.5, 600.5 avg loss, 0.001 rate, 2.1 seconds, 64 images, 1.5 hours left
 2: 500.5, 590.5 avg loss, 0.001 rate, 2.1 seconds, 128 images, 1.5 hours left
 mean average precision (mAP@0.50) = 0.625, or 62.50 %
"""
NANOGPT = """\
number of parameters: 10.65M
step 0: train loss 4.25, val loss 4.5
iter 0: loss 4.2, time 100.00ms, mfu -100.00%
iter 10: loss 3.2, time 10.00ms, mfu 5.00%
step 20: train loss 3.25, val loss 3.5
"""
CAFFE = """\
I0101 10:00:00.1  100 solver.cpp:266] Iteration 0, Testing net (#0)
I0101 10:00:01.1  100 solver.cpp:315]     Test net output #0: accuracy = 0.125
I0101 10:00:01.1  100 solver.cpp:315]     Test net output #1: loss = 4.5 (* 1 = 4.5 loss)
I0101 10:00:02.1  100 solver.cpp:189] Iteration 0 (0 iter/s, 6.7s/10 iters), loss = 4.75
I0101 10:00:02.1  100 solver.cpp:204]     Train net output #0: loss = 4.25 (* 1 = 4.25 loss)
I0101 10:00:02.1  100 sgd_solver.cpp:106] Iteration 0, lr = 0.01
I0101 10:01:00.1  100 solver.cpp:266] Iteration 40, Testing net (#0)
I0101 10:01:01.1  100 solver.cpp:315]     Test net output #0: accuracy = 0.25
I0101 10:01:01.1  100 solver.cpp:315]     Test net output #1: loss = 2.5 (* 1 = 2.5 loss)
I0101 10:01:02.1  100 solver.cpp:189] Iteration 40, loss = 3.75
"""
JOEYNMT = """\
2020-01-01 10:00:00 Epoch   1, Step:      100, Batch Loss:     4.5, Tokens per Sec:     1000, \
Lr: 0.0002
2020-01-01 10:00:09 Validation result (greedy) at epoch   1, step      100: bleu:   1.50, loss: \
3200.5, ppl:   4.25, duration: 6.5s
2020-01-01 10:01:00 Epoch   1, Step:      200, Batch Loss:     3.5, Tokens per Sec:     1000, \
Lr: 0.0002
2020-01-01 10:01:09 Validation result (greedy) at epoch   1, step      200: bleu:   2.50, loss: \
3100.5, ppl:   4.00, duration: 6.5s
"""
JOEYNMT_TABLE = """\
Steps: 100\tLoss: 9.5\tPPL: 4.5\tbleu: 1.5\tLR: 0.0002\t*
Steps: 200\tLoss: 8.5\tPPL: 4.0\tbleu: 2.5\tLR: 0.0002\t*
"""
FAIRSEQ = """\
| epoch 001:    450 / 1891 loss=11.5, ppl=1886.05, wps=900, num_updates=445, lr=0.001
| epoch 001 | loss 9.5 | nll_loss 8.5 | ppl 400.5 | num_updates 600 | lr 0.001 | clip 0% | wall 90
| epoch 001 | valid on 'valid' subset | valid_loss 8.25 | valid_ppl 118.5 | num_updates 600
2020-01-01 10:00:00 | INFO | train | epoch 002 | loss 8.5 | ppl 300.5 | num_updates 1200 | lr 0.001
2020-01-01 10:00:00 | INFO | valid | epoch 002 | valid on 'valid' subset | loss 7.25 | ppl 99.5 \
| num_updates 1200 | best_loss 7.25
"""
FAIRSEQ_JSON = """\
[2021-01-01 10:00:00,000][train][INFO] - {"epoch": 1, "train_loss": "9.5", "train_lr": "0.001"}
[2021-01-01 10:00:00,000][valid][INFO] - {"epoch": 1, "valid_loss": "8.25"}
[2021-01-01 10:01:00,000][train][INFO] - {"epoch": 2, "train_loss": "8.5", "train_lr": "0.001"}
[2021-01-01 10:01:00,000][valid][INFO] - {"epoch": 2, "valid_loss": "7.25"}
"""
MLPERF = """\
:::MLLOG {"namespace": "", "time_ms": 1, "event_type": "POINT_IN_TIME", "key": "seed", "value": \
5, "metadata": {"lineno": 1}}
:::MLLOG {"namespace": "", "time_ms": 2, "event_type": "POINT_IN_TIME", "key": "eval_accuracy", \
"value": 0.25, "metadata": {"lineno": 2, "epoch_num": 1}}
:::MLLOG {"namespace": "", "time_ms": 3, "event_type": "POINT_IN_TIME", "key": "eval_accuracy", \
"value": 0.5, "metadata": {"lineno": 2, "epoch_num": 2}}
"""
MLPERF_0 = """\
:::MLPv0.5.0 resnet 1541000000.1 (train.py:10) eval_accuracy: {"epoch": 1, "value": 0.25}
:::MLPv0.5.0 resnet 1541000001.1 (train.py:10) eval_accuracy: {"epoch": 2, "value": 0.5}
"""
MXNET = """\
INFO:root:Epoch[0] Batch [100]\tSpeed: 900.10 samples/sec\taccuracy=0.250000
INFO:root:Epoch[0] Train-accuracy=0.375000
INFO:root:Epoch[0] Time cost=1.494
INFO:root:Epoch[0] Validation-accuracy=0.500000
INFO:root:Epoch[1] Batch [100]\tSpeed: 900.10 samples/sec\taccuracy=0.500000
INFO:root:Epoch[1] Train-accuracy=0.625000
INFO:root:Epoch[1] Validation-accuracy=0.750000
"""
PIX2PIX = """\
================ Training Loss (Mon Jan  1 10:00:00 2024) ================
(epoch: 1, iters: 100, time: 0.857, data: 2.929) D_A: 0.125 cycle_A: 1.500 \n\
(epoch: 1, iters: 200, time: 0.861, data: 0.000) D_A: 0.250 cycle_A: 1.250 \n\
(epoch: 2, iters: 100, time: 0.861, data: 0.000) D_A: 0.375 cycle_A: 1.000 \n\
"""

EXPECTED = [
    ("MXNet", MXNET, {"Validation-accuracy": [0.5, 0.75], "Train-accuracy": [0.375, 0.625]}),
    ("pix2pix", PIX2PIX, {"D_A": [0.125, 0.25, 0.375], "cycle_A": [1.5, 1.25, 1.0]}),
    ("XGBoost", XGBOOST, {"train-rmse": [1.5, 1.25], "valid-rmse": [1.75, 1.5]}),
    ("XGBoost", XGBOOST_CV, {"test-auc": [0.45, 0.5], "test-auc-std": [0.02, 0.02]}),
    ("LightGBM", LIGHTGBM, {"training's l2": [1.5, 1.25], "valid_1's l2": [1.75, 1.5]}),
    ("CatBoost", CATBOOST, {"learn": [0.69, 0.5], "test": [0.7, 0.6]}),
    ("Keras", KERAS, {"loss": [0.75, 0.5], "accuracy": [0.5, 0.75], "val_loss": [1.0, 0.9]}),
    ("nnU-Net", NNUNET, {"val_loss": [0.25, 0.125], "Pseudo dice": [0.625, 0.5], "lr": [0.01]}),
    ("nnU-Net", NNUNET, {"Pseudo dice/1": [0.75, 0.5], "best_ema_pseudo_dice": [0.625]}),
    ("nnU-Net", NNUNET_1, {"train_loss": [-0.5, -0.75], "val_loss": [-0.25, -0.5]}),
    ("nnU-Net", NNUNET_1, {"Average global foreground Dice": [0.75, 0.875], "lr": [0.01]}),
    ("YOLOX", YOLOX, {"total_loss": [8.5, 7.5, 6.5], "val/AP50_95": [0.125], "val/AP50": [0.25]}),
    ("Darknet", DARKNET, {"avg_loss": [600.5, 590.5], "loss": [600.5, 500.5], "mAP@0.50": [0.625]}),
    ("nanoGPT", NANOGPT, {"val/loss": [4.5, 3.5], "train/loss": [4.25, 3.25], "loss": [4.2, 3.2]}),
    ("Caffe", CAFFE, {"test/accuracy": [0.125, 0.25], "test/loss": [4.5, 2.5], "lr": [0.01]}),
    ("Caffe", CAFFE, {"loss": [4.75, 3.75], "train/loss": [4.25]}),
    ("JoeyNMT", JOEYNMT, {"valid/bleu": [1.5, 2.5], "train/Batch Loss": [4.5, 3.5]}),
    ("JoeyNMT", JOEYNMT_TABLE, {"valid/bleu": [1.5, 2.5], "valid/PPL": [4.5, 4.0]}),
    ("fairseq", FAIRSEQ, {"valid/loss": [8.25, 7.25], "train/loss": [9.5, 8.5]}),
    ("fairseq", FAIRSEQ_JSON, {"valid_loss": [8.25, 7.25], "train_loss": [9.5, 8.5]}),
    ("MLPerf", MLPERF, {"eval_accuracy": [0.25, 0.5]}),
    ("MLPerf", MLPERF_0, {"eval_accuracy": [0.25, 0.5]}),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "text", "expected"), EXPECTED)
def test_what_a_tool_prints_is_read_as_it_is(
    tool: str, text: str, expected: dict[str, list[float]]
) -> None:
    history = read(text)
    assert history.runs == 1
    assert {name: logged(history, name) for name in expected} == expected
    assert set(history.coordinates) <= {"epoch", "iteration", "iter", "iters", "batch", "step"}
    assert tool in str(history.report)


def test_validation_stands_in_the_row_of_its_epoch() -> None:
    for text in (NNUNET, FAIRSEQ_JSON, FAIRSEQ, KERAS):
        assert read(text).lengths.tolist() == [2]
    caffe = read(CAFFE)
    assert caffe.lengths.tolist() == [2]
    assert caffe.coordinates["iteration"].tolist() == [[0, 40]]


def test_what_is_printed_around_the_lines_does_not_matter() -> None:
    noise = "Using TensorFlow backend\nwarning: x = 5\n[INFO] done\n"
    for _, text, expected in EXPECTED:
        history = read(noise + text.replace("\n", "\n\n") + "Finished in 3.5 s\n")
        assert {name: logged(history, name) for name in expected} == expected


def test_a_second_training_in_the_same_output_is_a_second_run() -> None:
    history = read(XGBOOST + XGBOOST)
    assert history.runs == 2


@pytest.mark.parametrize(
    "text",
    [
        "[0] 5\n[1] 6\n",
        "Epoch 1/10\nsome words\n",
        "loss - 5\nepoch one\n",
        "solver.cpp: a file of Caffe\n",
    ],
)
def test_other_text_is_refused_with_the_way_to_read_it(text: str) -> None:
    with pytest.raises(es.LogError, match=r"pattern=|no values"):
        es.read_history(io.StringIO(text))


def test_in_a_folder_the_output_of_a_run_counts_only_without_another_log(tmp_path: Path) -> None:
    write(tmp_path / "a" / "train.log", NNUNET)
    assert es.read_history(tmp_path).names == ("train",)
    write(tmp_path / "b" / "stdout.txt", NNUNET)
    write(tmp_path / "b" / "logs" / "metrics.csv", "epoch,val_loss\n0,0.25\n1,0.125\n")
    history = es.read_history(tmp_path)
    assert history.names == ("a/train", "b/logs/metrics")
    assert "beside another log" in str(history.report)
    assert es.read_history(tmp_path / "b" / "stdout.txt").runs == 1


def test_a_header_of_cyclegan_begins_a_run_where_its_counters_fall_back_to_the_start() -> None:
    header = PIX2PIX.splitlines()[0]
    going_on = PIX2PIX.replace("epoch: 2", "epoch: 4").replace("epoch: 1", "epoch: 3")
    history = read(header + "\n" + PIX2PIX + going_on + PIX2PIX)
    assert history.lengths.tolist() == [6, 3]
    assert logged(history, "D_A") == [0.125, 0.25, 0.375] * 2


def test_the_log_of_a_net_that_caffe_describes_at_length_is_one_of_caffe() -> None:
    begin = "I0101 10:00:00.000001  1 solver.cpp:48] Initializing solver from parameters:\n"
    layers = 'layer {\n  name: "conv"\n}\n' * 4000
    assert logged(read(begin + layers + CAFFE), "loss") == [4.75, 3.75]


def test_nets_that_caffe_tests_one_after_the_other_are_told_apart() -> None:
    text = "I0101 1 solver.cpp:226] Initializing solver from parameters\n"
    for iteration in (0, 40, 80):
        for net in (0, 1):
            text += f"I0101 1 solver.cpp:270] Iteration {iteration}, Testing net (#{net})\n"
            text += f"I0101 1 solver.cpp:319]     Test net output #0: acc = {iteration + net}\n"
        text += f"I0101 1 solver.cpp:189] Iteration {iteration}, loss = 0.5\n"
    history = read(text)
    assert logged(history, "test/acc") == [0, 40, 80]
    assert logged(history, "test1/acc") == [1, 41, 81]
    assert history.coordinates["iteration"].tolist() == [[0, 40, 80]]
