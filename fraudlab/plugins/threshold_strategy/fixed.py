"""A cut you name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from fraudlab.cuts import curve
from fraudlab.protocols import Cut, Scores
from fraudlab.registry import register


@register("threshold_strategy", "fixed")
def fixed(*, threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5) -> Fixed:
    """Alert from a given score on.

    Parameters
    ----------
    threshold
        The cut.
    """
    return Fixed(threshold)


@dataclass(frozen=True)
class Fixed:
    """Learns nothing."""

    threshold: float

    def choose(self, scores: Scores) -> Cut:
        """Return the given cut."""
        return Cut(self.threshold, reached=curve(scores).reached_by(self.threshold))
