"""What a scored part of a split is worth, by the names used everywhere.

Ties are never broken in a candidate's favour: ROC AUC and average precision treat tied rows
together (scikit-learn), an alert threshold takes all of them or none, and where a day has only k
places, equal scores stand in the order of the card's number (or the row's).

Whatever is a ratio of sums over rows is computed in two steps, `tallies` and `rates`, so that a
bootstrap can weigh the rows between them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fraudlab.budgets import BUDGET, daily_metrics
from fraudlab.config import Costs
from fraudlab.preprocess import Floats
from fraudlab.protocols import Labels, Scores

RANKING = ("average_precision", "roc_auc")
DAILY = (
    f"card_precision_at_{BUDGET}",
    f"card_precision_at_{BUDGET}_ceiling",
    f"card_recall_at_{BUDGET}",
    f"precision_at_{BUDGET}",
)
DECISIONS = (
    "true_positives",
    "false_positives",
    "false_negatives",
    "true_negatives",
    "precision",
    "recall",
    "f1",
    "f2",
    "fpr",
    "mcc",
    "balanced_accuracy",
    "alert_rate",
    "alerts_per_day",
    "value_detection_rate",
    "cost",
    "cost_baseline",
    "savings",
)
PROBABILITY = ("brier", "log_loss", "ece", "mean_score", "prevalence")
NAMES = (*RANKING, *DAILY, *DECISIONS, *PROBABILITY)
"""What a constraint or a selection may name; of a table without the columns some are left out."""

BINS = 10
SEGMENTS = 20  # the commonest among frauds; each is a metric
_TINY = 1e-15
_SEGMENT, _CAUGHT_IN = "segment_", "caught_in_"


def evaluate(
    scores: Scores, thresholds: Floats, costs: Costs | None = None, *, ranked: Scores | None = None
) -> dict[str, float]:
    """Return all metrics of scored rows, given each row's threshold; only finite numbers.

    What is counted per day, card, amount or segment is left out where the rows have none.

    Parameters
    ----------
    scores
        The scored rows with their truth.
    thresholds
        Float64 [N]: a row is an alert when its score is at least its threshold.
    costs
        What each outcome costs; the default matrix unless given.
    ranked
        The same rows with the scores that rank them, where those are others.
    """
    sums = {name: float(of.sum()) for name, of in tallies(scores, thresholds, costs).items()}
    found = ranking(ranked or scores) | rates(sums)
    found["ece"] = calibration_error(scores.score, scores.label)
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def summary(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the means over the folds; of several, their population standard deviations too."""
    if len(folds) == 1:
        return dict(folds[0])
    shared = [name for name in folds[0] if all(name in fold for fold in folds)]
    values = {name: np.array([fold[name] for fold in folds]) for name in shared}
    means = {name: float(of.mean()) for name, of in values.items()}
    return means | {f"{name}_std": float(of.std()) for name, of in values.items()}


def ranking(scores: Scores) -> dict[str, float]:
    """Return the metrics of the order of the rows."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    found = {
        "average_precision": float(average_precision_score(scores.label, scores.score)),
        "roc_auc": float(roc_auc_score(scores.label, scores.score)),
    }
    return found | daily_metrics(scores)


def tallies(scores: Scores, thresholds: Floats, costs: Costs | None = None) -> dict[str, Floats]:
    """Return what each row adds to the sums that `rates` reads, float64 [N] by name."""
    p = scores.score
    fraud = scores.label == 1
    alert = p >= thresholds
    clipped = np.clip(p, _TINY, 1 - _TINY)
    found: dict[str, NDArray[np.generic]] = {
        "rows": np.ones(len(p)),
        "tp": alert & fraud,
        "fp": alert & ~fraud,
        "fn": ~alert & fraud,
        "tn": ~alert & ~fraud,
        "squared": (p - fraud) ** 2,
        "loss": -np.where(fraud, np.log(clipped), np.log1p(-clipped)),
        "score": p,
    }
    if scores.day is not None:
        found["days"] = _first_of_day(scores.day)
    if scores.amount is not None:
        found["at_stake"] = scores.amount * fraud
        found["caught"] = scores.amount * (alert & fraud)
    found |= _costs(scores, alert, costs or Costs())
    found |= _segments(scores, alert & fraud)
    return {name: of.astype(np.float64) for name, of in found.items()}


def _first_of_day(day: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return True in one row of each day, so that their sum is the number of days."""
    first = np.zeros(len(day), dtype=bool)
    first[np.unique(day, return_index=True)[1]] = True
    return first


