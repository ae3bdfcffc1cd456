"""The words of the names of metrics: what is better lower or higher, and what says nothing.

Phrases are separated by commas, words by blanks. `direction.py` reads names with them.
"""

from __future__ import annotations

__all__ = [
    "ALONE",
    "DECORATION",
    "DOUBT",
    "HIGHER_IS_BETTER",
    "LOSS_PARTS",
    "LOWER_IS_BETTER",
    "NEGATED_ERRORS",
]

LOWER_IS_BETTER = """
    loss, losses, error, errors, err, cost, error rate, err rate, misclassification, merror
    mse, mae, rmse, rmsle, msle, mape, smape, mase, medae, nrmse, nmse
    nme, mpjpe, epe, rse, ade, fde
    mean squared error, mean absolute error, root mean squared error, mean squared log error
    root mean squared log error, mean poisson deviance, mean gamma deviance
    mean squared logarithmic error, mean absolute percentage error, median absolute error, l1, l2
    log loss, logloss, mlogloss, multi logloss, binary logloss
    nll, nll loss, negative log likelihood, negative log likelihood loss, negative log prob
    neg log likelihood, neg log likelihood loss, neg log prob, neg ll, negative elbo, neg elbo
    cross entropy, crossentropy, ce, bce, xent, hinge, squared hinge, categorical hinge
    kl, kld, kl div, kldiv, kl divergence, kullback leibler divergence
    poisson, huber, log cosh, logcosh, deviance
    perplexity, ppl, bpc, bpb, bpd, bits per char, bits per byte, bits per dim
    wer, cer, word error rate, char error rate, character error rate, edit distance
    fid, fid50k, fid10k, fid5k, fid50k full, kid, kid50k, kid50k full, lpips, eer
    equal error rate, fpr, fnr, false positive rate, false negative rate
    brier, brier score, brier loss, ece, hamming, hamming loss, quantile, pinball, crps, regret
    davies bouldin score, min dcf, hd95, assd, chamfer, hausdorff, mcd, rmsd, abs rel, sq rel
"""

HIGHER_IS_BETTER = """
    acc, accuracy, accuracies, acc norm, prec, accuracy top, acc top, balanced accuracy
    top k accuracy, top k acc, top
    auc, auroc, roc auc, roc auc score, auc roc, auprc, aucpr, pr auc, auc pr, area under curve
    ap, ar, map, mar, mean average precision, average precision, mean average recall
    map small, map medium, map large, mar small, mar medium, mar large, nds
    precision, recall, specificity, sensitivity, tpr, tnr, ppv, npv
    f0, f1, f2, fmeasure, fscore, fbeta, f beta, f1 score, f score, f measure
    fbeta score, f1 macro, f1 micro, f1 weighted
    d2 absolute error score, d2 pinball score, d2 tweedie score, d2 log loss score
    r2, r2 score, r squared, explained variance, evs, d2
    iou, miou, mean iou, iou score, io u, jaccard, jaccard index, dsc, dice, dice score
    dice coef, dice coefficient, pq
    bleu, sacrebleu, bleu score, rouge, rouge l, rouge lsum, rougel, rougelsum, meteor, cider
    cid er
    spice, clip score, clipscore, chrf, bertscore, comet
    ndcg, dcg, mrr, hits, hit rate, hit ratio, hitratio, map score, ctr
    psnr, ssim, msssim, ms ssim, si sdr, sdr, sdri, snr, si snr, pesq, stoi, mos, vmaf
    kappa, cohen kappa, qwk, mcc, matthews corrcoef, matthews correlation, phi coefficient
    corr, correlation, pearson, pearsonr, spearman, spearmanr, kendall, kendalltau, kendall tau
    concordance index, c index, cindex
    pcc, srcc, plcc, ccc
    cosine similarity, similarity, exact match, em, win rate, success rate, success, solved
    ep ret, ep return, reward, rewards, episode reward, return
    episode return, episodic return, returns, rew
    rewards margins, rewards margin, reward margin, likelihood, log likelihood
    nmi, ari, ami, silhouette, silhouette score, calinski harabasz score, rand score, las, uas
    adjusted rand score, adjusted mutual info score, normalized mutual info score, mutual info score
    fowlkes mallows score, homogeneity score, completeness score, v measure score, v measure
    inception score, pass, pck, oks, mota, idf1, hota
"""

# These are metrics only as a whole name; at the end of a longer name they may mean anything.
ALONE = """
    success solved pass return returns hits map mar top em l1 l2 ce ap ar pq similarity likelihood
    prec dsc nds las uas errors
"""

# Where or how a metric was measured; these words say nothing about its direction.
DECORATION = """
    metrics metric epoch step batch iter mean avg average running final total macro micro weighted
    samples online offline student teacher ema ovr ovo bbox segm keypoints none
"""
# Of which a loss may be made: loss_cls is a loss.
LOSS_PARTS = """
    cls bbox box rbox obj dfl rpn mask giou iou centerness seg kpt dice pose ce bce l1 l2 mse mae kl
    kld ctc att recon reconstruction gen disc g d total main aux sum all
"""
# What scikit-learn's scorers negate, besides the errors above, whose largest value is an error.
NEGATED_ERRORS = "max error"
# Words that turn a metric into another quantity: its spread, its change, its opposite, ...
DOUBT = """
    neg negative minus inverse inv not non anti one std stdev stddev stderr var variance gap diff
    difference delta change drop decrease increase gain grad gradient ratio relative improvement
    reduction scale weight weights coef coeff lambda num count n target threshold min max best
    time times seconds steps epochs no without failed missed lost cost per to until since rank
"""
