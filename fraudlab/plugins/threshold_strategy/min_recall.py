"""The most precise cut that still catches enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from fraudlab.cuts import best_place, curve
from fraudlab.protocols import Cut, Scores
from fraudlab.registry import register


@register("threshold_strategy", "min_recall")
def min_recall(*, recall: Annotated[float, Meta(gt=0, le=1)] = 0.8) -> MinRecall:
    """Maximise precision among the cuts that reach a recall on validation.

    Parameters
    ----------
    recall
        The share of frauds to catch.
    """
    return MinRecall(recall)


@dataclass(frozen=True)
class MinRecall:
    """Searches all distinct scores."""

    recall: float

    def choose(self, scores: Scores) -> Cut:
        """Return the cut; where there are frauds, alerting every row reaches any recall."""
        cuts = curve(scores)
        allowed = cuts.recall >= self.recall
        place = best_place(cuts.precision, allowed=allowed)
        return cuts.cut(place, feasible=bool(allowed.any()))
