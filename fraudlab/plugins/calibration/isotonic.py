"""A free-form, non-decreasing map."""

from __future__ import annotations

from fraudlab.links import Floats, IsotonicCalibration
from fraudlab.protocols import Labels
from fraudlab.registry import register


@register("calibration", "isotonic")
def isotonic() -> Isotonic:
    """Isotonic regression of the label on the score; wants a thousand frauds or so.

    Its plateaus make ties, so ranking metrics may fall a little.

    References
    ----------
    Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates, KDD 2002.
    """
    return Isotonic()


class Isotonic:
    """Learns the knots."""

    def fit(
        self, linear: Floats, score: Floats, y: Labels, prior_ratio: float | None
    ) -> IsotonicCalibration:
        """Return the fitted map."""
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(score, y)
        return IsotonicCalibration(
            tuple(map(float, fitted.X_thresholds_)), tuple(map(float, fitted.y_thresholds_))
        )
