"""The gate before a bundle: the graph must score as the fitted model, on real and hostile rows.

Hostile rows sit where an inexact export shows: on the split thresholds and one float32 step beside
them, on signed zeros, denormals and extremes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from fraudlab.errors import ParityError
from fraudlab.preprocess import FLOAT32_MAX, Floats, Matrix
from fraudlab.protocols import Graph, Model
from fraudlab.scoring import GraphRunner

_SIZES = (0.0, 1e-45, 1e-40, 1e-35, 1e-30, 1.0, 1e30, 3e38)  # 1e-45 and 1e-40 are denormal
_THRESHOLDS, _EXTREMES, _TRAIN, _MISSING = range(4)  # what a hostile cell is drawn from
_MISSING_SHARE = 0.05


@runtime_checkable
class HasMargin(Protocol):
    """A model whose probability is too coarse to compare; its margin must match bit by bit."""

    def margin(self, X: Matrix) -> Floats:
        """Return the fitted library's own margin, float64 [N]."""


def hostile_rows(
    matrix: Matrix, graph: Graph, count: int = 10_000, seed: int = 0, *, missing: bool = False
) -> Matrix:
    """Return `count` train rows with a random share of their cells made hostile.

    Parameters
    ----------
    matrix
        The rows the model was fitted on.
    graph
        Its export, for the thresholds.
    count
        Number of rows.
    seed
        Seed of the draw.
    missing
        Whether some cells are NaN; fraudlab's own preprocessing never lets one through.
    """
    draw = np.random.default_rng(seed)
    rows = matrix[draw.integers(len(matrix), size=count)]
    changed = draw.random(rows.shape) < draw.random((count, 1))
    kinds = draw.choice([_THRESHOLDS, _EXTREMES, _TRAIN], p=[0.5, 0.25, 0.25], size=rows.shape)
    if missing:
        kinds[draw.random(rows.shape) < _MISSING_SHARE] = _MISSING
    extremes = np.array([sign * size for size in _SIZES for sign in (1, -1)], dtype=np.float32)
    for column in range(rows.shape[1]):
        train = matrix[:, column]
        steps = _beside(graph.thresholds[column]) if column in graph.thresholds else extremes
        pools = {_THRESHOLDS: steps, _EXTREMES: extremes, _TRAIN: train}
        for kind, pool in pools.items():
            at = np.flatnonzero(changed[:, column] & (kinds[:, column] == kind))
            rows[at, column] = draw.choice(pool, size=len(at))
    rows[changed & (kinds == _MISSING)] = np.nan
    return rows


def _beside(thresholds: Floats) -> Matrix:
    """Return each threshold as float32 and its two neighbours."""
    at = np.clip(thresholds, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
    steps = [np.nextafter(at, np.float32(-np.inf)), at, np.nextafter(at, np.float32(np.inf))]
    around: Matrix = np.concatenate(steps)
    return around[np.isfinite(around)]


def check_parity(
    model: Model, graph: Graph, runner: GraphRunner, matrices: Sequence[Matrix]
) -> float:
    """Return the largest difference between the model's score and the graph's.

    Parameters
    ----------
    model
        The fitted model.
    graph
        Its export; its tolerance is the bound.
    runner
        The loaded graph.
    matrices
        The rows to compare on.

    Raises
    ------
    ParityError
        If a row differs by more, or the margins of a model that `HasMargin` are not the same bits.
    """
    worst = 0.0
    for matrix in matrices:
        margins = runner.margins(matrix)
        # scikit-learn looks for NaN by adding up the matrix, which overflows on hostile rows.
        with np.errstate(over="ignore", invalid="ignore"):
            if isinstance(model, HasMargin):
                _check_margins(model.margin(matrix), margins)
            own = model.score(matrix)
        worst = max(worst, _check_scores(own, graph, margins))
    return worst


def _check_margins(own: Floats, margins: Floats) -> None:
    unequal = np.flatnonzero(own != margins)
    if len(unequal):
        row = int(unequal[0])
        raise ParityError(
            f"the exported model's margin is not the fitted model's in {len(unequal)} of"
            f" {len(own)} rows: row {row} has {float(own[row])!r} fitted and"
            f" {float(margins[row])!r} exported, and the two must be equal; nothing was written"
        )


def _check_scores(own: Floats, graph: Graph, margins: Floats) -> float:
    scores = graph.link.score(margins)
    apart = np.abs(scores - own)
    wrong = ~(apart <= graph.tolerance)  # so that NaN is wrong too
    if wrong.any():
        row = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
        raise ParityError(
            f"the exported model does not score as the fitted one in {int(wrong.sum())} of"
            f" {len(own)} rows: row {row} has {float(own[row])!r} fitted and"
            f" {float(scores[row])!r} exported, {float(apart[row]):.3g} apart where the tolerance"
            f" is {graph.tolerance:.3g}; nothing was written"
        )
    return float(apart.max(initial=0.0))
