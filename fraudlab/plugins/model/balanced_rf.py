"""Random forest, each tree on a balanced draw."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from fraudlab.estimators import (
    BaggedEstimator,
    Count,
    Criterion,
    Depth,
    Leaves,
    MaxFeatures,
    Seed,
    Trees,
)
from fraudlab.registry import register
from fraudlab.resampling import Ratio


@register("model", "balanced_rf")
def balanced_rf(
    *,
    n_estimators: Trees = 100,
    criterion: Criterion = "gini",
    max_depth: Depth | None = None,
    min_samples_split: Annotated[int, Meta(ge=2, le=1_000_000_000)] = 2,
    min_samples_leaf: Count = 1,
    max_features: MaxFeatures = "sqrt",
    max_leaf_nodes: Leaves | None = None,
    sampling_strategy: Literal["all"] | Ratio = "all",
    replacement: bool = True,
    bootstrap: bool = False,
    random_state: Seed = 42,
) -> BaggedEstimator:
    """imbalanced-learn's BalancedRandomForestClassifier.

    Parameters
    ----------
    n_estimators
        Trees.
    criterion
        Impurity a split lowers.
    max_depth
        Splits on the longest path; null grows until the leaves are pure.
    min_samples_split
        Rows a node needs to be split.
    min_samples_leaf
        Rows a leaf needs.
    max_features
        Columns tried per split: a number, a share, sqrt, log2, or null for all.
    max_leaf_nodes
        Leaves per tree at most, best first; null for no limit.
    sampling_strategy
        What a tree is shown: all draws as many frauds and as many genuine rows as there are frauds;
        a number keeps every fraud and is the frauds per genuine row.
    replacement
        Whether that is drawn with replacement.
    bootstrap
        Whether a tree is grown on a further draw, with replacement, of what it is shown.
    random_state
        Seed of the draws.

    References
    ----------
    Chen, Liaw and Breiman, Using Random Forest to Learn Imbalanced Data, University of California,
    Berkeley, 2004.
    """
    from imblearn.ensemble import BalancedRandomForestClassifier

    from fraudlab.graph.forest import export_forest

    estimator = BalancedRandomForestClassifier(
        n_estimators=n_estimators,
        criterion=criterion,
        max_depth=max_depth,
        min_samples_split=min_samples_split,
        min_samples_leaf=min_samples_leaf,
        max_features=max_features,
        max_leaf_nodes=max_leaf_nodes,
        sampling_strategy=sampling_strategy,
        replacement=replacement,
        bootstrap=bootstrap,
        random_state=random_state,
    )
    seen_odds = 1.0 if sampling_strategy == "all" else sampling_strategy
    return BaggedEstimator(estimator, export_forest, seen_odds=seen_odds)
