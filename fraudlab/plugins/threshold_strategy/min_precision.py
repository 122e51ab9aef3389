"""The cut that catches most while alerts stay worth their while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from fraudlab.cuts import best_place, curve
from fraudlab.protocols import Cut, Scores
from fraudlab.registry import register


@register("threshold_strategy", "min_precision")
def min_precision(*, precision: Annotated[float, Meta(gt=0, le=1)] = 0.5) -> MinPrecision:
    """Maximise recall among the cuts that reach a precision on validation.

    Parameters
    ----------
    precision
        The share of alerts that must be frauds. When no cut reaches it the result says so
        (`feasible: false`) and the cut is the most precise one.
    """
    return MinPrecision(precision)


@dataclass(frozen=True)
class MinPrecision:
    """Searches all distinct scores."""

    precision: float

    def choose(self, scores: Scores) -> Cut:
        """Return the cut."""
        cuts = curve(scores)
        allowed = cuts.precision >= self.precision
        if not allowed.any():
            return cuts.cut(best_place(cuts.precision), feasible=False)
        return cuts.cut(best_place(cuts.recall, allowed=allowed))
