"""Which direction of a metric is better, inferred from its name where the name is unambiguous.

A name is split into words. Words that only say *where* a metric was measured (`val_`, `train/`,
`eval_`, `(B)`, ...) are dropped. The rest, or its tail, must be a known metric. Words that turn a
metric into another quantity (`1-accuracy`, `acc_std`, `loss gap`) make the name ambiguous, and an
ambiguous name is an error that asks for `mode`: a wrong direction would keep the worst model.
"""

from __future__ import annotations

import re
from typing import Literal

from ..errors import RuleError, RuleTypeError, shortened
from .splits import SPLITS

__all__ = ["Direction", "Mode", "direction"]

Direction = Literal["min", "max"]
Mode = Literal["auto", "min", "max"]

_LOWER_IS_BETTER = """
    loss, error, err, cost, error rate, err rate, misclassification, merror
    mse, mae, rmse, rmsle, msle, mape, smape, mase, medae, nrmse, nmse
    nme, mpjpe, epe, rse, ade, fde
    mean squared error, mean absolute error, root mean squared error, mean squared log error
    mean squared logarithmic error, mean absolute percentage error, median absolute error, l1, l2
    log loss, logloss, mlogloss, multi logloss, binary logloss
    nll, nll loss, negative log likelihood
    cross entropy, crossentropy, ce, bce, xent, hinge, squared hinge, categorical hinge
    kl, kld, kl divergence, kullback leibler divergence, poisson, huber, log cosh, logcosh, deviance
    perplexity, ppl, bpc, bpb, bpd, bits per char, bits per byte, bits per dim
    wer, cer, word error rate, char error rate, character error rate, edit distance
    fid, kid, lpips, eer, equal error rate, fpr, fnr, false positive rate, false negative rate
    brier, brier score, brier loss, ece, hamming, hamming loss, quantile, pinball, crps, regret
    chamfer, hausdorff, mcd, rmsd, abs rel, sq rel
"""

_HIGHER_IS_BETTER = """
    acc, accuracy, balanced accuracy, top k accuracy, top k acc, top
    auc, auroc, roc auc, roc auc score, auc roc, auprc, aucpr, pr auc, auc pr, area under curve
    ap, ar, map, mar, mean average precision, average precision, mean average recall
    precision, recall, specificity, sensitivity, tpr, tnr, ppv, npv
    f0, f1, f2, fbeta, f beta, f1 score, f score, f measure
    fbeta score, f1 macro, f1 micro, f1 weighted
    r2, r2 score, r squared, explained variance, evs, d2
    iou, miou, mean iou, iou score, io u, jaccard, dice, dice score, dice coef, dice coefficient, pq
    bleu, sacrebleu, bleu score, rouge, rougel, rougelsum, meteor, cider
    spice, chrf, bertscore, comet
    ndcg, dcg, mrr, hits, hit rate, map score, ctr
    psnr, ssim, msssim, ms ssim, si sdr, sdr, sdri, snr, si snr, pesq, stoi, mos, vmaf
    kappa, cohen kappa, qwk, mcc, matthews corrcoef, matthews correlation, phi coefficient
    corr, correlation, pearson, pearsonr, spearman, spearmanr, kendall, kendalltau
    pcc, srcc, plcc, ccc
    cosine similarity, similarity, exact match, em, win rate, success rate, success, solved
    reward, episode reward, return, episode return, returns, rew, likelihood, log likelihood
    nmi, ari, ami, silhouette, v measure, inception score, pass, pck, oks, mota, idf1, hota
"""

# These are metrics only as a whole name; at the end of a longer name they may mean anything.
_ALONE = """
    success solved pass return returns hits map mar top em l1 l2 ce ap ar pq similarity likelihood
"""

# Where or how a metric was measured; these words say nothing about its direction.
_DECORATION = """
    metrics metric epoch step batch iter mean avg average running final total macro micro weighted
    samples online offline student teacher ema ovr ovo
"""
# Words that turn a metric into another quantity: its spread, its change, its opposite, ...
_DOUBT = """
    neg negative minus inverse inv not non anti one std stdev stddev stderr var variance gap diff
    difference delta change drop decrease increase gain grad gradient ratio relative improvement
    reduction scale weight weights coef coeff lambda num count n target threshold min max best
    time times seconds steps epochs no without failed missed lost cost per to until since rank
"""


