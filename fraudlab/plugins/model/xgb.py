"""Gradient-boosted trees, by xgboost."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from fraudlab.errors import ConfigError
from fraudlab.estimators import Bins, MarginEstimator, NotNegative, Positive, Seed, Share, Trees
from fraudlab.registry import register
from fraudlab.threads import budget


def _consistent(*, max_depth: int, tree_method: str, **_: object) -> None:
    if tree_method == "exact" and max_depth == 0:
        raise ConfigError(
            "model.params.max_depth=0 (no limit) does not go with tree_method 'exact';"
            " give max_depth, or use tree_method=hist"
        )


@register("model", "xgb", consistent=_consistent)
def xgb(
    *,
    n_estimators: Trees = 100,
    max_depth: Annotated[int, Meta(ge=0, le=1000)] = 6,
    learning_rate: Share = 0.3,
    min_child_weight: NotNegative = 1.0,
    gamma: NotNegative = 0.0,
    max_delta_step: NotNegative = 0.0,
    subsample: Share = 1.0,
    colsample_bytree: Share = 1.0,
    reg_alpha: NotNegative = 0.0,
    reg_lambda: NotNegative = 1.0,
    scale_pos_weight: Positive = 1.0,
    base_score: Annotated[float, Meta(gt=0, lt=1)] | None = None,
    tree_method: Literal["hist", "exact", "approx"] = "hist",
    max_bin: Bins = 256,
    random_state: Seed = 42,
) -> MarginEstimator:
    """Boost trees level by level: the XGBClassifier of xgboost.

    Parameters
    ----------
    n_estimators
        Trees.
    max_depth
        Splits on the longest path; 0 for no limit, which exact does not know.
    learning_rate
        Share of each tree that is added.
    min_child_weight
        Hessian a leaf needs.
    gamma
        Loss a split must gain.
    max_delta_step
        Largest step of a leaf; 1 to 10 steadies very rare frauds, 0 for no limit.
    subsample
        Share of the rows per tree.
    colsample_bytree
        Share of the columns per tree.
    reg_alpha
        L1 penalty of the leaves.
    reg_lambda
        L2 penalty of the leaves.
    scale_pos_weight
        Weight of a fraud; multiplies with the sampler class_weight.
    base_score
        Probability before the first tree; null estimates it from train. With rare frauds it matters
        beyond the start: it scales the hessians that min_child_weight is held against.
    tree_method
        exact looks at every value: results published before xgboost 2.0 are its.
    max_bin
        Bins per column of hist and approx.
    random_state
        Seed of the draws.
    """
    from xgboost import XGBClassifier

    from fraudlab.graph.xgb import export

    estimator = XGBClassifier(
        n_estimators=n_estimators,
        max_depth=max_depth,
        learning_rate=learning_rate,
        min_child_weight=min_child_weight,
        gamma=gamma,
        max_delta_step=max_delta_step,
        subsample=subsample,
        colsample_bytree=colsample_bytree,
        reg_alpha=reg_alpha,
        reg_lambda=reg_lambda,
        scale_pos_weight=scale_pos_weight,
        base_score=base_score,
        tree_method=tree_method,
        max_bin=max_bin,
        random_state=random_state,
        n_jobs=budget(),
        verbosity=0,
    )
    return MarginEstimator(estimator, export, fraud_weight=scale_pos_weight)
