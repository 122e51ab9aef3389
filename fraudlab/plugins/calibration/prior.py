"""Undo the class balance that resampling or class weights gave train, in closed form."""

from __future__ import annotations

from fraudlab.errors import NotApplicableError
from fraudlab.links import Floats, PriorCalibration
from fraudlab.protocols import Labels
from fraudlab.registry import register


@register("calibration", "prior")
def prior() -> Prior:
    """Multiply the odds by the ratio of the true class balance to the resampled one.

    Exact for random under- and over-sampling and class weights; SMOTE and its kin have no closed
    form.

    References
    ----------
    Dal Pozzolo et al., Calibrating Probability with Undersampling, 2015, doi
    10.1109/SSCI.2015.33; Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001.
    """
    return Prior()


class Prior:
    """Needs no labels: the ratio comes from the sampler."""

    def fit(
        self, linear: Floats, score: Floats, y: Labels, prior_ratio: float | None
    ) -> PriorCalibration:
        """Return the correction."""
        if prior_ratio is None:
            raise NotApplicableError(
                "calibration=prior has no closed form for this sampler (it invents or edits rows);"
                " use calibration=sigmoid or isotonic"
            )
        return PriorCalibration(prior_ratio)
