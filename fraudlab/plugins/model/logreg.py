"""Logistic regression."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from fraudlab.errors import ConfigError
from fraudlab.estimators import Count, IterativeEstimator, Positive, Seed
from fraudlab.registry import register


def _consistent(*, l1_ratio: float, solver: str, **_: object) -> None:
    if l1_ratio > 0 and solver != "saga":
        raise ConfigError(
            f"model.params.l1_ratio={l1_ratio!r} needs solver 'saga', got {solver!r};"
            " set model.params.solver=saga or l1_ratio=0"
        )


@register("model", "logreg", consistent=_consistent)
def logreg(
    *,
    C: Positive = 1.0,
    l1_ratio: Annotated[float, Meta(ge=0, le=1)] = 0.0,
    fit_intercept: bool = True,
    solver: Literal["lbfgs", "newton-cholesky", "saga"] = "lbfgs",
    tol: Positive = 1e-4,
    max_iter: Count = 1000,
    random_state: Seed = 42,
) -> IterativeEstimator:
    """scikit-learn's LogisticRegression.

    `max_iter` is 1000 instead of 100: with the columns left unscaled, 100 are not enough.

    Parameters
    ----------
    C
        Inverse strength of the penalty.
    l1_ratio
        Share of the penalty that is L1; above 0 it needs the solver saga.
    fit_intercept
        Whether there is an intercept; it is not penalised.
    solver
        Optimiser; saga wants scaled columns.
    tol
        Tolerance at which it stops.
    max_iter
        Iterations after which it gives up, with a warning.
    random_state
        Seed of saga's order of rows.
    """
    from sklearn.linear_model import LogisticRegression

    from fraudlab.graph.dense import export_linear

    estimator = LogisticRegression(
        C=C,
        l1_ratio=l1_ratio,
        fit_intercept=fit_intercept,
        solver=solver,
        tol=tol,
        max_iter=max_iter,
        random_state=random_state,
    )
    return IterativeEstimator(estimator, export_linear)
