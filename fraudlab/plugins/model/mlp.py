"""Multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from fraudlab.estimators import Count, IterativeEstimator, NotNegative, Positive, Seed
from fraudlab.registry import register

Units = Annotated[int, Meta(ge=1, le=100_000)]


@register("model", "mlp")
def mlp(
    *,
    hidden_layer_sizes: Annotated[Sequence[Units], Meta(min_length=1, max_length=100)] = (100,),
    alpha: NotNegative = 0.0001,
    batch_size: Literal["auto"] | Count = "auto",
    learning_rate_init: Positive = 0.001,
    max_iter: Count = 200,
    early_stopping: bool = False,
    validation_fraction: Annotated[float, Meta(gt=0, lt=1)] = 0.1,
    n_iter_no_change: Count = 10,
    tol: NotNegative = 1e-4,
    random_state: Seed = 42,
) -> IterativeEstimator:
    """scikit-learn's MLPClassifier: hidden layers with relu, fitted by adam; scale the columns.

    Parameters
    ----------
    hidden_layer_sizes
        Units of each hidden layer, from the inputs on: [32, 16].
    alpha
        L2 penalty of the weights.
    batch_size
        Rows per step; auto is 200, or all where there are fewer.
    learning_rate_init
        Size of a step.
    max_iter
        Passes over train after which it gives up, with a warning.
    early_stopping
        Whether a random part of train is held out, and its accuracy says when to stop; with rare
        frauds accuracy says little.
    validation_fraction
        Share of train held out for early_stopping.
    n_iter_no_change
        Passes without progress after which it stops.
    tol
        Fall of the loss (early_stopping: rise of the accuracy) that is progress.
    random_state
        Seed of the first weights and of the order of rows.
    """
    from sklearn.neural_network import MLPClassifier

    from fraudlab.graph.dense import export_mlp

    estimator = MLPClassifier(
        hidden_layer_sizes=hidden_layer_sizes,
        activation="relu",
        solver="adam",
        alpha=alpha,
        batch_size=batch_size,
        learning_rate_init=learning_rate_init,
        max_iter=max_iter,
        early_stopping=early_stopping,
        validation_fraction=validation_fraction,
        n_iter_no_change=n_iter_no_change,
        tol=tol,
        random_state=random_state,
    )
    return IterativeEstimator(estimator, export_mlp)
