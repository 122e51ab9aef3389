"""SMOTE up to a share, then drop genuine rows."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.errors import ConfigError
from fraudlab.estimators import Seed
from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.registry import register
from fraudlab.resampling import Neighbours, Ratio, run_sampler


@register("sampler", "smote_under", excludes={"calibration": ["prior"]})
def smote_under(
    *,
    over: Ratio = 0.5,
    under: Ratio = 1.0,
    k_neighbors: Neighbours = 5,
    random_state: Seed = 42,
) -> SmoteUnder:
    """SMOTE to `over` frauds per genuine row, then random under-sampling to `under`.

    Parameters
    ----------
    over
        Frauds per genuine row after SMOTE.
    under
        Frauds per genuine row at the end; at least `over`.
    k_neighbors
        Neighbours a new fraud may lie towards.
    random_state
        Seed of both draws.
    """
    if under < over:
        raise ConfigError(
            f"sampler.params.under={under!r} must be at least over={over!r}", "sampler.params.under"
        )
    return SmoteUnder(over, under, k_neighbors, random_state)


@dataclass(frozen=True)
class SmoteUnder:
    """Interpolates frauds, then draws genuine rows."""

    over: float
    under: float
    k_neighbors: int
    random_state: int

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return train with invented frauds and fewer genuine rows."""
        from imblearn.over_sampling import SMOTE
        from imblearn.under_sampling import RandomUnderSampler

        more = run_sampler(
            SMOTE(
                sampling_strategy=self.over,
                k_neighbors=self.k_neighbors,
                random_state=self.random_state,
            ),
            X,
            y,
            reweights=False,
        )
        fewer = RandomUnderSampler(sampling_strategy=self.under, random_state=self.random_state)
        return run_sampler(fewer, more.X, more.y, reweights=False)
