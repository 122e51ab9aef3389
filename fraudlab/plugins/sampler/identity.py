"""Fit on train as it is."""

from __future__ import annotations

from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.registry import register


@register("sampler", "identity")
def identity() -> Identity:
    """No resampling: the right default for a strong learner (arXiv 2201.08528)."""
    return Identity()


class Identity:
    """Changes nothing."""

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return train."""
        return Resampled(X, y)