def _costs(scores: Scores, alert: NDArray[np.bool_], costs: Costs) -> dict[str, Floats]:
    """Return each row's cost, as decided, if nothing were alerted, and if everything were."""
    missed: Floats | float | None = (
        scores.amount if costs.false_negative == "amount" else float(costs.false_negative)
    )
    if missed is None:
        return {}
    fraud = scores.label == 1
    as_alert = np.where(fraud, costs.true_positive, costs.false_positive)
    as_none = np.where(fraud, missed, costs.true_negative)
    return {
        "cost": np.where(alert, as_alert, as_none),
        "cost_none": as_none,
        "cost_all": as_alert,
    }


def _segments(scores: Scores, caught: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Return, by segment with frauds, which rows are its frauds and which of them are caught."""
    if scores.segment is None:
        return {}
    fraud = scores.label == 1
    names, counts = np.unique(scores.segment[fraud], return_counts=True)
    found: dict[str, NDArray[np.bool_]] = {}
    for name in names[np.argsort(-counts, kind="stable")][:SEGMENTS]:
        own = fraud & (scores.segment == name)
        plain = re.sub(r"[^\w.-]", "_", str(name))
        key = f"{_SEGMENT}{plain}"
        before = found.get(key, np.zeros_like(own))  # of another name that looks the same
        found[key] = before | own
        found[f"{_CAUGHT_IN}{key}"] = found[key] & caught
    return found


def rates(sums: Mapping[str, float] | Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the metrics of sums over rows: numbers, or arrays of many weightings at once.

    Cost-sensitive ones are as in Bahnsen et al., Cost Sensitive Credit Card Fraud Detection, 2013:
    savings = (baseline - cost) / baseline, baseline the cheaper of alerting none and all.
    """
    of = {name: np.asarray(value, dtype=np.float64) for name, value in sums.items()}
    tp, fp, fn, tn, rows = (of[name] for name in ("tp", "fp", "fn", "tn", "rows"))
    recall, fpr = _share(tp, tp + fn, np.nan), _share(fp, fp + tn)
    found = {
        "true_positives": tp,
        "false_positives": fp,
        "false_negatives": fn,
        "true_negatives": tn,
        "precision": _share(tp, tp + fp),
        "recall": recall,
        "f1": _share(2 * tp, 2 * tp + fp + fn),
        "f2": _share(5 * tp, 5 * tp + fp + 4 * fn),
        "fpr": fpr,
        "mcc": _share(tp * tn - fp * fn, _root((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))),
        "balanced_accuracy": (recall + 1 - fpr) / 2,
        "alert_rate": _share(tp + fp, rows),
        "brier": _share(of["squared"], rows),
        "log_loss": _share(of["loss"], rows),
        "mean_score": _share(of["score"], rows),
        "prevalence": _share(tp + fn, rows),
    }
    if "days" in of:
        found["alerts_per_day"] = (tp + fp) / of["days"]
    if "at_stake" in of:
        found["value_detection_rate"] = _share(of["caught"], of["at_stake"], np.nan)
    if "cost" in of:
        baseline = np.minimum(of["cost_none"], of["cost_all"])
        found |= {"cost": of["cost"], "cost_baseline": baseline}
        saved = np.divide(baseline - of["cost"], np.where(baseline > 0, baseline, np.nan))
        found["savings"] = saved
    for name, frauds in of.items():
        if name.startswith(_SEGMENT):
            found[f"recall_{name}"] = _share(of[f"{_CAUGHT_IN}{name}"], frauds, np.nan)
    return found


def _share(part: Floats, whole: Floats, empty: float = 0.0) -> Floats:
    """Return part / whole; `empty` where there is no whole."""
    shares: Floats = np.full(np.shape(part), empty)
    np.divide(part, whole, out=shares, where=whole != 0)
    return shares


def _root(value: Floats) -> Floats:
    root: Floats = np.sqrt(np.maximum(value, 0.0))
    return root


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
