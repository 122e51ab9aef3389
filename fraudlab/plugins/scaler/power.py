"""Make skewed columns look normal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fraudlab.preprocess import Floats, PowerScaler
from fraudlab.registry import register


@register("scaler", "power")
def power(*, standardize: bool = True) -> Power:
    """scikit-learn's PowerTransformer (Yeo-Johnson).

    Parameters
    ----------
    standardize
        Whether to give the result zero mean and unit variance.
    """
    return Power(standardize)


@dataclass(frozen=True)
class Power:
    """Learns one exponent per column."""

    standardize: bool

    def fit(self, numbers: Floats) -> PowerScaler:
        """Return the fitted scaler; a constant column keeps its values."""
        from sklearn.preprocessing import PowerTransformer

        width = numbers.shape[1]
        lambdas = np.ones(width)
        varying = np.flatnonzero(numbers.max(axis=0) > numbers.min(axis=0))
        if len(varying):
            fitted = PowerTransformer(standardize=False).fit(numbers[:, varying])
            lambdas[varying] = fitted.lambdas_
        bare = PowerScaler(tuple(map(float, lambdas)), (0.0,) * width, (1.0,) * width)
        if not self.standardize:
            return bare
        bent = bare.transform(numbers)
        spread = bent.std(axis=0)
        spread[spread == 0] = 1.0
        return PowerScaler(
            bare.lambdas, tuple(map(float, bent.mean(axis=0))), tuple(map(float, spread))
        )
