"""scikit-learn's isolation forest."""

from __future__ import annotations

from typing import Any

import numpy as np

from fraudlab.graph.forest import sklearn_tree
from fraudlab.graph.trees import TOLERANCE, Ints, Tree, write_trees
from fraudlab.links import Floats, IsolationLink
from fraudlab.protocols import Graph


def export(estimator: Any) -> Graph:
    """Return the graph of an IsolationForest: minus the depths at which trees set a row apart."""
    trees = [
        _tree(tree.tree_, columns)
        for tree, columns in zip(estimator.estimators_, estimator.estimators_features_, strict=True)
    ]
    depth = float(_expected_depth(np.array([estimator.max_samples_]))[0])
    link = IsolationLink(len(trees) * depth)
    return write_trees(trees, estimator.n_features_in_, link, TOLERANCE)


def _tree(fitted: Any, columns: Ints) -> Tree:
    """Return the tree of depths; a leaf of several rows adds what they would still need."""
    depth = fitted.compute_node_depths() + _expected_depth(fitted.n_node_samples) - 1.0
    return sklearn_tree(fitted, -depth, columns)  # the root has depth 1 there


def _expected_depth(rows: Ints) -> Floats:
    """Return the mean depth at which a random tree of as many rows ends.

    References
    ----------
    Liu, Ting and Zhou, Isolation Forest, ICDM 2008, equation 1.
    """
    count = np.maximum(rows, 2).astype(np.float64)
    depth = 2.0 * (np.log(count - 1.0) + np.euler_gamma) - 2.0 * (count - 1.0) / count
    depth[rows == 2] = 1.0  # noqa: PLR2004
    depth[rows <= 1] = 0.0
    return depth
