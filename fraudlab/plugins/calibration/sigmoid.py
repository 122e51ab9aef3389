"""Platt scaling."""

from __future__ import annotations

import numpy as np

from fraudlab.links import Floats, SigmoidCalibration, expit
from fraudlab.protocols import Labels
from fraudlab.registry import register

SLOPE_FLOOR = 1e-6  # of the standardised score: an inverted model keeps its order, almost flat


@register("calibration", "sigmoid")
def sigmoid() -> Sigmoid:
    """Two numbers, slope and intercept, fitted by maximum likelihood; the order never changes.

    On models with a log-odds margin the map is linear in the margin, on trees and forests in the
    mean of their leaves, as in scikit-learn's CalibratedClassifierCV.

    References
    ----------
    Platt, Probabilistic Outputs for Support Vector Machines, 1999 (with his smoothed targets).
    """
    return Sigmoid()


class Sigmoid:
    """Learns slope and intercept."""

    def fit(
        self, linear: Floats, score: Floats, y: Labels, prior_ratio: float | None
    ) -> SigmoidCalibration:
        """Return the fitted map."""
        from scipy.optimize import minimize

        spread = float(linear.std()) or 1.0
        center = float(linear.mean())
        z = (linear - center) / spread
        frauds = float(y.sum())
        target = np.where(y == 1, (frauds + 1) / (frauds + 2), 1 / (len(y) - frauds + 2))

        def loss(weights: Floats) -> tuple[float, Floats]:
            margin = weights[0] * z + weights[1]
            rest = expit(margin) - target
            value = float(np.sum(np.logaddexp(0.0, margin) - target * margin))
            return value, np.array([rest @ z, rest.sum()])

        base = np.log((frauds + 1) / (len(y) - frauds + 1))
        best = minimize(
            loss, np.array([1.0, base]), jac=True, method="L-BFGS-B",
            bounds=[(SLOPE_FLOOR, None), (None, None)],
        ).x  # fmt: skip
        slope = float(best[0]) / spread
        return SigmoidCalibration(slope, float(best[1]) - slope * center)
