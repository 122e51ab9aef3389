"""Ranks instead of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from fraudlab.errors import ConfigError
from fraudlab.estimators import Seed
from fraudlab.preprocess import Floats, QuantileScaler
from fraudlab.registry import register


def _consistent(*, n_quantiles: int, subsample: int | None, **_: object) -> None:
    if subsample is not None and n_quantiles > subsample:
        raise ConfigError(
            f"scaler.params.n_quantiles={n_quantiles!r} needs a subsample of at least as many rows,"
            f" got {subsample!r}; set scaler.params.subsample={n_quantiles} or more, or null",
            "scaler.params.n_quantiles",
        )


@register("scaler", "quantile", consistent=_consistent)
def quantile(
    *,
    n_quantiles: Annotated[int, Meta(ge=2, le=10_000)] = 1000,
    subsample: Annotated[int, Meta(ge=10, le=1_000_000_000)] | None = 10_000,
    random_state: Seed = 42,
) -> Quantile:
    """scikit-learn's QuantileTransformer with uniform output: each value's rank in train.

    Parameters
    ----------
    n_quantiles
        Number of knots (at most one per train row).
    subsample
        Rows the knots are estimated from, at least n_quantiles; null takes all.
    random_state
        Seed of the subsample.
    """
    return Quantile(n_quantiles, subsample, random_state)


@dataclass(frozen=True)
class Quantile:
    """Learns quantiles."""

    n_quantiles: int
    subsample: int | None
    random_state: int

    def fit(self, numbers: Floats) -> QuantileScaler:
        """Return the fitted scaler."""
        from sklearn.preprocessing import QuantileTransformer

        fitted = QuantileTransformer(
            n_quantiles=min(self.n_quantiles, len(numbers)),
            subsample=self.subsample,
            random_state=self.random_state,
        ).fit(numbers)
        knots = tuple(tuple(map(float, column)) for column in fitted.quantiles_.T)
        return QuantileScaler(knots, tuple(map(float, fitted.references_)))
