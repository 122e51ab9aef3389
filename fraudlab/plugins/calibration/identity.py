"""Report the model's own probability."""

from __future__ import annotations

from fraudlab.links import Floats, IdentityCalibration
from fraudlab.protocols import Labels
from fraudlab.registry import register


@register("calibration", "identity")
def identity() -> Identity:
    """No calibration; the score is whatever the model calls a probability."""
    return Identity()


class Identity:
    """Learns nothing."""

    def fit(
        self, linear: Floats, score: Floats, y: Labels, prior_ratio: float | None
    ) -> IdentityCalibration:
        """Return the identity."""
        return IdentityCalibration()
