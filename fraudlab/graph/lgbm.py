"""LightGBM's gradient-boosted trees, read from its text format."""

from __future__ import annotations

from typing import Any

import numpy as np

from fraudlab.errors import ParityError
from fraudlab.graph.trees import TOLERANCE, Flags, Ints, Tree, write_trees
from fraudlab.links import Floats, SigmoidLink
from fraudlab.protocols import Graph

_CATEGORICAL, _DEFAULT_LEFT, _MISSING_SHIFT = 1, 2, 2  # bits of decision_type
_MISSING_ZERO, _MISSING_NAN = 1, 2

# LightGBM reads |x| <= 1e-35f as 0 (kZeroThreshold in its meta.h).
_ZERO = np.float32(1e-35)
_BELOW_ZERO = float(-np.nextafter(_ZERO, np.float32(1)))


def export(estimator: Any) -> Graph:
    """Return the graph of an LGBMClassifier (gbdt, goss or dart).

    Raises
    ------
    ParityError
        If the booster is of a kind that is not exported (linear trees, zero as missing, categorical
        splits, random forest mode, another objective).
    """
    header, *trees = (
        estimator.booster_.model_to_string().partition("end of trees")[0].split("Tree=")
    )
    scale = _sigmoid_scale(header)
    width = estimator.booster_.num_feature()
    return write_trees([_tree(text) for text in trees], width, SigmoidLink(scale), TOLERANCE)


def _sigmoid_scale(header: str) -> float:
    lines = header.splitlines()
    objective = next((line for line in lines if line.startswith("objective=")), "objective=none")
    name, *options = objective.removeprefix("objective=").split()
    if name != "binary":
        raise ParityError(f"LightGBM objective {name!r} has no exact export; use 'binary'")
    if "average_output" in lines:
        raise ParityError("LightGBM's boosting_type='rf' has no exact export; use 'gbdt'")
    scales = [float(text.removeprefix("sigmoid:")) for text in options if text[:8] == "sigmoid:"]
    return scales[0] if scales else 1.0


def _tree(text: str) -> Tree:
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if fields.get("is_linear", "0") != "0":
        raise ParityError("LightGBM's linear_tree=True has no exact export; use False")
    leaf = _numbers(fields["leaf_value"])
    decision = _integers(fields.get("decision_type", ""))
    threshold = _numbers(fields.get("threshold", ""))
    missing_left = _missing_left(decision, threshold)
    splits = len(decision)
    return Tree(
        feature=_joined(_integers(fields.get("split_feature", "")), np.full(len(leaf), -1)),
        threshold=_joined(_past_zero(threshold), np.zeros(len(leaf))),
        left=_children(fields.get("left_child", ""), splits, len(leaf)),
        right=_children(fields.get("right_child", ""), splits, len(leaf)),
        missing_left=_joined(missing_left, np.zeros(len(leaf), dtype=bool)),
        value=_joined(np.zeros(splits), leaf),
    )


def _missing_left(decision: Ints, threshold: Floats) -> Flags:
    if np.any(decision & _CATEGORICAL):
        raise ParityError("LightGBM's categorical splits have no exact export; encode the columns")
    kind = decision >> _MISSING_SHIFT
    if np.any(kind == _MISSING_ZERO):
        raise ParityError("LightGBM's zero_as_missing=True has no exact export; use False")
    # A split that saw no missing values in train reads NaN as 0.
    missing_left: Flags = np.where(
        kind == _MISSING_NAN, (decision & _DEFAULT_LEFT) > 0, threshold >= 0
    )
    return missing_left


def _past_zero(threshold: Floats) -> Floats:
    """Return thresholds that send what LightGBM reads as 0 where LightGBM sends it."""
    near = np.abs(threshold) <= _ZERO
    return np.where(near, np.where(threshold < 0, _BELOW_ZERO, float(_ZERO)), threshold)


def _children(text: str, splits: int, leaves: int) -> Ints:
    """Return node numbers: LightGBM counts leaves apart, as -1, -2, ..."""
    child = _integers(text)
    joined: Ints = _joined(np.where(child < 0, splits + ~child, child), np.full(leaves, -1))
    return joined


def _joined(of_splits: Any, of_leaves: Any) -> Any:
    return np.concatenate([of_splits, of_leaves])


def _numbers(text: str) -> Floats:
    return np.array(text.split(), dtype=np.float64)


def _integers(text: str) -> Ints:
    return np.array(text.split(), dtype=np.int64)
