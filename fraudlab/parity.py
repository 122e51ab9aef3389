"""The gate before a bundle: the graph must score as the fitted model, on real and hostile rows.

Hostile rows sit where an inexact export shows: on the split thresholds and one float32 step beside
them, on signed zeros, denormals and extremes; and they bring what the encoder must take: missing
values, levels never seen, the largest numbers a request may hold.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from fraudlab.detector import Detector
from fraudlab.encoding import read_codes, read_numbers
from fraudlab.errors import ParityError
from fraudlab.preprocess import FLOAT32_MAX, Encoder, Floats, Matrix
from fraudlab.protocols import Graph, Model, Rows
from fraudlab.table import Table

HOSTILE = 10_000
_SIZES = (0.0, 1e-45, 1e-40, 1e-35, 1e-30, 1.0, 1e30, 3e38)  # 1e-45 and 1e-40 are denormal
_EXTREMES = np.array([sign * size for size in _SIZES for sign in (1, -1)], dtype=np.float32)
_MISSING, _LARGEST, _ANY_LEVEL = 0.1, 0.05, 0.3  # shares of a hostile row's values


@runtime_checkable
class HasMargin(Protocol):
    """A model whose probability is too coarse to compare; its margin must match bit by bit."""

    def margin(self, X: Matrix) -> Floats:
        """Return the fitted library's own margin, float64 [N]."""


def hostile_rows(
    detector: Detector, graph: Graph, table: Table, rows: Rows, *, count: int = HOSTILE, seed: int
) -> Matrix:
    """Return the matrix of `count` of the fitted rows, made hostile before and after encoding.

    Parameters
    ----------
    detector
        What was fitted.
    graph
        Its export, for the thresholds.
    table, rows
        What it was fitted on.
    count
        Number of rows.
    seed
        Seed of the draw.
    """
    draw = np.random.default_rng(seed)
    matrix = _strange_values(detector, table, draw.choice(rows, size=count), draw)
    changed = draw.random(matrix.shape) < draw.random((count, 1))
    kinds = draw.choice(3, p=[0.5, 0.25, 0.25], size=matrix.shape)
    for column in range(matrix.shape[1]):
        steps = _beside(graph.thresholds[column]) if column in graph.thresholds else _EXTREMES
        for kind, pool in enumerate((steps, _EXTREMES, detector.train[:, column])):
            at = np.flatnonzero(changed[:, column] & (kinds[:, column] == kind))
            matrix[at, column] = draw.choice(pool, size=len(at))
    return matrix


def _strange_values(
    detector: Detector, table: Table, rows: Rows, draw: np.random.Generator
) -> Matrix:
    """Return the matrix of `rows` with values missing, at their largest, and of any level."""
    encoder = Encoder(detector.preprocess)
    numbers = read_numbers(table, rows, detector.preprocess)
    dice = draw.random(numbers.shape)
    numbers[dice < _MISSING] = np.nan
    numbers[dice > 1 - _LARGEST] = FLOAT32_MAX
    numbers[dice > 1 - _LARGEST / 2] = -FLOAT32_MAX
    codes = read_codes(table, rows, encoder)
    if codes is not None:
        sizes = [column.missing + 1 for column in detector.preprocess.categorical]
        anything = draw.integers(sizes, size=codes.shape)
        codes = np.where(draw.random(codes.shape) < _ANY_LEVEL, anything, codes)
    return encoder.encode(numbers, codes)


def _beside(thresholds: Floats) -> Matrix:
    """Return each threshold as float32 and its two neighbours."""
    at = np.clip(thresholds, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
    steps = [np.nextafter(at, np.float32(-np.inf)), at, np.nextafter(at, np.float32(np.inf))]
    around: Matrix = np.concatenate(steps)
    return around[np.isfinite(around)]


def check_parity(model: Model, graph: Graph, matrix: Matrix, margins: Floats) -> float:
    """Return the largest difference between the model's score and the graph's.

    Parameters
    ----------
    model
        The fitted model.
    graph
        Its export; its tolerance is the bound.
    matrix
        The rows to compare on.
    margins
        What the graph gave for them.

    Raises
    ------
    ParityError
        If a row differs by more, or the margins of a model that `HasMargin` are not the same bits.
    """
    if isinstance(model, HasMargin):
        _check_margins(model.margin(matrix), margins)
    return _check_scores(model.score(matrix), graph, margins)


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
