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


# As frameworks write them: Lightning, LightGBM, XGBoost, Transformers, scikit-learn, torchmetrics,
# MMEngine, Detectron2, Ultralytics, timm, Keras, RLlib, Stable-Baselines3, TRL, recommenders, ...
FRAMEWORKS_LOWER = """
val_loss/dataloader_idx_0; val_loss_epoch; val_loss_epoch/dataloader_idx_1; train_loss_step;
valid_0_binary_logloss; valid_0's binary_logloss; valid_1_multi_logloss; validation_0-logloss;
validation_1-mlogloss; valid_0_l2; valid_0-l1; training_rmse; test-rmse-mean; test_logloss_mean;
eval_loss; eval/loss; neg_log_likelihood; val_neg_log_likelihood; neg_log_likelihood_loss;
negative_log_likelihood_loss; val/nll; neg_elbo; val/box_loss; val/cls_loss; val/dfl_loss;
eval_perplexity; val_ppl; word_perplexity; test/wer; eval_cer; val_fid; fid50k_full; FID;
kid50k_full; val_lpips; val/rmse; MAE; RMSE; mean_absolute_error;
val_mean_absolute_percentage_error; sMAPE; MASE; total_loss; Loss/val; losses/val; loss_bbox;
loss_cls; train/loss_ce; val/loss_bbox; d_loss; g_loss; Validation Loss; test_err; top1_err;
hamming_loss; MPJPE; PA-MPJPE; EPE; val_bpb; bits_per_byte; hd95; fpr@95; FPR95;
eval_wikitext_loss; valid_nll_loss; davies_bouldin_score; avg_loss_1; error@1; minDCF;
loss_rpn_cls; val_loss_total; MeanSquaredError; val_MeanAbsoluteError; NegLogLikelihood;
val_cross_entropy; Loss_Total; val_output_1_loss; losses/val_loss; loss/dataloader_idx_0;
training_mean_squared_error; valid_0_mape; validation_0-mae; quantile_loss; val_CTCLoss;
kl_div; val/kl_div; train_KLDiv; average_kl; elbo_loss
"""

FRAMEWORKS_HIGHER = """
AverageEpRet; EpRet; hit_ratio; val/hit_ratio@10; kappa; val/kappa;
coco/bbox_mAP; coco/bbox_mAP_50; coco/segm_mAP; bbox_mAP; pascal_voc/mAP; val/mAP@0.5; map_50;
map_75; map_small; mar_100; mAP50-95; val/mAP50-95; mAP_0.5:0.95; eval_top1; eval_top5;
accuracy_top-1; accuracy/top1; top1_acc; metrics/mAP50-95(B); metrics/mAP50(M);
metrics/accuracy_top1; metrics/accuracy_top5; val_auroc; val/auroc_macro; BinaryAUROC;
val_MulticlassAUROC; valid_0_auc; validation_0-auc; validation_0-aucpr; validation_1-map;
valid_0-ndcg@5; valid_0_ndcg@10; eval-map@5; eval_ndcg@10; ndcg_at_10; NDCG@10; MRR@10; HR@10;
hr@10; hit@10; hits@1; hits_at_k; Recall@20; recall@k; recall_at_5; R@1; P@5; val/R@10;
precision@5; MAP@10; eval_bleu; BLEU-4; Bleu_4; ROUGE-L; rouge_l; rouge1_fmeasure;
rougeL_fmeasure; rougeLsum; CIDEr; chrF; macro_f1; val_weighted_f1; f1-score; F1Score;
val_BinaryF1Score; val_MulticlassF1Score; MulticlassAccuracy; eval_accuracy;
eval_matthews_correlation; eval_pearson; eval_spearmanr; eval_exact_match; eval_squad_f1; mIoU;
val/mIoU; mean_iou; IoU/val; mDice; mFscore; aAcc; mAcc; DSC; jaccard_index; PSNR; val/ssim;
MS-SSIM; val_r2; R2Score; explained_variance; neg_mean_squared_error;
neg_root_mean_squared_error; test_neg_mean_absolute_error; val_neg_log_loss; neg_brier_score;
neg_mean_absolute_percentage_error; neg_median_absolute_error; neg_mean_poisson_deviance;
neg_mean_gamma_deviance; neg_max_error; neg_root_mean_squared_log_error; balanced_accuracy;
average_precision; roc_auc_ovr; top_k_accuracy; adjusted_rand_score;
normalized_mutual_info_score; v_measure_score; silhouette_score; episode_reward_mean;
env_runners/episode_return_mean; rollout/ep_rew_mean; eval/mean_reward; charts/episodic_return;
average_return; rollout/success_rate; rewards/accuracies; eval_rewards/accuracies;
rewards/margins; eval_mean_token_accuracy; humaneval/pass@1; pass_at_1; acc_norm; acc,none;
si_snr; AP50; APs; bbox/APl; bbox/AP-person; bbox/AP-baby bed; segm/AP; AR@100; HOTA; nds;
concordance_index; c_index; clip_score; Acc@1; acc1; val_acc5; prec@1; Prec@1;
test_acc/dataloader_idx_1; val_accuracy_1; val_auc_3; single-label/f1-score; validation_LAS;
val_dice; dice_score; d2_absolute_error_score; kendall_tau; val_f1/dataloader_idx_0;
test_map@10; validation_0-ndcg
"""

