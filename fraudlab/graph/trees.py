"""The normal form every tree model is brought into, and its one ONNX node.

ai.onnx.ml 5 `TreeEnsemble` is the only tree operator whose output can be float64, which is why the
export is exact: thresholds, leaves and sums are the library's own doubles. xgboost alone adds up
in float32, and so does its graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from fraudlab.graph import nodes
from fraudlab.links import Floats, Link
from fraudlab.protocols import Graph

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

TOLERANCE = 1e-12
_LEQ, _LT = 0, 1  # nodes_modes
_SUM = 1  # aggregate_function
_NO_TRANSFORM = 0  # post_transform


@dataclass(frozen=True, slots=True)
class Tree:
    """One binary tree; node 0 is the root and all arrays have one entry per node.

    Attributes
    ----------
    feature
        Column the node splits on, -1 in leaves.
    threshold
        Rows at or below it (xgboost: strictly below it) go left.
    left, right
        Children, by number of node.
    missing_left
        Whether NaN goes left.
    value
        What a leaf adds to the margin.
    target
        Which sum the leaves add to, in a graph that makes several before the margin.
    """

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: Flags
    value: Floats
    target: int = 0


def constant_tree(value: float) -> Tree:
    """Return the tree of one leaf."""
    none, nowhere = np.array([-1]), np.zeros(1)
    return Tree(none, nowhere, none, none, np.zeros(1, dtype=bool), np.array([value]))


def write_trees(
    trees: Sequence[Tree], width: int, link: Link, tolerance: float, *, float32: bool = False
) -> Graph:
    """Return the graph that adds up `trees` in their order.

    Parameters
    ----------
    trees
        None at all is a model that is 0 everywhere.
    width
        Number of columns of the matrix.
    link
        Turns the sum into the model's probability.
    tolerance
        Goes into the graph, for the parity gate.
    float32
        Compare and add as xgboost does: in float32, rows strictly below the threshold go left.
    """
    trees = trees or [constant_tree(0.0)]
    source = nodes.ROWS if float32 else nodes.DOUBLES
    body = [] if float32 else [nodes.cast_to_double()]
    body.append(ensemble_node(trees, source, nodes.MARGIN, float32=float32))
    kind = onnx.TensorProto.FLOAT if float32 else onnx.TensorProto.DOUBLE
    return Graph(
        onnx=nodes.serialise(body, {}, width, kind),
        link=link,
        tolerance=tolerance,
        thresholds=thresholds_of(trees),
    )


def _splitting(tree: Tree) -> Tree:
    """Return a tree of one leaf as a split whose two sides are equal: the node knows no other."""
    if tree.feature[0] >= 0:
        return tree
    leaf = float(tree.value[0])
    return Tree(
        feature=np.array([0, -1]),
        threshold=np.zeros(2),
        left=np.array([1, -1]),
        right=np.array([1, -1]),
        missing_left=np.zeros(2, dtype=bool),
        value=np.array([0.0, leaf]),
        target=tree.target,
    )


def ensemble_node(
    trees: Sequence[Tree], source: str, output: str, *, targets: int = 1, float32: bool = False
) -> onnx.NodeProto:
    """Return the TreeEnsemble that makes [N, targets] sums of `source`.

    It numbers splits and leaves apart, over all trees.
    """
    trees = [_splitting(tree) for tree in trees]
    splits = [tree.feature >= 0 for tree in trees]
    first_split = np.cumsum([0, *(int(split.sum()) for split in splits)])
    first_leaf = np.cumsum([0, *(int((~split).sum()) for split in splits)])
    dtype = np.float32 if float32 else np.float64
    chosen = list(zip(trees, splits, strict=True))
    at = _children(chosen, first_split, first_leaf)
    count = int(first_split[-1])
    return nodes.node(
        "TreeEnsemble",
        [source],
        output,
        domain=nodes.ML,
        aggregate_function=_SUM,
        post_transform=_NO_TRANSFORM,
        n_targets=targets,
        tree_roots=first_split[:-1],
        nodes_featureids=np.concatenate([tree.feature[split] for tree, split in chosen]),
        nodes_splits=np.concatenate([tree.threshold[split] for tree, split in chosen]).astype(
            dtype
        ),
        nodes_modes=np.full(count, _LT if float32 else _LEQ, dtype=np.uint8),
        nodes_missing_value_tracks_true=np.concatenate(
            [tree.missing_left[split] for tree, split in chosen]
        ).astype(np.int64),
        nodes_truenodeids=np.concatenate(at["true"]),
        nodes_falsenodeids=np.concatenate(at["false"]),
        nodes_trueleafs=np.concatenate(at["trueleaf"]),
        nodes_falseleafs=np.concatenate(at["falseleaf"]),
        leaf_targetids=np.repeat([tree.target for tree in trees], np.diff(first_leaf)),
        leaf_weights=np.concatenate([tree.value[~split] for tree, split in chosen]).astype(dtype),
    )


def _children(
    chosen: Sequence[tuple[Tree, Flags]], first_split: Ints, first_leaf: Ints
) -> dict[str, list[Ints]]:
    """Return each split's children by the ensemble's own numbers, and which of them are leaves."""
    at: dict[str, list[Ints]] = {"true": [], "false": [], "trueleaf": [], "falseleaf": []}
    for number, (tree, split) in enumerate(chosen):
        places = np.where(
            split,
            first_split[number] + np.cumsum(split) - 1,
            first_leaf[number] + np.cumsum(~split) - 1,
        )
        for side, child in (("true", tree.left[split]), ("false", tree.right[split])):
            at[side].append(places[child])
            at[f"{side}leaf"].append((~split[child]).astype(np.int64))
    return at


def thresholds_of(trees: Sequence[Tree]) -> dict[int, Floats]:
    """Return the split thresholds per column, as `Graph` has them."""
    feature = np.concatenate([tree.feature for tree in trees])
    threshold = np.concatenate([tree.threshold for tree in trees])
    used = np.unique(feature[feature >= 0])
    return {int(column): np.unique(threshold[feature == column]) for column in used}
