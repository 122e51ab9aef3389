"""Precision and recall, and true and false positives, over all cuts, with the bootstrap's bands.

The curve of several folds is their mean at each recall (or share of false positives), as the metric
beside it is the mean of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fraudlab.bootstrap import LEVEL
from fraudlab.preprocess import Floats
from fraudlab.protocols import Scores
from fraudlab.reporting.drawing import Ranked, draw_clusters
from fraudlab.weighing import Clusters, Weights

GRID = np.linspace(0.0, 1.0, 201)
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Line:
    """A curve over `GRID`, and where there is a band, its ends; float64 [201] each."""

    y: Floats
    low: Floats | None = None
    high: Floats | None = None


@dataclass(frozen=True, slots=True)
class Curves:
    """Precision by recall, recall by the share of false positives, and the share of frauds."""

    precision: Line
    recall: Line
    prevalence: float


def _over_grid(false: Floats, hits: Floats) -> Floats:
    """Return precision by recall, and recall by false positives, [2, 201]; NaN without a class."""
    if not (false[-1] and hits[-1]):
        return np.full((2, len(GRID)), np.nan)
    recall = hits / hits[-1]
    first = np.searchsorted(recall, np.maximum(GRID, _ROUNDING) - _ROUNDING / 2)
    precision = hits[first] / (hits[first] + false[first])
    over = np.interp(GRID, np.append(0.0, false / false[-1]), np.append(0.0, recall))
    return np.array([precision, over])


def draw_curves(scores: Scores, cluster: str | None) -> Curves:
    """Return the curves of a part's scored rows.

    Parameters
    ----------
    scores
        The rows of all folds.
    cluster
        What the bootstrap draws as a whole; None for no bands.
    """
    own, pieces = draw_clusters(scores, cluster or "row")
    count = int(own.max()) + 1
    fold = np.zeros(len(own), dtype=np.int64) if scores.fold is None else scores.fold
    folds = [_ranked(scores, own, count, fold == number) for number in np.unique(fold)]
    both = _mean(folds, np.ones((count, 1), dtype=np.float32))[0]
    precision, recall = Line(both[0]), Line(both[1])
    if cluster is not None:
        drawn = np.concatenate([_mean(folds, weights) for weights in pieces])
        precision, recall = (Line(both[of], *_band(drawn[:, of])) for of in (0, 1))
    return Curves(precision, recall, float(np.mean(scores.label == 1)))


def _ranked(scores: Scores, cluster: Clusters, count: int, own: NDArray[np.bool_]) -> Ranked:
    ones = np.ones(int(own.sum()))
    return Ranked(scores.score[own], scores.label[own], cluster[own], count, ones)


def _mean(folds: Sequence[Ranked], weights: Weights) -> Floats:
    """Return the means over the folds of precision and of recall, float64 [B, 2, 201]."""
    lines = []
    for fold in folds:
        false, hits = fold.alerts(weights)
        lines.append([_over_grid(*of) for of in zip(false.T, hits.T, strict=True)])
    result: Floats = np.mean(lines, axis=0)
    return result


def _band(drawn: Floats) -> tuple[Floats, Floats]:
    known = drawn[np.isfinite(drawn).all(axis=1)]
    if not len(known):
        nothing = np.full(drawn.shape[1], np.nan)
        return nothing, nothing
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high