FRAMEWORKS_DOUBTFUL = """
test-rmse-std; val_acc_std; neg_score; neg_loss; neg_accuracy; neg_f1; accuracy_gap;
score_org_avg; max_error; is; hr; eval_runtime; eval_samples_per_second; total_flos;
rewards/chosen; rewards/rejected; entropy; policy_entropy; clip_fraction; ep_len_mean; time/fps;
loss_ratio; loss_scale; loss_weight; loss_fn; loss_std; mean_test_score; feature_map;
attention_mAPs; half_prec; valid_0_custom; val_loss_ratio/dataloader_idx_0; dataloader_idx_0; r;
p; acc_pose; reward_std; loss_cls_std; best_val_loss; neg_pairs; 1-mAP; one_minus_mAP; mAP_gap;
mAP_std; no_hits@10; missed_R@1; loss_cls_weight; lr/dataloader_idx_0; pos_loss_ratio; StdEpRet;
MinEpRet; elbo_validation; val_elbo; num_errors; neg; rewards/std; k; at_k; grad_loss_cls
"""


def names(table: str) -> list[str]:
    return [" ".join(name.split()) for name in table.split(";")]


@pytest.mark.parametrize("name", [*LOWER.split(), *names(FRAMEWORKS_LOWER)])
def test_lower_is_better(name: str) -> None:
    assert direction(name, "auto", "Best") == "min"


@pytest.mark.parametrize(
    "name", [*HIGHER.split(), *names(FRAMEWORKS_HIGHER), "coco/AP (M)", "Val Accuracy"]
)
def test_higher_is_better(name: str) -> None:
    assert direction(name, "auto", "Best") == "max"


@pytest.mark.parametrize("name", [*DOUBTFUL.split(), *names(FRAMEWORKS_DOUBTFUL), " ", "損失"])
def test_an_ambiguous_name_requires_a_mode(name: str) -> None:
    with pytest.raises(es.RuleError, match=r"cannot be told from its name: pass mode="):
        direction(name, "auto", "Best")
    assert direction(name, "min", "Best") == "min"
    assert direction(name, "max", "Best") == "max"


def test_a_given_mode_beats_the_name() -> None:
    # Real logs hold an "accuracy" that is an error, and a "loss" that is a score.
    assert es.Best("accuracy", mode="min").mode == "min"
    assert es.Best("accuracy").mode == "max"


@pytest.mark.parametrize(
    "decorated",
    ["val_{}", "{}_epoch", "eval/{}", "{}/dataloader_idx_3", "val_{}_step/dataloader_idx_0"],
)
@pytest.mark.parametrize("name", ["loss", "accuracy", "mAP", "wer", "ndcg@10", "learning_rate"])
def test_what_frameworks_put_around_a_name_does_not_change_its_direction(
    decorated: str, name: str
) -> None:
    def told(monitor: str) -> str:
        try:
            return direction(monitor, "auto", "Best")
        except es.RuleError:
            return "asks"

    assert told(decorated.format(name)) == told(name)
