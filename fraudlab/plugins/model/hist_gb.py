"""Gradient-boosted trees, by scikit-learn."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Any

from msgspec import Meta

from fraudlab.estimators import Count, Depth, Estimator, Leaves, NotNegative, Positive, Seed, Share
from fraudlab.preprocess import Floats, Matrix
from fraudlab.protocols import Labels
from fraudlab.registry import register


@register("model", "hist_gb")
def hist_gb(
    *,
    learning_rate: Positive = 0.1,
    max_iter: Annotated[int, Meta(ge=1, le=1_000_000)] = 100,
    max_leaf_nodes: Leaves | None = 31,
    max_depth: Depth | None = None,
    min_samples_leaf: Count = 20,
    l2_regularization: NotNegative = 0.0,
    max_features: Share = 1.0,
    max_bins: Annotated[int, Meta(ge=2, le=255)] = 255,
    early_stopping: bool = False,
    validation_fraction: Annotated[float, Meta(gt=0, lt=1)] = 0.1,
    n_iter_no_change: Count = 10,
    tol: NotNegative = 1e-7,
    random_state: Seed = 42,
) -> HistGradientBoosting:
    """scikit-learn's HistGradientBoostingClassifier.

    `early_stopping` is false instead of auto, which would hold out a random tenth of train as soon
    as that has more than 10,000 rows.

    Parameters
    ----------
    learning_rate
        Share of each tree that is added.
    max_iter
        Trees.
    max_leaf_nodes
        Leaves per tree at most, best first; null for no limit.
    max_depth
        Splits on the longest path; null for no limit.
    min_samples_leaf
        Rows a leaf needs.
    l2_regularization
        L2 penalty of the leaves.
    max_features
        Share of the columns tried per split.
    max_bins
        Bins per column; one more is for missing values.
    early_stopping
        Whether a random part of train is held out, and fewer trees are grown when it says so.
    validation_fraction
        Share of train held out for early_stopping.
    n_iter_no_change
        Trees without progress after which early_stopping stops.
    tol
        Fall of the loss that early_stopping calls progress.
    random_state
        Seed of the part held out, of the columns tried, and of the rows that bins are made from.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    from fraudlab.graph.hist_gb import export

    estimator = HistGradientBoostingClassifier(
        learning_rate=learning_rate,
        max_iter=max_iter,
        max_leaf_nodes=max_leaf_nodes,
        max_depth=max_depth,
        min_samples_leaf=min_samples_leaf,
        l2_regularization=l2_regularization,
        max_features=max_features,
        max_bins=max_bins,
        categorical_features=None,
        early_stopping=early_stopping,
        validation_fraction=validation_fraction,
        n_iter_no_change=n_iter_no_change,
        tol=tol,
        random_state=random_state,
    )
    return HistGradientBoosting(estimator, export)


class HistGradientBoosting(Estimator):
    """Uses one thread, whatever the budget.

    It takes threads from OpenMP, whose threads wait for each other many times in each tree, and
    wait by spinning. As soon as another process wants one of the cores, two threads are slower than
    one, by a factor of thirty on two busy cores.
    """

    def _fit(self, X: Any, y: Labels, sample_weight: Floats | None) -> None:
        with _one_openmp_thread():
            super()._fit(X, y, sample_weight)

    def score(self, X: Matrix) -> Floats:
        """Return the classifier's own probability of fraud."""
        with _one_openmp_thread():
            return super().score(X)


def _one_openmp_thread() -> AbstractContextManager[object]:
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="openmp")
    return limits
