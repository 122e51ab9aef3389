"""Forest of trees whose cuts are drawn at random."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from fraudlab.errors import ConfigError
from fraudlab.estimators import (
    Count,
    Criterion,
    Depth,
    Estimator,
    Leaves,
    MaxFeatures,
    Seed,
    Share,
    Trees,
)
from fraudlab.registry import register
from fraudlab.threads import budget


def _consistent(*, bootstrap: bool, max_samples: float | None, **_: object) -> None:
    if max_samples is not None and not bootstrap:
        raise ConfigError(
            f"model.params.max_samples={max_samples!r} needs bootstrap=true, got bootstrap=false;"
            " set model.params.max_samples=null or bootstrap=true"
        )


@register("model", "extra_trees", consistent=_consistent)
def extra_trees(
    *,
    n_estimators: Trees = 100,
    criterion: Criterion = "gini",
    max_depth: Depth | None = None,
    min_samples_split: Annotated[int, Meta(ge=2, le=1_000_000_000)] = 2,
    min_samples_leaf: Count = 1,
    max_features: MaxFeatures = "sqrt",
    max_leaf_nodes: Leaves | None = None,
    bootstrap: bool = False,
    max_samples: Share | None = None,
    random_state: Seed = 42,
) -> Estimator:
    """scikit-learn's ExtraTreesClassifier.

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
        Columns one random cut each is drawn for, per split: a number, a share, sqrt, log2, or null
        for all.
    max_leaf_nodes
        Leaves per tree at most, best first; null for no limit.
    bootstrap
        Whether each tree is grown on its own draw of the rows.
    max_samples
        Share of the rows in a draw; null for as many as there are. Needs bootstrap.
    random_state
        Seed of the draws.

    References
    ----------
    Geurts, Ernst and Wehenkel, Extremely Randomized Trees, Machine Learning 63, 2006.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    from fraudlab.graph.forest import export_forest

    estimator = ExtraTreesClassifier(
        n_estimators=n_estimators,
        criterion=criterion,
        max_depth=max_depth,
        min_samples_split=min_samples_split,
        min_samples_leaf=min_samples_leaf,
        max_features=max_features,
        max_leaf_nodes=max_leaf_nodes,
        bootstrap=bootstrap,
        max_samples=max_samples,
        n_jobs=budget(),
        random_state=random_state,
    )
    return Estimator(estimator, export_forest)
