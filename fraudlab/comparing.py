"""What is the difference of two candidates on the same rows, and can it be told from noise.

The difference is taken draw by draw (a paired bootstrap): what makes a sample of cards hard for one
candidate mostly makes it hard for the other, so this interval is far narrower than either one's.
"""

from __future__ import annotations

import msgspec
import numpy as np

from fraudlab.bootstrap import Interval, interval
from fraudlab.evidence import read_replicates
from fraudlab.preprocess import Floats


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
        bootstrap was made.
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


def compare(best: Drawn | None, other: str, metric: str, difference: float) -> Comparison:
    """Return how the run `other` stands to the best, whose draws are given, `difference` above it.

    Parameters
    ----------
    best
        As `read_replicates` gives it.
    other, metric, difference
        The other run, the metric, and the best's value minus the other's.
    """
    ours, theirs = best, read_replicates(other, metric)
    if ours is None or theirs is None or ours[0] != theirs[0]:
        return Comparison(metric, difference)
    apart = ours[1] - theirs[1]
    found = interval(apart)
    if found is None:
        return Comparison(metric, difference)
    spread = float(np.nanstd(apart))
    if spread == 0 and difference != 0:
        return Comparison(metric, difference, found)
    return Comparison(
        metric,
        difference,
        found,
        distinguishable=not found[0] <= 0 <= found[1],
        within_one_se=difference <= spread,
    )
