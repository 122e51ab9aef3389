"""Weigh the classes instead of resampling them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from fraudlab.errors import ConfigError
from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.registry import register

Weight = Annotated[float, Meta(gt=0)]


@register("sampler", "class_weight")
def class_weight(
    *, weights: Literal["balanced"] | dict[Literal[0, 1], Weight] = "balanced"
) -> ClassWeight:
    """Give every row the weight of its class; any model that takes sample weights obeys.

    Parameters
    ----------
    weights
        balanced (both classes weigh the same in sum), or the weight of each class: {0: 1, 1: 50}.
    """
    if isinstance(weights, dict) and set(weights) != {0, 1}:
        raise ConfigError(
            f"sampler.params.weights needs a weight for 0 and for 1, got {dict(weights)!r}"
        )
    return ClassWeight(weights)


@dataclass(frozen=True)
class ClassWeight:
    """The weights of genuine and fraud."""

    weights: Literal["balanced"] | dict[Literal[0, 1], float]

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return train with a weight per row."""
        if self.weights == "balanced":
            counts = np.bincount(y, minlength=2)
            genuine, fraud = (float(w) for w in len(y) / (2.0 * counts))
        else:
            genuine, fraud = self.weights[0], self.weights[1]
        weight = np.where(y == 1, fraud, genuine)
        return Resampled(X, y, sample_weight=weight, prior_ratio=genuine / fraud)
