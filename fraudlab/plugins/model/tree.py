"""One decision tree."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from fraudlab.estimators import (
    Count,
    Criterion,
    Depth,
    Estimator,
    Leaves,
    MaxFeatures,
    NotNegative,
    Seed,
)
from fraudlab.registry import register


@register("model", "tree")
def tree(
    *,
    criterion: Criterion = "gini",
    max_depth: Depth | None = None,
    min_samples_split: Annotated[int, Meta(ge=2, le=1_000_000_000)] = 2,
    min_samples_leaf: Count = 1,
    max_features: MaxFeatures = None,
    max_leaf_nodes: Leaves | None = None,
    min_impurity_decrease: NotNegative = 0.0,
    ccp_alpha: NotNegative = 0.0,
    random_state: Seed = 42,
) -> Estimator:
    """scikit-learn's DecisionTreeClassifier.

    Parameters
    ----------
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
        Leaves at most, best first; null for no limit.
    min_impurity_decrease
        What a split must gain.
    ccp_alpha
        Strength of the pruning afterwards.
    random_state
        Seed: equally good splits are drawn from.
    """
    from sklearn.tree import DecisionTreeClassifier

    from fraudlab.graph.forest import export_tree

    estimator = DecisionTreeClassifier(
        criterion=criterion,
        max_depth=max_depth,
        min_samples_split=min_samples_split,
        min_samples_leaf=min_samples_leaf,
        max_features=max_features,
        max_leaf_nodes=max_leaf_nodes,
        min_impurity_decrease=min_impurity_decrease,
        ccp_alpha=ccp_alpha,
        random_state=random_state,
    )
    return Estimator(estimator, export_tree)
