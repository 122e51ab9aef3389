"""How a graph's margin becomes a raw score, and a raw score a calibrated one: numbers, not code.

The graph ends in sums (ONNX post-transforms are inexact or ignored), so the last steps are float64
numpy here. `Link` turns the margin into the fitted model's own probability; `Calibration` maps that
to the probability fraudlab reports, and says whether it `keeps_ranking` or may make ties. Both are
part of the manifest.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


def expit(margin: Floats) -> Floats:
    """Return 1 / (1 + exp(-margin)); where the exponential overflows that is 0, as it should be."""
    with np.errstate(over="ignore"):
        odds_against: Floats = np.exp(-margin)
    odds_against += 1.0
    return np.divide(1.0, odds_against, out=odds_against)


class SigmoidLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="sigmoid"):
    """The margin is log-odds times `1 / scale` (logreg, mlp, boosted trees)."""

    scale: float = 1.0

    def linear(self, margin: Floats) -> Floats:
        """Return the log-odds: what a sigmoid calibration is fitted on."""
        return margin if self.scale == 1.0 else margin * self.scale

    def score(self, margin: Floats) -> Floats:
        """Return the model's own probability."""
        return expit(self.linear(margin))


class MeanLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="mean"):
    """The margin is a sum of `count` probabilities (trees and forests)."""

    count: int = 1

    def linear(self, margin: Floats) -> Floats:
        """Return the mean: a forest's scores of exactly 0 and 1 have no finite log-odds."""
        return margin / self.count

    def score(self, margin: Floats) -> Floats:
        """Return the model's own probability."""
        return margin / self.count


class IsolationLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="isolation"):
    """The margin is minus a sum of depths, `scale` what that sum is expected to be (above 0).

    The score is 2 ** (margin / scale), an isolation forest's anomaly score: 0.5 is average, near 1
    a row that few questions set apart (Liu, Ting and Zhou, Isolation Forest, ICDM 2008).
    """

    scale: float

    def linear(self, margin: Floats) -> Floats:
        """Return the logarithm of the score, to base 2."""
        return margin / self.scale

    def score(self, margin: Floats) -> Floats:
        """Return the anomaly score; it is no probability."""
        score: Floats = np.power(2.0, self.linear(margin))
        return score


Link: TypeAlias = SigmoidLink | MeanLink | IsolationLink


class IdentityCalibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="identity"):
    """Report the model's own probability."""

    keeps_ranking: ClassVar[bool] = True

    def apply(self, margin: Floats, link: Link) -> Floats:
        """Return the score of `margin`."""
        return link.score(margin)


class SigmoidCalibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="sigmoid"):
    """Platt scaling: expit(slope * linear + intercept), with slope > 0 so the order stays."""

    keeps_ranking: ClassVar[bool] = True

    slope: float
    intercept: float

    def apply(self, margin: Floats, link: Link) -> Floats:
        """Return the calibrated probability."""
        return expit(self.slope * link.linear(margin) + self.intercept)


class IsotonicCalibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="isotonic"):
    """A non-decreasing, piecewise linear map of the score through the knots (x, y)."""

    keeps_ranking: ClassVar[bool] = False  # a flat piece makes ties of rows that were none

    x: tuple[float, ...]
    y: tuple[float, ...]

    def apply(self, margin: Floats, link: Link) -> Floats:
        """Return the calibrated probability; outside the knots the end values hold."""
        return np.interp(link.score(margin), self.x, self.y)


class PriorCalibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="prior"):
    """Multiply the odds by `ratio`: undoes the class balance that train was given.

    For under-sampling with kept share beta this is p = beta ps / (beta ps - ps + 1)
    (Dal Pozzolo et al., 2015, doi 10.1109/SSCI.2015.33).
    """

    keeps_ranking: ClassVar[bool] = True

    ratio: float

    def apply(self, margin: Floats, link: Link) -> Floats:
        """Return the corrected probability."""
        score = link.score(margin)
        return self.ratio * score / (self.ratio * score + (1.0 - score))


Calibration: TypeAlias = (
    IdentityCalibration | SigmoidCalibration | IsotonicCalibration | PriorCalibration
)
