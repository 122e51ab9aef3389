"""Gradient-boosted trees, by LightGBM."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from fraudlab.errors import ConfigError
from fraudlab.estimators import Bins, Estimator, NotNegative, Positive, Seed, Share, Trees
from fraudlab.registry import register
from fraudlab.threads import budget


def _consistent(*, subsample: float, subsample_freq: int, **_: object) -> None:
    if subsample < 1 and subsample_freq == 0:
        raise ConfigError(
            f"model.params.subsample={subsample!r} has no effect while subsample_freq is 0;"
            " set model.params.subsample_freq=1"
        )


@register("model", "lgbm", consistent=_consistent)
def lgbm(
    *,
    boosting_type: Literal["gbdt", "dart"] = "gbdt",
    n_estimators: Trees = 100,
    num_leaves: Annotated[int, Meta(ge=2, le=131_072)] = 31,
    max_depth: Annotated[int, Meta(ge=-1, le=10_000)] = -1,
    learning_rate: Positive = 0.1,
    min_child_samples: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 20,
    min_child_weight: NotNegative = 0.001,
    min_split_gain: NotNegative = 0.0,
    subsample: Share = 1.0,
    subsample_freq: Annotated[int, Meta(ge=0, le=1_000_000)] = 0,
    colsample_bytree: Share = 1.0,
    reg_alpha: NotNegative = 0.0,
    reg_lambda: NotNegative = 0.0,
    scale_pos_weight: Positive = 1.0,
    max_bin: Bins = 255,
    random_state: Seed = 42,
) -> Estimator:
    """Boost trees leaf by leaf: the LGBMClassifier of LightGBM.

    Parameters
    ----------
    boosting_type
        gbdt, or dart, which drops earlier trees at random.
    n_estimators
        Trees.
    num_leaves
        Leaves per tree.
    max_depth
        Splits on the longest path; -1 for no limit.
    learning_rate
        Share of each tree that is added.
    min_child_samples
        Rows a leaf needs.
    min_child_weight
        Hessian a leaf needs.
    min_split_gain
        Loss a split must gain.
    subsample
        Share of the rows per draw; below 1 it needs subsample_freq.
    subsample_freq
        Trees between two draws; 0 draws never.
    colsample_bytree
        Share of the columns per tree.
    reg_alpha
        L1 penalty of the leaves.
    reg_lambda
        L2 penalty of the leaves.
    scale_pos_weight
        Weight of a fraud; multiplies with the sampler class_weight.
    max_bin
        Bins per column.
    random_state
        Seed of the draws.
    """
    from lightgbm import LGBMClassifier

    from fraudlab.graph.lgbm import export

    estimator = LGBMClassifier(
        boosting_type=boosting_type,
        n_estimators=n_estimators,
        num_leaves=num_leaves,
        max_depth=max_depth,
        learning_rate=learning_rate,
        min_child_samples=min_child_samples,
        min_child_weight=min_child_weight,
        min_split_gain=min_split_gain,
        subsample=subsample,
        subsample_freq=subsample_freq,
        colsample_bytree=colsample_bytree,
        reg_alpha=reg_alpha,
        reg_lambda=reg_lambda,
        scale_pos_weight=scale_pos_weight,
        max_bin=max_bin,
        random_state=random_state,
        n_jobs=budget(),
        deterministic=True,  # the same trees whatever the number of threads
        force_row_wise=True,
        verbosity=-1,
    )
    return Estimator(estimator, export, fraud_weight=scale_pos_weight)
