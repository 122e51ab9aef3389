"""Scikit-learn style classifiers as fraudlab models, and the types their plugins share."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from msgspec import Meta
from numpy.typing import DTypeLike

from fraudlab.errors import DataError, FraudlabError
from fraudlab.preprocess import Floats, Matrix
from fraudlab.protocols import Graph, Labels
from fraudlab.threads import budget, one_blas_thread

Seed: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000_000)]  # libraries count in 32 bits
Trees: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000)]
Depth: TypeAlias = Annotated[int, Meta(ge=1, le=10_000)]
Leaves: TypeAlias = Annotated[int, Meta(ge=2, le=10_000_000)]
Bins: TypeAlias = Annotated[int, Meta(ge=2, le=65_536)]
Share: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Positive: TypeAlias = Annotated[float, Meta(gt=0)]
NotNegative: TypeAlias = Annotated[float, Meta(ge=0)]
MaxFeatures: TypeAlias = Literal["sqrt", "log2"] | Count | Share | None
Criterion: TypeAlias = Literal["gini", "entropy", "log_loss"]


def _sums_may_overflow() -> np.errstate:
    """Return a context without warnings: scikit-learn looks for NaN by adding up the matrix."""
    return np.errstate(over="ignore", invalid="ignore")


class Estimator:
    """A classifier with `fit` and `predict_proba`, and the function that exports it.

    Parameters
    ----------
    estimator
        The unfitted classifier.
    export
        Writes the fitted classifier as a graph.
    dtype
        What the matrix is fitted and scored as: float64 for models that would otherwise compute in
        float32. Its values are those of the float32 matrix either way.
    fraud_weight
        How much more a fraud weighs by the classifier's own parameters.
    """

    def __init__(
        self,
        estimator: Any,
        export: Callable[[Any], Graph],
        *,
        dtype: DTypeLike = np.float32,
        fraud_weight: float = 1.0,
    ) -> None:
        self.estimator = estimator
        self.prior_ratio = 1.0 / fraud_weight
        self._export = export
        self._dtype = dtype

    def fit(self, X: Matrix, y: Labels, sample_weight: Floats | None = None) -> None:
        """Fit on train.

        Raises
        ------
        DataError
            If train has no row of one of the two classes, or the library cannot work with it; the
            reason is then in the library's words.
        """
        frauds = int(np.count_nonzero(y))
        if frauds in {0, len(y)}:
            raise DataError(
                f"train has {frauds} frauds in {len(y)} rows; a model needs rows of both classes:"
                " choose a longer or another train window"
            )
        try:
            with one_blas_thread(), _sums_may_overflow():
                self._fit(X.astype(self._dtype, copy=False), y, sample_weight)
        except FraudlabError:
            raise
        except ValueError as error:
            raise DataError(
                f"{type(self.estimator).__name__} cannot be fitted on this train part ({frauds}"
                f" frauds, {len(y) - frauds} genuine): {str(error).partition(chr(10))[0]}"
            ) from error

    def _fit(self, X: Any, y: Labels, sample_weight: Floats | None) -> None:
        self.estimator.fit(X, y, sample_weight=sample_weight)

    def score(self, X: Matrix) -> Floats:
        """Return the classifier's own probability of fraud."""
        with one_blas_thread(), _sums_may_overflow():
            chances = self.estimator.predict_proba(X.astype(self._dtype, copy=False))
        score: Floats = chances[:, 1].astype(np.float64)
        return score

    def to_onnx(self) -> Graph:
        """Return the fitted classifier as a graph."""
        return self._export(self.estimator)


class BaggedEstimator(Estimator):
    """A bag of classifiers, fitted in threads; scored in one, so that sums have one order.

    Parameters
    ----------
    estimator
        The unfitted classifier, with `n_jobs` left open.
    export
        Writes the fitted classifier as a graph.
    seen_odds
        Frauds per genuine row of what each member is shown, where the bag draws so; None where it
        draws from train as it is.
    """

    def __init__(
        self, estimator: Any, export: Callable[[Any], Graph], *, seen_odds: float | None = None
    ) -> None:
        super().__init__(estimator, export)
        self._seen_odds = seen_odds

    def _fit(self, X: Any, y: Labels, sample_weight: Floats | None) -> None:
        from joblib import parallel_config

        # Some of imbalanced-learn's take no weights at all, not even None.
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        with parallel_config("threading", n_jobs=budget()):
            self.estimator.fit(X, y, **weights)
        if self._seen_odds is not None:
            frauds = int(np.count_nonzero(y))
            self.prior_ratio = frauds / (len(y) - frauds) / self._seen_odds


_INTERRUPTED = "Training interrupted by user"


class IterativeEstimator(Estimator):
    """A classifier in float64 whose optimiser may run out of iterations, which is one warning."""

    def __init__(self, estimator: Any, export: Callable[[Any], Graph]) -> None:
        super().__init__(estimator, export, dtype=np.float64)

    def _fit(self, X: Any, y: Labels, sample_weight: Floats | None) -> None:
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            super()._fit(X, y, sample_weight)
        if any(str(w.message).startswith(_INTERRUPTED) for w in caught):
            raise KeyboardInterrupt  # scikit-learn's mlp takes it for the end of training
        unfinished = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
        for other in caught:
            if other not in unfinished:
                warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
        if unfinished:
            warnings.warn(
                f"{type(self.estimator).__name__} did not converge in"
                f" max_iter={self.estimator.max_iter}; raise model.params.max_iter, or let a scaler"
                " bring the columns to one scale",
                ConvergenceWarning,
                stacklevel=3,
            )


class MarginEstimator(Estimator):
    """xgboost: its probability is float32, so that the gate compares the margin instead."""

    def margin(self, X: Matrix) -> Floats:
        """Return the booster's own sum, the number the graph must reproduce bit by bit."""
        margin: Floats = self.estimator.predict(X, output_margin=True).astype(np.float64)
        return margin
