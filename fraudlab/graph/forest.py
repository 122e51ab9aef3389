"""scikit-learn's trees and what averages them: a tree, forests, bags of trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from fraudlab.graph.trees import TOLERANCE, Ints, Tree, write_trees
from fraudlab.links import Floats, MeanLink
from fraudlab.protocols import Graph


def export_tree(estimator: Any) -> Graph:
    """Return the graph of a DecisionTreeClassifier."""
    return write_trees([_fraud_tree(estimator)], estimator.n_features_in_, MeanLink(), TOLERANCE)


def export_forest(estimator: Any) -> Graph:
    """Return the graph of a forest (RandomForest, ExtraTrees, BalancedRandomForest)."""
    trees = [_fraud_tree(tree) for tree in estimator.estimators_]
    return write_trees(trees, estimator.n_features_in_, MeanLink(len(trees)), TOLERANCE)


def export_bagging(estimator: Any) -> Graph:
    """Return the graph of bagged trees (BaggingClassifier, BalancedBaggingClassifier)."""
    trees = [
        _fraud_tree(last_step(bag), columns)
        for bag, columns in zip(estimator.estimators_, estimator.estimators_features_, strict=True)
    ]
    return write_trees(trees, estimator.n_features_in_, MeanLink(len(trees)), TOLERANCE)


def last_step(bag: Any) -> Any:
    """Return the classifier of a bag: imbalanced-learn's are pipelines, the sampler before it."""
    return bag.steps[-1][1] if hasattr(bag, "steps") else bag


def sklearn_tree(fitted: Any, value: Floats, columns: Ints | None = None) -> Tree:
    """Return scikit-learn's tree structure with the leaf values `value`.

    Parameters
    ----------
    fitted
        The `tree_` of a fitted tree.
    value
        One number per node; those of splits are not read.
    columns
        Which columns of the matrix the tree was shown, where it was not shown all.
    """
    split = fitted.children_left >= 0
    feature = np.maximum(fitted.feature, 0)  # -2 in leaves
    if columns is not None:
        feature = np.asarray(columns)[feature]
    return Tree(
        feature=np.where(split, feature, -1).astype(np.int64),
        threshold=np.where(split, fitted.threshold, 0.0),
        left=fitted.children_left.astype(np.int64),
        right=fitted.children_right.astype(np.int64),
        missing_left=fitted.missing_go_to_left.astype(bool),
        value=value,
    )


def _fraud_tree(estimator: Any, columns: Ints | None = None) -> Tree:
    """Return the tree whose leaves are the probability of fraud, as predict_proba gives it."""
    fitted = estimator.tree_
    classes = list(estimator.classes_)
    # A tree of a bag may have been shown one class only.
    value = fitted.value[:, 0, classes.index(1)] if 1 in classes else np.zeros(fitted.node_count)
    return sklearn_tree(fitted, value, columns)
