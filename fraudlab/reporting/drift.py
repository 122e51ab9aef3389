"""How far test has moved away from train, column by column: the population stability index.

PSI = sum over bins of (a - e) ln(a / e), e the share of train and a that of test, bins the deciles
of train. Without drift it is about chi2 with B - 1 degrees of freedom times (1/N + 1/M), so what is
more than chance depends on the numbers of rows; 0.1 and 0.25 are the rules of thumb for how much
matters.

References
----------
Yurdakul, Statistical Properties of Population Stability Index, Western Michigan University, 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fraudlab.encoding import read_column
from fraudlab.manifest import Field
from fraudlab.preprocess import Floats
from fraudlab.reporting.rebuilding import Material

FLOOR = 1e-4
WATCH, ACT = 0.1, 0.25
_BINS = 10
_ALARM = 0.05  # the chance that any column of a table that has not moved is marked
Verdict = Literal["no more than chance", "small", "watch", "act"]


@dataclass(frozen=True, slots=True)
class Moved:
    """How far a column has moved, and what chance alone would rarely exceed."""

    column: str
    psi: float
    critical: float

    @property
    def verdict(self) -> Verdict:
        """What to make of it."""
        if self.psi <= self.critical:
            return "no more than chance"
        return "small" if self.psi < WATCH else "watch" if self.psi < ACT else "act"


def psi(expected: NDArray[np.int64], actual: NDArray[np.int64]) -> float:
    """Return the population stability index of two counts by bin, int64 [B] each."""
    e = np.maximum(expected / expected.sum(), FLOOR)
    a = np.maximum(actual / actual.sum(), FLOOR)
    return float(np.sum((a - e) * np.log(a / e)))


def critical_value(bins: int, expected: int, actual: int, columns: int = 1) -> float:
    """Return what the PSI of a column that has not moved rarely exceeds.

    Parameters
    ----------
    bins, expected, actual
        The number of bins, and of rows on both sides.
    columns
        How many columns are looked at: the alarm is shared among them (Bonferroni).
    """
    from scipy.special import chdtri

    if bins < 2:  # noqa: PLR2004 (one bin cannot move)
        return 0.0
    return float(chdtri(bins - 1, _ALARM / columns) * (1 / expected + 1 / actual))


def measure_drift(material: Material) -> tuple[Moved, ...]:
    """Return how far each input has moved from train to test, the farthest first."""
    fields = [field for field in material.table.fields if field.is_input]
    moved = []
    for field in fields:
        before, after = _counts(field, material)
        sizes = len(material.train), len(material.test)
        limit = critical_value(len(before), *sizes, columns=len(fields))
        moved.append(Moved(field.name, psi(before, after), limit))
    return tuple(sorted(moved, key=lambda each: -each.psi))


def drift_of_scores(before: Floats, after: Floats) -> Moved:
    """Return how far the scores have moved from validation to test."""
    sides = _binned(before, after)
    return Moved("score", psi(*sides), critical_value(len(sides[0]), len(before), len(after)))


def _counts(field: Field, material: Material) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    table = material.table
    if field.kind == "number":
        sides = [read_column(table, field.name, rows) for rows in (material.train, material.test)]
        return _binned(*sides)
    texts = table.frame[field.name]
    before, after = (
        texts.iloc[rows].fillna("").astype(str).value_counts()
        for rows in (material.train, material.test)
    )
    levels = list(before.index[: _BINS - 1])
    found = [
        [*(int(side.get(level, 0)) for level in levels), int(side[~side.index.isin(levels)].sum())]
        for side in (before, after)
    ]
    return _occupied(np.array(found[0]), np.array(found[1]))


def _binned(before: Floats, after: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both sides' rows by decile of `before`; missing values are a bin of their own.

    A value that is more than a tenth of `before` makes several deciles one.
    """
    known = before[~np.isnan(before)]
    inner = np.quantile(known, np.arange(1, _BINS) / _BINS) if len(known) else np.array([])
    edges = np.unique(inner)
    counts = [
        np.append(
            np.bincount(np.searchsorted(edges, side[~np.isnan(side)]), minlength=len(edges) + 1),
            np.count_nonzero(np.isnan(side)),
        )
        for side in (before, after)
    ]
    return _occupied(*counts)


def _occupied(
    before: NDArray[np.int64], after: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bins in which there is anything on either side."""
    kept = (before + after) > 0
    return before[kept], after[kept]
