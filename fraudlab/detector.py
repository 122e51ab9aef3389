"""Fitting a detector: everything learned from the rows it is fitted on, and from no others."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab import registry
from fraudlab.config import Config
from fraudlab.folding import Encoded
from fraudlab.manifest import Field
from fraudlab.preprocess import Matrix, Preprocess
from fraudlab.protocols import Model, Resampled


@dataclass(frozen=True, slots=True)
class Detector:
    """A fitted candidate, before calibration and threshold.

    Attributes
    ----------
    fields
        The request's fields, with what train told about them (`seen`, `categories`).
    preprocess
        The fitted steps between request and matrix.
    model
        The fitted model.
    prior_ratio
        What undoes the class balance that sampler and model made of train's; None without a closed
        form.
    train
        The matrix of the fitted rows, before resampling.
    """

    fields: tuple[Field, ...]
    preprocess: Preprocess
    model: Model
    prior_ratio: float | None
    train: Matrix


def fit_detector(config: Config, encoded: Encoded, resampled: Resampled) -> Detector:
    """Return the detector of `config`: its model fitted on the resampled rows.

    Parameters
    ----------
    config
        The candidate.
    encoded
        The rows fitted on, and what was learned from them.
    resampled
        What the candidate's sampler made of these rows.
    """
    model: Model = registry.build("model", config.model)
    model.fit(resampled.X, resampled.y, resampled.sample_weight)
    return Detector(
        fields=encoded.fields,
        preprocess=encoded.preprocess,
        model=model,
        prior_ratio=_prior_ratio(resampled, model),
        train=encoded.train,
    )


def _prior_ratio(resampled: Resampled, model: Model) -> float | None:
    """Return the sampler's ratio times the model's own, which most models do not have."""
    own: float = getattr(model, "prior_ratio", 1.0)
    return None if resampled.prior_ratio is None else resampled.prior_ratio * own
