"""Isolation forest: how easily a row is set apart from the others."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from fraudlab.errors import DataError
from fraudlab.estimators import BaggedEstimator, Seed, Share, Trees
from fraudlab.preprocess import Floats, Matrix
from fraudlab.protocols import Labels
from fraudlab.registry import register

FEWEST = 2  # rows that can be told apart
Drawn = Annotated[int, Meta(ge=FEWEST, le=1_000_000_000)]


@register(
    "model",
    "isolation_forest",
    excludes={"sampler": ["class_weight"], "calibration": ["prior"]},
)
def isolation_forest(
    *,
    n_estimators: Trees = 100,
    max_samples: Literal["auto"] | Drawn | Share = "auto",
    max_features: Share = 1.0,
    bootstrap: bool = False,
    random_state: Seed = 42,
) -> Isolation:
    """scikit-learn's IsolationForest, which looks at no label.

    Its score, between 0 and 1, is higher the stranger a row is. It is no probability of fraud:
    calibration=sigmoid or isotonic makes one of it.

    Parameters
    ----------
    n_estimators
        Trees.
    max_samples
        Rows each tree is shown: a number, a share, or auto for 256; all where there are fewer.
    max_features
        Share of the columns each tree is shown, at least one.
    bootstrap
        Whether rows are drawn with replacement.
    random_state
        Seed of the draws.

    References
    ----------
    Liu, Ting and Zhou, Isolation Forest, ICDM 2008, doi 10.1109/ICDM.2008.17.
    """
    from sklearn.ensemble import IsolationForest

    from fraudlab.graph.isolation import export

    estimator = IsolationForest(
        n_estimators=n_estimators,
        max_samples=max_samples,
        max_features=max_features,
        bootstrap=bootstrap,
        random_state=random_state,
    )
    return Isolation(estimator, export)


class Isolation(BaggedEstimator):
    """Fits without labels, and scores strangeness."""

    def _fit(self, X: Any, y: Labels, sample_weight: Floats | None) -> None:
        share = self.estimator.max_samples
        if isinstance(share, float) and share * len(X) < FEWEST:
            raise DataError(
                f"model.params.max_samples={share!r} of {len(X)} rows is less than the two rows"
                " a tree needs to tell apart; raise it"
            )
        super()._fit(X, y, sample_weight)

    def score(self, X: Matrix) -> Floats:
        """Return the anomaly score, float64 [N]."""
        score: Floats = -self.estimator.score_samples(X)
        return score
