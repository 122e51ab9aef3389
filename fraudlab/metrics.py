"""What a scored part of a split is worth, by the names used everywhere.

Ties are never broken in a candidate's favour: ROC AUC and average precision treat tied rows
together (scikit-learn), an alert threshold takes all of them or none, and where a day has only k
places, equal scores stand in the order of the card's number.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fraudlab.preprocess import Floats
from fraudlab.protocols import Labels, Scores

CARDS = 100
BINS = 10
_TINY = 1e-15


def evaluate(
    scores: Scores, thresholds: Floats, *, ranked: Scores | None = None
) -> dict[str, float]:
    """Return all metrics of scored rows, given each row's threshold; only finite numbers.

    What is counted per day or card is left out where the rows have no day or card.

    Parameters
    ----------
    scores
        The scored rows with their truth.
    thresholds
        Float64 [N]: a row is an alert when its score is at least its threshold.
    ranked
        The same rows with the scores that rank them, where those are others.
    """
    found = ranking(ranked or scores) | decisions(scores, thresholds) | probability(scores)
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def summary(folds: list[dict[str, float]]) -> dict[str, float]:
    """Return the means over the folds; of several, their population standard deviations too."""
    if len(folds) == 1:
        return folds[0]
    shared = [name for name in folds[0] if all(name in fold for fold in folds)]
    values = {name: np.array([fold[name] for fold in folds]) for name in shared}
    means = {name: float(of.mean()) for name, of in values.items()}
    return means | {f"{name}_std": float(of.std()) for name, of in values.items()}


def ranking(scores: Scores) -> dict[str, float]:
    """Return the metrics of the order of the rows."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    found = {
        "average_precision": average_precision_score(scores.label, scores.score),
        "roc_auc": roc_auc_score(scores.label, scores.score),
    }
    if scores.day is not None and scores.card is not None:
        perfect = replace(scores, score=scores.label.astype(np.float64))
        found["card_precision_at_100"] = card_precision(scores, CARDS)
        found["card_precision_at_100_ceiling"] = card_precision(perfect, CARDS)
    return found


def decisions(scores: Scores, thresholds: Floats) -> dict[str, float]:
    """Return the metrics of the alerts."""
    alert = scores.score >= thresholds
    fraud = scores.label == 1
    tp, fp = int((alert & fraud).sum()), int((alert & ~fraud).sum())
    fn, tn = int((~alert & fraud).sum()), int((~alert & ~fraud).sum())
    recall, fpr = _share(tp, tp + fn), _share(fp, fp + tn)
    found = {
        "true_positives": tp,
        "false_positives": fp,
        "false_negatives": fn,
        "true_negatives": tn,
        "precision": _share(tp, tp + fp),
        "recall": recall,
        "f1": _share(2 * tp, 2 * tp + fp + fn),
        "fpr": fpr,
        "balanced_accuracy": (recall + 1 - fpr) / 2,
        "alert_rate": _share(tp + fp, len(alert)),
    }
    if scores.day is not None:
        found["alerts_per_day"] = (tp + fp) / len(np.unique(scores.day))
    if scores.amount is not None:
        at_stake = float(scores.amount[fraud].sum())
        caught = float(scores.amount[alert & fraud].sum())
        found["value_detection_rate"] = caught / at_stake if at_stake > 0 else 0.0
    return {name: float(value) for name, value in found.items()}


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def probability(scores: Scores) -> dict[str, float]:
    """Return how far the scores are from being probabilities."""
    p = scores.score
    label = scores.label.astype(np.float64)
    clipped = np.clip(p, _TINY, 1 - _TINY)
    return {
        "brier": float(np.mean((p - label) ** 2)),
        "log_loss": float(-np.mean(label * np.log(clipped) + (1 - label) * np.log1p(-clipped))),
        "ece": calibration_error(p, scores.label),
        "mean_score": float(p.mean()),
        "prevalence": float(label.mean()),
    }


def calibration_error(p: Floats, label: Labels, bins: int = BINS) -> float:
    """Return the expected calibration error over bins of equal mass.

    The mean over the bins of |mean score - share of frauds|, weighted by their rows (Nixon et al.,
    Measuring Calibration in Deep Learning, 2019: adaptive bins). Rows of one score that fall into
    two bins bring the same share of frauds to both.
    """
    _, group = np.unique(p, return_inverse=True)
    share = (np.bincount(group, weights=label) / np.bincount(group))[group]
    parts = np.array_split(np.argsort(p), min(bins, len(p)))
    gaps = [len(part) * abs(p[part].mean() - share[part].mean()) for part in parts]
    return float(sum(gaps) / len(p))


def card_precision(scores: Scores, k: int) -> float:
    """Return the mean over days of the share of frauds among the k cards scored highest.

    A card's score is its highest of the day. A card that was among the k of a day and really had a
    fraud that day is detected, and left out on later days. The share is always of k. With fewer
    cards, or frauds, than k a perfect ranking stays below 1: see the ceiling. The rows must have
    days and cards.

    References
    ----------
    Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 4.
    """
    assert scores.day is not None
    assert scores.card is not None
    detected = np.empty(0, dtype=np.int64)
    shares = []
    for day in np.unique(scores.day):
        rows = np.flatnonzero(scores.day == day)
        if len(detected):
            rows = rows[~np.isin(scores.card[rows], detected)]
        card, score, fraud = _by_card(scores.card[rows], scores.score[rows], scores.label[rows])
        top = np.lexsort((card, -score))[:k]
        hits = card[top][fraud[top]]
        shares.append(len(hits) / k)
        detected = np.union1d(detected, hits)
    return float(np.mean(shares))


def _by_card(
    card: NDArray[np.int64], score: Floats, label: Labels
) -> tuple[NDArray[np.int64], Floats, NDArray[np.bool_]]:
    """Return each card with its highest score and whether it had a fraud."""
    if not len(card):
        return card, score, label == 1
    order = np.argsort(card, kind="stable")
    card = card[order]
    start = np.flatnonzero(np.append(True, np.diff(card) != 0))
    highest = np.maximum.reduceat(score[order], start)
    fraud = np.maximum.reduceat(label[order], start) == 1
    return card[start], highest, fraud
