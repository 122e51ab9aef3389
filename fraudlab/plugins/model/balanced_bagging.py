"""Decision trees, each on a balanced draw."""

from __future__ import annotations

from fraudlab.estimators import BaggedEstimator, Depth, Seed, Share, Trees
from fraudlab.registry import register
from fraudlab.resampling import Ratio


@register("model", "balanced_bagging", excludes={"sampler": ["class_weight"]})
def balanced_bagging(
    *,
    n_estimators: Trees = 10,
    max_depth: Depth | None = None,
    max_samples: Share = 1.0,
    max_features: Share = 1.0,
    bootstrap: bool = True,
    sampling_strategy: Ratio = 1.0,
    replacement: bool = False,
    random_state: Seed = 42,
) -> BaggedEstimator:
    """imbalanced-learn's BalancedBaggingClassifier on scikit-learn's DecisionTreeClassifier.

    Each tree has a draw of the rows, of which genuine ones are then dropped. It takes no class
    weights.

    Parameters
    ----------
    n_estimators
        Trees.
    max_depth
        Splits on a tree's longest path; null grows until the leaves are pure.
    max_samples
        Share of the rows in a draw.
    max_features
        Share of the columns each tree is shown, at least one.
    bootstrap
        Whether rows are drawn with replacement.
    sampling_strategy
        Frauds per genuine row that a tree is shown.
    replacement
        Whether the genuine rows kept are drawn with replacement.
    random_state
        Seed of the draws.
    """
    from imblearn.ensemble import BalancedBaggingClassifier
    from sklearn.tree import DecisionTreeClassifier

    from fraudlab.graph.forest import export_bagging

    estimator = BalancedBaggingClassifier(
        DecisionTreeClassifier(max_depth=max_depth),
        n_estimators=n_estimators,
        max_samples=max_samples,
        max_features=max_features,
        bootstrap=bootstrap,
        sampling_strategy=sampling_strategy,
        replacement=replacement,
        random_state=random_state,
    )
    return BaggedEstimator(estimator, export_bagging, seen_odds=sampling_strategy)
