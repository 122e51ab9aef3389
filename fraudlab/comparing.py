"""What is the difference of two candidates on the same rows, and can it be told from noise.

The difference is taken draw by draw (a paired bootstrap): what makes a sample of cards hard for one
candidate mostly makes it hard for the other, so this interval is far narrower than either one's.
Of several seeds the means are compared so, and how far other seeds would move them is added.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from fraudlab.bootstrap import Interval, interval
from fraudlab.evidence import read_replicates
from fraudlab.preprocess import Floats
from fraudlab.seeding import FEWEST, deviation, quantile


class Comparison(msgspec.Struct, frozen=True):
    """How a candidate stands to the best by the metric that ranks, on validation.

    Attributes
    ----------
    metric
        That metric.
    difference
        The best's value minus this candidate's.
    interval
        95 % interval of the difference; None when the two were judged on other rows, or no
        bootstrap was made. Over several seeds it is of the difference of the means, and counts how
        unsure the seeds make it beside the rows.
    distinguishable
        Whether the interval leaves out 0; None without one, or when no draw moved the difference:
        then there is nothing to tell it by.
    within_one_se
        Whether the difference is at most its standard error: the one-standard-error rule (Breiman
        et al., Classification and Regression Trees, 1984) in its paired form; None without one.
    """

    metric: str
    difference: float
    interval: Interval | None = None
    distinguishable: bool | None = None
    within_one_se: bool | None = None


Drawn = tuple[str, Floats]
"""What was drawn, and a metric under each draw, float64 [B]."""


class Spread(NamedTuple):
    """How far a difference may move for a reason that the draws do not know.

    Attributes
    ----------
    error
        Its standard error.
    half
        Half the width of its 95 % interval.
    """

    error: float
    half: float


NO_SPREAD = Spread(0.0, 0.0)


def compare(
    best: Drawn | None,
    other: Drawn | None,
    metric: str,
    difference: float,
    seeds: Spread = NO_SPREAD,
) -> Comparison:
    """Return how a candidate stands to the best, which is `difference` above it.

    Parameters
    ----------
    best, other
        What both are under every draw; None when it is not known.
    metric, difference
        The metric, and the best's value minus the other's.
    seeds
        How far other seeds would move the difference, where several were tried.
    """
    if best is None or other is None or best[0] != other[0]:
        return Comparison(metric, difference)
    apart = best[1] - other[1]
    found = interval(apart)
    if found is None:
        return Comparison(metric, difference)
    found = _widened(found, difference, seeds.half)
    spread = math.hypot(float(np.nanstd(apart)), seeds.error)
    if spread == 0 and difference != 0:
        return Comparison(metric, difference, found)
    return Comparison(
        metric,
        difference,
        found,
        distinguishable=not found[0] <= 0 <= found[1],
        within_one_se=difference <= spread,
    )


def _widened(found: Interval, middle: float, half: float) -> Interval:
    """Return an interval around `middle`, wider by an error of its own, `half` to either side.

    Independent errors add in squares, side by side as percentile intervals need not be even (MOVER:
    Zou and Donner, Statistics in Medicine 27, 2008).
    """
    if half == 0:
        return found
    low, high = found
    below, above = (math.hypot(max(side, 0.0), half) for side in (middle - low, high - middle))
    return min(low, middle - below), max(high, middle + above)


def mean_draws(runs: Sequence[str], metric: str) -> Drawn | None:
    """Return the mean of some runs under every draw; None unless all met the same draws.

    Draws depend on the scored rows alone, so the seeds of a candidate are paired like candidates.
    """
    found = [read_replicates(run, metric) for run in runs]
    known = [each for each in found if each is not None]
    if len(known) < len(found) or len({drawn for drawn, _ in known}) != 1:
        return None
    return known[0][0], np.mean([values for _, values in known], axis=0)


def spread_between(one: Mapping[int, float], other: Mapping[int, float]) -> Spread:
    """Return how far the difference of two candidates may move with other seeds.

    Pairs of one seed are compared where both have the same seeds (a seed that draws a poor sample
    draws it for both), and otherwise the means (Welch, Biometrika 34, 1947). A candidate of one
    seed adds nothing then: how much its seed matters is not known.

    Parameters
    ----------
    one, other
        Their values by seed.
    """
    if one.keys() == other.keys():
        samples = [[one[seed] - other[seed] for seed in sorted(one)]]
    else:
        samples = [list(one.values()), list(other.values())]
    terms = [(deviation(of) ** 2 / len(of), len(of) - 1) for of in samples if len(of) >= FEWEST]
    total = math.fsum(square for square, _ in terms)
    if total == 0:
        return NO_SPREAD
    freedom = 1 / math.fsum((square / total) ** 2 / of for square, of in terms)
    return Spread(math.sqrt(total), quantile(freedom) * math.sqrt(total))
