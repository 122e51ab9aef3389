"""Invent frauds between neighbouring frauds."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.estimators import Seed
from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.registry import register
from fraudlab.resampling import Neighbours, Ratio, flags_kept, run_sampler


@register("sampler", "smote", excludes={"calibration": ["prior"]})
def smote(
    *,
    sampling_strategy: Ratio = 1.0,
    k_neighbors: Neighbours = 5,
    keep_flags: bool = False,
    random_state: Seed = 42,
) -> Smote:
    """imbalanced-learn's SMOTE (Chawla et al., JAIR 16, 2002).

    Scores of a model fitted on invented frauds are no probabilities; calibration mends that on
    validation, which is never resampled.

    Parameters
    ----------
    sampling_strategy
        Frauds per genuine row afterwards.
    k_neighbors
        Neighbours a new fraud may lie towards; train needs at least one fraud more.
    keep_flags
        Whether a column of two values keeps to them in invented frauds, the lower where one lies
        between, as imbalanced-learn does with whole numbers; else a fraud may be 0.4 in the night.
    random_state
        Seed of the draw.
    """
    return Smote(sampling_strategy, k_neighbors, keep_flags, random_state)


@dataclass(frozen=True)
class Smote:
    """Interpolates frauds."""

    sampling_strategy: float
    k_neighbors: int
    keep_flags: bool
    random_state: int

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return train with invented frauds."""
        from imblearn.over_sampling import SMOTE

        sampler = SMOTE(
            sampling_strategy=self.sampling_strategy,
            k_neighbors=self.k_neighbors,
            random_state=self.random_state,
        )
        resampled = run_sampler(sampler, X, y, reweights=False)
        return flags_kept(X, resampled) if self.keep_flags else resampled
