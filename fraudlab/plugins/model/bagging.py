"""Bagged decision trees."""

from __future__ import annotations

from typing import Any

from fraudlab.errors import NotApplicableError
from fraudlab.estimators import BaggedEstimator, Depth, Seed, Share, Trees
from fraudlab.preprocess import Floats
from fraudlab.protocols import Labels
from fraudlab.registry import register


@register("model", "bagging")
def bagging(
    *,
    n_estimators: Trees = 10,
    max_depth: Depth | None = None,
    max_samples: Share | None = None,
    max_features: Share = 1.0,
    bootstrap: bool = True,
    random_state: Seed = 42,
) -> Bagging:
    """scikit-learn's BaggingClassifier on its DecisionTreeClassifier.

    Class weights say how likely a row is to be drawn, which takes bootstrap.

    Parameters
    ----------
    n_estimators
        Trees.
    max_depth
        Splits on a tree's longest path; null grows until the leaves are pure.
    max_samples
        Share of the rows in a draw (with class weights, of their sum); null for as many as there
        are.
    max_features
        Share of the columns each tree is shown, at least one.
    bootstrap
        Whether rows are drawn with replacement.
    random_state
        Seed of the draws.
    """
    from sklearn.ensemble import BaggingClassifier
    from sklearn.tree import DecisionTreeClassifier

    from fraudlab.graph.forest import export_bagging

    estimator = BaggingClassifier(
        DecisionTreeClassifier(max_depth=max_depth),
        n_estimators=n_estimators,
        max_samples=max_samples,
        max_features=max_features,
        bootstrap=bootstrap,
        random_state=random_state,
    )
    return Bagging(estimator, export_bagging)


class Bagging(BaggedEstimator):
    """Draws rows by their weights."""

    def _fit(self, X: Any, y: Labels, sample_weight: Floats | None) -> None:
        if sample_weight is not None and not self.estimator.bootstrap:
            raise NotApplicableError(
                "sampler=class_weight has no meaning with model=bagging and"
                " model.params.bootstrap=false, which draws without replacement; set"
                " model.params.bootstrap=true, or use sampler=identity"
            )
        super()._fit(X, y, sample_weight)
