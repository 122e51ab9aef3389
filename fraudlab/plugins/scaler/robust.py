"""Median and interquartile range: outliers do not move the scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from fraudlab.errors import ConfigError
from fraudlab.preprocess import AffineScaler, Floats
from fraudlab.registry import register

Percent = Annotated[float, Meta(ge=0, le=100)]


@register("scaler", "robust")
def robust(*, quantile_range: tuple[Percent, Percent] = (25.0, 75.0)) -> Robust:
    """scikit-learn's RobustScaler: subtract the median, divide by a range of quantiles.

    Parameters
    ----------
    quantile_range
        The two percentiles whose distance is the scale.
    """
    low, high = quantile_range
    if low >= high:
        raise ConfigError(f"scaler.params.quantile_range must rise, got {list(quantile_range)!r}")
    return Robust((low, high))


@dataclass(frozen=True)
class Robust:
    """Learns medians and quantile ranges."""

    quantile_range: tuple[float, float]

    def fit(self, numbers: Floats) -> AffineScaler:
        """Return the fitted scaler; a range of zero counts as one."""
        from sklearn.preprocessing import RobustScaler

        fitted = RobustScaler(quantile_range=self.quantile_range).fit(numbers)
        return AffineScaler(tuple(map(float, fitted.center_)), tuple(map(float, fitted.scale_)))
