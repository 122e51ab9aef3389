"""EasyEnsemble: the mean over bags of AdaBoost's probability, a sigmoid of the stumps' votes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from fraudlab.graph import nodes
from fraudlab.graph.forest import last_step, sklearn_tree
from fraudlab.graph.trees import TOLERANCE, Tree, ensemble_node, thresholds_of
from fraudlab.links import MeanLink
from fraudlab.protocols import Graph

# onnxruntime takes the sigmoid of up to as many doubles at once, and of what is left over one by
# one, with another last bit: rows of whole lanes score the same in any batch.
_LANES = 8


def export(estimator: Any) -> Graph:
    """Return the graph of an EasyEnsembleClassifier whose bags are AdaBoostClassifiers of trees.

    Each bag has a sum of its own in the ensemble node. The mean of their sigmoids is no function of
    one sum, so that they are taken and added in the graph, in float64.
    """
    bags = [last_step(bag) for bag in estimator.estimators_]
    trees = [tree for target, bag in enumerate(bags) for tree in _votes(bag, target)]
    count = len(bags)
    unused = -count % _LANES
    scales = [*(2.0 / bag.estimator_weights_.sum() for bag in bags), *np.zeros(unused)]
    chances = [f"chance{number}" for number in range(count + unused)]
    body = [
        nodes.cast_to_double(),
        ensemble_node(trees, nodes.DOUBLES, "votes", targets=len(scales)),
        nodes.node("Mul", ["votes", "scales"], "margins"),
        nodes.node("Sigmoid", ["margins"], "chances"),
        nodes.node("Split", ["chances"], *chances, axis=1, num_outputs=len(scales)),
        nodes.node("Sum", chances[:count], nodes.MARGIN),  # in this order: ReduceSum has several
    ]
    content = nodes.serialise(
        body, {"scales": np.array(scales)}, estimator.n_features_in_, onnx.TensorProto.DOUBLE
    )
    return Graph(
        onnx=content, link=MeanLink(count), tolerance=TOLERANCE, thresholds=thresholds_of(trees)
    )


def _votes(bag: Any, target: int) -> list[Tree]:
    """Return the trees of an AdaBoost, each leaf its tree's weight, for fraud or against.

    predict takes the first class, genuine, when both are as likely.
    """
    made = []
    for tree, weight in zip(bag.estimators_, bag.estimator_weights_, strict=False):
        genuine, fraud = tree.tree_.value[:, 0].T
        votes = np.where(fraud > genuine, weight, -weight)
        made.append(replace(sklearn_tree(tree.tree_, votes), target=target))
    return made
