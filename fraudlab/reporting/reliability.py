"""Whether scores are probabilities, and how they spread: calibration and histograms.

References
----------
Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927; Cox,
Two further applications of a model for binary regression, Biometrika 45, 1958 (the slope).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fraudlab.bootstrap import Interval, interval
from fraudlab.links import expit
from fraudlab.preprocess import Floats
from fraudlab.protocols import Labels, Scores
from fraudlab.reporting.drawing import draw_clusters

TINY = 1e-6  # scores are drawn as log-odds; those of 0 and 1 have none
POINTS = 10
BINS = 40
_PER_POINT = 8  # frauds that a point must be worth
_Z = 1.959963984540054  # of 95 %
_STEPS = 50
_CONVERGED = 1e-9


@dataclass(frozen=True, slots=True)
class Point:
    """Rows of alike scores: their mean score, their share of frauds and its Wilson interval."""

    mean: float
    share: float
    low: float
    high: float
    rows: int
    frauds: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """How scores compare with what happened.

    Attributes
    ----------
    points
        Groups of rows in order of score, each worth as many expected frauds as any other.
    expected, observed
        The sum of the scores, and the number of frauds.
    ratio
        95 % interval of expected / observed.
    slope
        Of the truth on the log-odds of the score; 1 is right, below 1 the scores are too extreme.
        None where that has no answer (one score, or classes that do not overlap).
    """

    points: tuple[Point, ...]
    expected: float
    observed: int
    ratio: Interval | None
    slope: float | None


@dataclass(frozen=True, slots=True)
class Histogram:
    """Shares of each class by bins of log-odds: `edges` float64 [B + 1], the shares [B]."""

    edges: Floats
    genuine: Floats
    fraud: Floats


def log_odds(score: Floats) -> Floats:
    """Return the log-odds of scores, those beyond `TINY` as if they lay there."""
    clipped = np.clip(score, TINY, 1 - TINY)
    result: Floats = np.log(clipped) - np.log1p(-clipped)
    return result


def judge_reliability(scores: Scores, cluster: str) -> Reliability:
    """Return how scores compare with what happened, over the rows of all folds."""
    own, pieces = draw_clusters(scores, cluster)
    by_cluster = np.array([np.bincount(own, weights=of) for of in (scores.score, scores.label)])
    sums, frauds = np.concatenate([by_cluster @ weights for weights in pieces], axis=1)
    ratios = np.divide(sums, frauds, out=np.full(len(sums), np.nan), where=frauds > 0)
    return Reliability(
        points=_points(scores.score, scores.label),
        expected=float(scores.score.sum()),
        observed=int(scores.label.sum()),
        ratio=interval(ratios),
        slope=_slope(log_odds(scores.score), scores.label),
    )


def _points(score: Floats, label: Labels) -> tuple[Point, ...]:
    distinct, group = np.unique(score, return_inverse=True)
    rows = np.bincount(group)
    worth = np.cumsum(distinct * rows) - distinct * rows / 2  # up to the middle of its rows
    total = float(score.sum())
    many = int(np.clip(label.sum() / _PER_POINT, 1, POINTS))
    of_score = np.zeros(len(distinct), dtype=np.intp)
    if total > 0:
        of_score = np.minimum(worth / total * many, many - 1).astype(np.intp)
    point = of_score[group]
    return tuple(_point(score[point == of], label[point == of]) for of in np.unique(point))


def _point(score: Floats, label: Labels) -> Point:
    rows, frauds = len(label), int(label.sum())
    low, high = wilson(frauds, rows)
    return Point(float(score.mean()), frauds / rows, low, high, rows, frauds)


def wilson(hits: int, rows: int) -> Interval:
    """Return Wilson's 95 % interval of a share."""
    share, square = hits / rows, _Z**2
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    spread = share * (1 - share) / rows + square / (4 * rows**2)
    half = _Z * np.sqrt(spread) / (1 + square / rows)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _slope(odds: Floats, label: Labels) -> float | None:
    """Return the slope of a logistic regression with one input, by Newton's method."""
    inputs = np.column_stack([np.ones(len(odds)), odds])
    beta = np.array([0.0, 1.0])
    for _ in range(_STEPS):
        p = expit(inputs @ beta)
        curvature = inputs.T @ (inputs * (p * (1 - p))[:, None])
        if not np.isfinite(curvature).all() or np.linalg.cond(curvature) > 1 / _CONVERGED:
            return None
        step = np.linalg.solve(curvature, inputs.T @ (label - p))
        beta = beta + step
        if float(np.abs(step).max()) < _CONVERGED:
            return float(beta[1])
    return None


def spread_scores(scores: Scores) -> Histogram:
    """Return the histograms of both classes."""
    odds = log_odds(scores.score)
    low, high = float(odds.min()), float(odds.max())
    if high - low < 1:  # all scores are much the same
        low, high = low - 1, high + 1
    edges = np.linspace(low, high, BINS + 1)
    fraud = scores.label == 1
    shares = [np.histogram(odds[own], edges)[0] / max(1, own.sum()) for own in (~fraud, fraud)]
    return Histogram(edges, *shares)
