"""Which direction is better: taken from the name, or given as the mode."""

from __future__ import annotations

import pytest

import earlystop as es
from earlystop.language.direction import direction

LOWER = """
trainMSELoss testError l1 val_l2
loss val_loss valLoss eval/loss eval_loss train/box_loss out1_loss val_out1_loss loss/valid
loss_epoch validation/ctc_loss topology_loss stop_error prediction_error accuracy_error rmse
val_mean_squared_error mae val_wer test.cer perplexity ppl val_nll negative_log_likelihood
mlogloss val_log_loss cross_entropy eval_runs/loss train_gen_loss top_5_error fid
brier_score dice_loss Loss val-loss Valid_Loss error_rate valid_0-logloss validation_0-rmse
nme KL_divergence
"""

HIGHER = """
valAUC valF1Score images/mAP eval/return success pass@10 val_map train/mAP50
acc accuracy val_acc val_accuracy Accuracy sparse_categorical_accuracy binary_accuracy auc
val_auc test.auc roc_auc ROC_AUC metrics/mAP50-95(B) metrics/mAP_0.5:0.95 metrics/mAP_0.5
mAP metrics/precision(B) metrics/recall(M) f1 val_f1 f1_score f1_macro r2 val_r2_score iou
miou val_mean_io_u dice_coef bleu validation/bleu rouge1 rougeL ndcg@5 hits@10 recall@20
psnr ssim episode_reward_mean ep_rew_mean mean_reward exact_match top5 top5_acc
top_5_accuracy task_2_accuracy neg_mean_squared_error custom_f1
validation/mean_average_precision cosine_similarity mcc eval_f1
"""

DOUBTFUL = """
time_to_success steps_to_success epochs_without_success time_to_return cost_per_reward failed_pass
no_pass missed_recall lost_hits attention_map memory_map param_l1 gap/accuracy
gap_mean lr learning_rate time epoch score val_score my_metric 1-accuracy val_1-accuracy
one_minus_auc acc_std loss_std loss_scale grad_norm neg_accuracy loss_ratio accuracy_drop
delta_loss elapsed_seconds params fitness elbo runtime samples_per_second weight_norm
num_error best_loss
"""


@pytest.mark.parametrize("name", LOWER.split())
def test_lower_is_better(name: str) -> None:
    assert direction(name, "auto", "Best") == "min"


@pytest.mark.parametrize("name", [*HIGHER.split(), "coco/AP (M)", "Val Accuracy"])
def test_higher_is_better(name: str) -> None:
    assert direction(name, "auto", "Best") == "max"


@pytest.mark.parametrize("name", [*DOUBTFUL.split(), " ", "損失"])
def test_an_ambiguous_name_requires_a_mode(name: str) -> None:
    with pytest.raises(es.RuleError, match=r"cannot be told from its name: pass mode="):
        direction(name, "auto", "Best")
    assert direction(name, "min", "Best") == "min"
    assert direction(name, "max", "Best") == "max"


def test_a_given_mode_beats_the_name() -> None:
    # Real logs hold an "accuracy" that is an error, and a "loss" that is a score.
    assert es.Best("accuracy", mode="min").mode == "min"
    assert es.Best("accuracy").mode == "max"
