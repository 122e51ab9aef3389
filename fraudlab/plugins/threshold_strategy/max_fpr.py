"""The cut that catches most while few genuine rows are alerted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from fraudlab.cuts import best_place, curve
from fraudlab.protocols import Cut, Scores
from fraudlab.registry import register


@register("threshold_strategy", "max_fpr")
def max_fpr(*, fpr: Annotated[float, Meta(gt=0, lt=1)] = 0.01) -> MaxFpr:
    """Maximise recall among the cuts that alert few genuine rows on validation.

    Parameters
    ----------
    fpr
        The share of genuine rows that may be alerted: 0.01 is one in a hundred. When the rows with
        the highest score exceed it already the result says so (`feasible: false`) and they are the
        alerts.
    """
    return MaxFpr(fpr)


@dataclass(frozen=True)
class MaxFpr:
    """Searches all distinct scores."""

    fpr: float

    def choose(self, scores: Scores) -> Cut:
        """Return the cut; of those that catch as much, the one with fewest alerts."""
        cuts = curve(scores)
        allowed = cuts.fpr <= self.fpr
        place = best_place(cuts.recall, allowed=allowed)
        return cuts.cut(place, feasible=bool(allowed.any()))
