"""Invent frauds, more of them where genuine rows are near."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.estimators import Seed
from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.registry import register
from fraudlab.resampling import Neighbours, Ratio, neighbours, run_sampler


@register("sampler", "adasyn", excludes={"calibration": ["prior"]})
def adasyn(
    *, sampling_strategy: Ratio = 1.0, n_neighbors: Neighbours = 5, random_state: Seed = 42
) -> Adasyn:
    """imbalanced-learn's ADASYN (He et al., IJCNN 2008).

    Every fraud starts as many new ones as genuine rows are among its neighbours, so the ratio asked
    for is only nearly reached.

    Parameters
    ----------
    sampling_strategy
        Frauds per genuine row afterwards.
    n_neighbors
        Neighbours that are looked at, and that a new fraud may lie towards; train needs at least
        one fraud more.
    random_state
        Seed of the draw.
    """
    return Adasyn(sampling_strategy, n_neighbors, random_state)


@dataclass(frozen=True)
class Adasyn:
    """Interpolates frauds, most where they are hardest to tell."""

    sampling_strategy: float
    n_neighbors: int
    random_state: int

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return train with invented frauds."""
        from imblearn.over_sampling import ADASYN

        sampler = ADASYN(
            sampling_strategy=self.sampling_strategy,
            n_neighbors=neighbours(self.n_neighbors),
            random_state=self.random_state,
        )
        return run_sampler(sampler, X, y, reweights=False)
