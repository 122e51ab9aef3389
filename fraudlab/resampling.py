"""What the samplers share: running an imbalanced-learn sampler on train, and undoing its prior."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import numpy as np
from msgspec import Meta

from fraudlab.errors import DataError
from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled

Ratio: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Neighbours: TypeAlias = Annotated[int, Meta(ge=1, le=1000)]


def odds(y: Labels) -> float:
    """Return frauds per genuine row."""
    frauds = int(y.sum())
    return frauds / (len(y) - frauds)


def run_sampler(sampler: Any, X: Matrix, y: Labels, *, reweights: bool) -> Resampled:
    """Return what an imbalanced-learn sampler makes of train.

    Parameters
    ----------
    sampler
        An object with `fit_resample`.
    X, y
        Train.
    reweights
        Whether the sampler only repeats or drops rows at random, so that multiplying the odds by
        the ratio of the class balances undoes it (Elkan 2001, theorem 2).

    Raises
    ------
    DataError
        If train does not have what the sampler needs, in its own words.
    """
    try:
        new_X, new_y = sampler.fit_resample(X, y)
    except ValueError as error:
        frauds = int(y.sum())
        raise DataError(
            f"sampler {type(sampler).__name__} cannot work on this train part ({frauds} frauds,"
            f" {len(y) - frauds} genuine): {str(error).partition(chr(10))[0]}"
        ) from error
    new_y = np.asarray(new_y, dtype=np.int8)
    ratio = odds(y) / odds(new_y) if reweights else None
    return Resampled(np.ascontiguousarray(new_X, dtype=np.float32), new_y, prior_ratio=ratio)
