"""What the samplers share: running an imbalanced-learn sampler on train, and undoing its prior."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, TypeAlias

import numpy as np
from msgspec import Meta

from fraudlab.errors import DataError
from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.threads import budget

Ratio: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Neighbours: TypeAlias = Annotated[int, Meta(ge=1, le=1000)]


def odds(y: Labels) -> float:
    """Return frauds per genuine row."""
    frauds = int(y.sum())
    return frauds / (len(y) - frauds)


def neighbours(count: int) -> Any:
    """Return what finds the `count` nearest rows of a row, on as many threads as a fit may use."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=count + 1, n_jobs=budget())  # a row is its own nearest


def flags_kept(X: Matrix, resampled: Resampled) -> Resampled:
    """Return resampled rows whose flags are flags again: what lies between two values is the lower.

    Parameters
    ----------
    X
        Train before; its columns of two values are the flags.
    resampled
        What a sampler that invents rows made of it.
    """
    kept = resampled.X.copy()
    for column in range(X.shape[1]):
        values = np.unique(X[:, column])
        if len(values) == 2:  # noqa: PLR2004
            low, high = values
            kept[:, column] = np.where(kept[:, column] >= high, high, low)
    return replace(resampled, X=kept)


def run_sampler(sampler: Any, X: Matrix, y: Labels, *, reweights: bool) -> Resampled:
    """Return what an imbalanced-learn sampler makes of train.

    Searching many columns, scikit-learn lets OpenMP share the rows out, and which of several
    equally near ones are found depends on how many threads there are: it is given one. Fewer
    columns are searched in trees, row by row, on the threads of `neighbours`.

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
        If train does not have what the sampler needs, in its own words, or nothing of one class
        would be left.
    """
    from threadpoolctl import threadpool_limits

    frauds = int(y.sum())
    part = f"this train part ({frauds} frauds, {len(y) - frauds} genuine)"
    name = type(sampler).__name__
    try:
        with threadpool_limits(1):
            new_X, new_y = sampler.fit_resample(X, y)
    except (ValueError, RuntimeError) as error:  # ADASYN raises the latter
        told = str(error).partition("\n")[0]
        raise DataError(f"sampler {name} cannot work on {part}: {told}") from error
    new_y = np.asarray(new_y, dtype=np.int8)
    if int(new_y.sum()) in {0, len(new_y)}:
        raise DataError(
            f"sampler {name} leaves {int(new_y.sum())} frauds in {len(new_y)} rows of {part}, and a"
            " model needs rows of both classes: choose another sampler, or other sampler.params"
        )
    ratio = odds(y) / odds(new_y) if reweights else None
    return Resampled(np.ascontiguousarray(new_X, dtype=np.float32), new_y, prior_ratio=ratio)
