"""Drop genuine rows at random."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.estimators import Seed
from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.registry import register
from fraudlab.resampling import Ratio, run_sampler


@register("sampler", "random_under")
def random_under(
    *, sampling_strategy: Ratio = 1.0, replacement: bool = False, random_state: Seed = 42
) -> RandomUnder:
    """imbalanced-learn's RandomUnderSampler.

    Parameters
    ----------
    sampling_strategy
        Frauds per genuine row afterwards.
    replacement
        Whether a genuine row may be drawn twice.
    random_state
        Seed of the draw.
    """
    return RandomUnder(sampling_strategy, replacement, random_state)


@dataclass(frozen=True)
class RandomUnder:
    """Draws genuine rows."""

    sampling_strategy: float
    replacement: bool
    random_state: int

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return all frauds and a draw of the genuine rows."""
        from imblearn.under_sampling import RandomUnderSampler

        sampler = RandomUnderSampler(
            sampling_strategy=self.sampling_strategy,
            replacement=self.replacement,
            random_state=self.random_state,
        )
        return run_sampler(sampler, X, y, reweights=True)
