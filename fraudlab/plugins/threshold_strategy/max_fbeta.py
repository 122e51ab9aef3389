"""The cut with the best balance of precision and recall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from fraudlab.cuts import best_place, curve
from fraudlab.protocols import Cut, Scores
from fraudlab.registry import register


@register("threshold_strategy", "max_fbeta")
def max_fbeta(*, beta: Annotated[float, Meta(gt=0, le=100)] = 1.0) -> MaxFbeta:
    """Maximise F-beta on validation.

    Parameters
    ----------
    beta
        How many times as much recall counts as precision (van Rijsbergen, 1979).
    """
    return MaxFbeta(beta)


@dataclass(frozen=True)
class MaxFbeta:
    """Searches all distinct scores."""

    beta: float

    def choose(self, scores: Scores) -> Cut:
        """Return the cut with the highest F-beta."""
        cuts = curve(scores)
        weight = self.beta**2
        value = (1 + weight) * cuts.hits / (weight * cuts.frauds + cuts.alerts)
        return cuts.cut(best_place(value))
