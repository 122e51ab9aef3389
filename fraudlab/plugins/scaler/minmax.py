"""Train's range to a range of your own."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.errors import ConfigError
from fraudlab.preprocess import AffineScaler, Floats
from fraudlab.registry import register


@register("scaler", "minmax")
def minmax(*, feature_range: tuple[float, float] = (0.0, 1.0)) -> MinMax:
    """scikit-learn's MinMaxScaler: train's minimum and maximum become `feature_range`.

    Parameters
    ----------
    feature_range
        Where train's range ends up; later values may lie outside.
    """
    low, high = feature_range
    if low >= high:
        raise ConfigError(f"scaler.params.feature_range must rise, got {list(feature_range)!r}")
    return MinMax((low, high))


@dataclass(frozen=True)
class MinMax:
    """Learns minima and maxima."""

    feature_range: tuple[float, float]

    def fit(self, numbers: Floats) -> AffineScaler:
        """Return the fitted scaler: x * scale + shift, written as (x - center) / scale."""
        from sklearn.preprocessing import MinMaxScaler

        fitted = MinMaxScaler(feature_range=self.feature_range).fit(numbers)
        center = -fitted.min_ / fitted.scale_
        return AffineScaler(tuple(map(float, center)), tuple(map(float, 1.0 / fitted.scale_)))