def _phrases(table: str) -> frozenset[tuple[str, ...]]:
    phrases = re.split(r"[,\n]", table)
    return frozenset(tuple(phrase.split()) for phrase in phrases if phrase.strip())


_MIN, _MAX = _phrases(_LOWER_IS_BETTER), _phrases(_HIGHER_IS_BETTER)
_DECORATING, _DOUBTFUL = SPLITS.union(_DECORATION.split()), frozenset(_DOUBT.split())
_STANDING_ALONE = frozenset(_ALONE.split())
_LONGEST = max(map(len, _MIN | _MAX))


def _words(name: str) -> list[str]:
    name = re.sub(r"\(\w*\)\s*$", "", name.strip())  # metrics/mAP50(B): box or mask
    name = re.sub(r"^valid(ation)?_\d+\b", "", name)  # valid_0: the set's number
    name = re.sub(r"^(val|valid|train|test|eval|dev)(?=[A-Z])", r"\1_", name)  # valLoss
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return [word for word in re.split(r"[^0-9a-z]+", name.lower()) if word]


def _known(words: list[str]) -> Direction | None:
    """The direction of the longest known phrase that ends the name."""
    for start in range(max(0, len(words) - _LONGEST), len(words)):
        before = [word for word in words[:start] if word not in _DECORATING]
        if set(before) & _DOUBTFUL or (before and before[0].isdigit()):  # 1-accuracy
            continue
        phrase = tuple(words[start:])
        for spelling in (phrase, (*phrase[:-1], phrase[-1].rstrip("0123456789"))):
            if before and spelling[0] in _STANDING_ALONE and len(spelling) == 1:
                continue
            if spelling in _MIN:
                return "min"
            if spelling in _MAX:
                return "max"
    return None


def _from_name(name: str) -> Direction | None:
    words = _words(name)
    # scikit-learn's scorers: neg_mean_squared_error is an error with its sign flipped.
    if words[:1] == ["neg"]:
        return "max" if _known(words[1:]) == "min" else None
    found = _known(words)  # whole phrases first: "mean squared error" needs its "mean"
    if found:
        return found
    bare = [word for word in words if word not in _DECORATING]
    while len(bare) > 1 and bare[-1].isdigit():  # hits@10, mAP_0.5:0.95
        bare.pop()
    found = _known(bare)
    if found is None and "/" in name and not set(words) & _DOUBTFUL:  # coco/AP: data set, metric
        return _from_name(name.rsplit("/", 1)[1])
    return found


def direction(monitor: str, mode: object, owner: str) -> Direction:
    """Resolve `mode` to "min" or "max"; "auto" infers it from the name of the metric.

    monitor: the name of the metric.
    mode: "auto", "min" or "max".
    owner: the name of the rule, for errors.

    Raises RuleTypeError for a mode that is not a string, RuleError for an unknown mode or, with
    "auto", for a name whose direction is ambiguous.

    >>> direction("val_loss", "auto", "Patience"), direction("metrics/mAP50-95(B)", "auto", "Best")
    ('min', 'max')
    >>> direction("gap_mean", "auto", "Best")
    Traceback (most recent call last):
        ...
    earlystop.errors.RuleError: `Best(mode=...)`: whether 'gap_mean' should fall or rise cannot be \
told from its name: pass mode="min" (lower is better) or mode="max" (higher is better)
    """
    if not isinstance(mode, str):
        raise RuleTypeError(_wrong_mode(owner, mode))
    if mode == "min":
        return "min"
    if mode == "max":
        return "max"
    if mode != "auto":
        raise RuleError(_wrong_mode(owner, mode))
    found = _from_name(monitor)
    if found is None:
        raise RuleError(
            f"`{owner}(mode=...)`: whether {monitor!r} should fall or rise cannot be told from its "
            'name: pass mode="min" (lower is better) or mode="max" (higher is better)'
        )
    return found


def _wrong_mode(owner: str, mode: object) -> str:
    return f'`{owner}(mode=...)` must be "auto", "min" or "max", got {shortened(mode)}'
