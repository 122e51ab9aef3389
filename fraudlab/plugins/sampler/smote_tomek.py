"""SMOTE, then drop pairs of opposite rows that are each other's nearest."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.estimators import Seed
from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.registry import register
from fraudlab.resampling import Neighbours, Ratio, neighbours, run_sampler
from fraudlab.threads import budget


@register("sampler", "smote_tomek", excludes={"calibration": ["prior"]})
def smote_tomek(
    *, sampling_strategy: Ratio = 1.0, k_neighbors: Neighbours = 5, random_state: Seed = 42
) -> SmoteTomek:
    """imbalanced-learn's SMOTETomek (Batista et al., WOB 2003).

    A Tomek link is a fraud and a genuine row that are nearest to each other; both are dropped.

    Parameters
    ----------
    sampling_strategy
        Frauds per genuine row after SMOTE, before links are dropped.
    k_neighbors
        Neighbours a new fraud may lie towards; train needs at least one fraud more.
    random_state
        Seed of the draw.
    """
    return SmoteTomek(sampling_strategy, k_neighbors, random_state)


@dataclass(frozen=True)
class SmoteTomek:
    """Interpolates frauds, then drops links."""

    sampling_strategy: float
    k_neighbors: int
    random_state: int

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return train with invented frauds, without Tomek links."""
        from imblearn.combine import SMOTETomek
        from imblearn.over_sampling import SMOTE
        from imblearn.under_sampling import TomekLinks

        smote = SMOTE(
            sampling_strategy=self.sampling_strategy,
            k_neighbors=neighbours(self.k_neighbors),
            random_state=self.random_state,
        )
        links = TomekLinks(sampling_strategy="all", n_jobs=budget())
        sampler = SMOTETomek(sampling_strategy=self.sampling_strategy, smote=smote, tomek=links)
        return run_sampler(sampler, X, y, reweights=False)
