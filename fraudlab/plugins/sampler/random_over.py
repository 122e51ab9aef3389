"""Repeat frauds at random."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.estimators import Seed
from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.registry import register
from fraudlab.resampling import Ratio, run_sampler


@register("sampler", "random_over")
def random_over(*, sampling_strategy: Ratio = 1.0, random_state: Seed = 42) -> RandomOver:
    """imbalanced-learn's RandomOverSampler.

    Parameters
    ----------
    sampling_strategy
        Frauds per genuine row afterwards.
    random_state
        Seed of the draw.
    """
    return RandomOver(sampling_strategy, random_state)


@dataclass(frozen=True)
class RandomOver:
    """Draws frauds with replacement."""

    sampling_strategy: float
    random_state: int

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return train with repeated frauds."""
        from imblearn.over_sampling import RandomOverSampler

        sampler = RandomOverSampler(
            sampling_strategy=self.sampling_strategy, random_state=self.random_state
        )
        return run_sampler(sampler, X, y, reweights=True)
