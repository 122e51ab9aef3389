"""scikit-learn's histogram gradient boosting."""

from __future__ import annotations

from typing import Any

import numpy as np

from fraudlab.errors import ParityError
from fraudlab.graph.trees import TOLERANCE, Tree, constant_tree, write_trees
from fraudlab.links import SigmoidLink
from fraudlab.protocols import Graph


def export(estimator: Any) -> Graph:
    """Return the graph of a HistGradientBoostingClassifier of two classes: baseline, then trees.

    Raises
    ------
    ParityError
        If it has categorical splits.
    """
    # Nothing public holds them; the parity gate tells should they ever mean something else.
    first, trees = estimator._baseline_prediction, estimator._predictors  # noqa: SLF001
    baseline = constant_tree(float(first.item()))
    trees = [_tree(tree.nodes) for (tree,) in trees]
    return write_trees([baseline, *trees], estimator.n_features_in_, SigmoidLink(), TOLERANCE)


def _tree(fitted: Any) -> Tree:
    """Return the tree of scikit-learn's array of nodes."""
    if fitted["is_categorical"].any():
        raise ParityError(
            "the categorical splits of HistGradientBoostingClassifier have no exact export;"
            " encode the columns"
        )
    split = ~fitted["is_leaf"].astype(bool)
    return Tree(
        feature=np.where(split, fitted["feature_idx"], -1).astype(np.int64),
        threshold=np.where(split, fitted["num_threshold"], 0.0),
        left=np.where(split, fitted["left"], -1).astype(np.int64),
        right=np.where(split, fitted["right"], -1).astype(np.int64),
        missing_left=fitted["missing_go_to_left"].astype(bool),
        value=fitted["value"].astype(np.float64),
    )
