"""Zero mean, unit variance."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.preprocess import AffineScaler, Floats
from fraudlab.registry import register


@register("scaler", "standard")
def standard(*, with_mean: bool = True, with_std: bool = True) -> Standard:
    """scikit-learn's StandardScaler: subtract train's mean, divide by its standard deviation.

    Parameters
    ----------
    with_mean, with_std
        Whether to centre and whether to scale.
    """
    return Standard(with_mean, with_std)


@dataclass(frozen=True)
class Standard:
    """Learns means and standard deviations."""

    with_mean: bool
    with_std: bool

    def fit(self, numbers: Floats) -> AffineScaler:
        """Return the fitted scaler; a constant column is only centred."""
        from sklearn.preprocessing import StandardScaler

        fitted = StandardScaler(with_mean=self.with_mean, with_std=self.with_std).fit(numbers)
        width = numbers.shape[1]
        center = fitted.mean_ if self.with_mean else [0.0] * width
        scale = fitted.scale_ if self.with_std else [1.0] * width
        return AffineScaler(tuple(map(float, center)), tuple(map(float, scale)))
