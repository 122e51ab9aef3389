"""The gradient-boosted trees of xgboost, in its own float32."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from fraudlab.errors import ParityError
from fraudlab.graph.trees import Ints, Tree, constant_tree, write_trees
from fraudlab.links import SigmoidLink
from fraudlab.protocols import Graph

TOLERANCE = 2e-7  # of predict_proba, xgboost's float32 sigmoid; the margin is bit-equal


def export(estimator: Any) -> Graph:
    """Return the graph of an XGBClassifier: base margin first, then the trees, as xgboost adds.

    Raises
    ------
    ParityError
        If the booster is of a kind that is not exported (dart, gblinear, several outputs, another
        objective, categorical splits).
    """
    booster = estimator.get_booster()
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    _refuse_unknown(learner)
    model = learner["gradient_booster"]["model"]
    last = booster.attr("best_iteration")
    rounds = len(model["iteration_indptr"]) - 1 if last is None else int(last) + 1
    trees = [_tree(tree) for tree in model["trees"][: model["iteration_indptr"][rounds]]]
    base = constant_tree(_base_margin(booster))
    width = booster.num_features()
    return write_trees([base, *trees], width, SigmoidLink(), TOLERANCE, float32=True)


def _refuse_unknown(learner: dict[str, Any]) -> None:
    shape = learner["learner_model_param"]
    found = {
        "booster": (learner["gradient_booster"]["name"], "gbtree"),
        "objective": (learner["objective"]["name"], "binary:logistic"),
        "num_class": (shape["num_class"], "0"),
        "num_target": (shape["num_target"], "1"),
    }
    for what, (got, allowed) in found.items():
        if got != allowed:
            raise ParityError(f"xgboost {what} {got!r} has no exact export; use {allowed!r}")


def _base_margin(booster: Any) -> float:
    """Return the margin before the first tree, from xgboost itself.

    Recomputing it from the stored base_score misses the last bit of some fits. A range of no
    rounds is one that ends where it begins, except for (0, 0), which xgboost reads as all.
    """
    from xgboost import DMatrix

    rounds = booster.num_boosted_rounds()
    row = DMatrix(np.zeros((1, booster.num_features()), dtype=np.float32))
    margin = booster.predict(row, output_margin=True, iteration_range=(rounds, rounds))
    return float(margin[0])


def _tree(content: dict[str, Any]) -> Tree:
    if any(content["split_type"]):
        raise ParityError("xgboost's categorical splits have no exact export; encode the columns")
    left = np.array(content["left_children"], dtype=np.int64)
    right = np.array(content["right_children"], dtype=np.int64)
    number = np.array(content["split_conditions"], dtype=np.float32).astype(np.float64)
    feature = np.where(left < 0, -1, np.array(content["split_indices"], dtype=np.int64))
    missing_left = np.array(content["default_left"], dtype=bool)
    kept = _reachable(left, right)
    renumbered = np.full(len(left) + 1, -1)  # the last entry stands for a leaf's child, -1
    renumbered[kept] = np.arange(len(kept))
    return Tree(
        feature=feature[kept],
        threshold=number[kept],
        left=renumbered[left[kept]],
        right=renumbered[right[kept]],
        missing_left=missing_left[kept],
        value=number[kept],
    )


def _reachable(left: Ints, right: Ints) -> Ints:
    """Return the nodes below the root, by level: pruned ones stay in xgboost's arrays."""
    levels = [np.zeros(1, dtype=np.int64)]
    while len(levels[-1]):
        splits = levels[-1][left[levels[-1]] >= 0]
        levels.append(np.column_stack([left[splits], right[splits]]).ravel())
    return np.concatenate(levels)
